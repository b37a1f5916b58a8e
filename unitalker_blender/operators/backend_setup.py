"""Check the Python in use; install, repair and remove an environment of the backend's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import BoolProperty, StringProperty

from .. import backend_session, backend_setup, preference_values
from ..client.errors import UniTalkerError
from ..client.installed_environment import remove_environment
from ..job import Report
from ..translations import translate
from .stepping import SteppingOperator, running

if TYPE_CHECKING:
    from ..background_thread import ThreadJob
    from ..client.install_job import InstallJob


class SetupOperator(SteppingOperator):
    """Base of operators in the preferences: one at a time, and not ended when the preferences are closed."""

    if TYPE_CHECKING:

        @classmethod
        def poll_message_set(cls, message: str) -> None:
            """Of bpy.types.Operator, the other base of every operator."""

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if running() is not None:
            cls.poll_message_set("UniTalker is at work")
        return running() is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.begin(context, event)

    def begin(self, context: bpy.types.Context, event: bpy.types.Event | None) -> set[str]:
        """Run it while the user goes on working."""
        # A modal operator ends with its window, and the preferences are a window of their own.
        main = context.window_manager.windows[0]
        with context.temp_override(window=main, area=main.screen.areas[0], region=main.screen.areas[0].regions[0]):
            return super().invoke(bpy.context, event)


class ConfirmedOperator(SetupOperator):
    """Base of operators that ask first when they are started from a button."""

    _confirmed = False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._confirmed = True
        result: set[str] = context.window_manager.invoke_confirm(self, event)
        return result

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.begin(context, None) if self._confirmed else super().execute(context)


class CheckJob:
    """Asks the Python in use what it can do."""

    fraction = 0.0
    text = "Asking the Python about itself"

    def __init__(self) -> None:
        from ..client.python_check import CheckRun

        backend_setup.remember_check(None)
        command = backend_session.command()
        self._run = CheckRun(command, command.needs)
        self.cancelled = False

    def step(self, wait: float = 0.0) -> bool:
        if self.cancelled or not self._run.step(wait):
            return self.cancelled
        backend_setup.remember_check(self._run.result)
        return True

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        self._run.stop()

    @property
    def report(self) -> Report | None:
        return Report(self._run.result.summary(), ()) if self._run.result else None


class UNITALKER_OT_check_python(SetupOperator, bpy.types.Operator):  # noqa: N801
    """Say whether the Python in use can run the backend."""

    bl_idname = "unitalker.check_python"
    bl_label = "Check Python"
    bl_description = "Ask this Python for its version, its packages and its devices"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def make_job(self, _context: bpy.types.Context) -> CheckJob:
        return CheckJob()


class UNITALKER_OT_install_backend(SetupOperator, bpy.types.Operator):  # noqa: N801
    """Make an environment for the backend, from the network or from a folder of wheels."""

    bl_idname = "unitalker.install_backend"
    bl_label = "Install Backend"
    bl_description = (
        "Download the packages that the backend needs and put them into a folder of their own; "
        "nothing else on this computer is changed"
    )
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    anew: BoolProperty(
        name="Anew", default=False, description="Delete what is there first", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = backend_setup.network_problem()
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem and super().poll(context)

    def make_job(self, _context: bpy.types.Context) -> InstallJob:
        from ..client.install_job import InstallJob, InstallOptions

        build = backend_setup.torch_build(wait=True)
        assert build
        wheels = preference_values.wheels_folder()
        backend_session.close()  # on Windows the files of a running Python cannot be replaced
        root = backend_session.root_folder()
        return InstallJob(InstallOptions(build, root, Path(wheels) if wheels else None, self.anew))


class UNITALKER_OT_remove_backend(ConfirmedOperator, bpy.types.Operator):  # noqa: N801
    """Delete an environment that *Install Backend* made."""

    bl_idname = "unitalker.remove_backend"
    bl_label = "Remove Backend"
    bl_description = "Delete this environment; it can be installed again"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    folder: StringProperty(name="Folder", description="The environment to delete", options={"SKIP_SAVE", "HIDDEN"})

    def make_job(self, _context: bpy.types.Context) -> ThreadJob:
        from ..background_thread import ThreadJob

        folder = Path(self.folder)
        backend_session.close()

        def remove() -> str:
            try:
                remove_environment(folder)
            except OSError as error:
                raise UniTalkerError(
                    "install.not_removed",
                    f"{folder} cannot be deleted: {error.strerror or error}.",
                    "Close other Blenders that use it, then try again.",
                ) from error
            return f"Removed {folder}"

        return ThreadJob(remove, "Deleting the environment")
