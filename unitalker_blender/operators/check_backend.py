"""Start the backend and say what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import bpy

from .. import backend_session
from ..job import Report
from .stepping import SteppingOperator, running

if TYPE_CHECKING:
    from ..client.session import BackendSession


class HelloJob:
    """Starts the backend anew, whose list of models is then that of now, and waits until it has said hello."""

    fraction = 0.0
    text = "Starting the backend"

    def __init__(self, session: BackendSession) -> None:
        self._session = session
        self.cancelled = False
        session.close()
        session.forgive()
        session.start()

    def step(self, wait: float = 0.0) -> bool:
        return self.cancelled or self._session.ready(wait)

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        """Nothing to forget: the backend stays."""

    @property
    def report(self) -> Report | None:
        hello = self._session.hello
        if hello is None:
            return None
        models = ", ".join(model.name for model in hello.models) or "no models"
        summary = f"Backend {hello.version}, Python {hello.python}, {', '.join(hello.devices)}: {models}"
        return Report(summary, hello.problems)


class UNITALKER_OT_check_backend(SteppingOperator, bpy.types.Operator):  # noqa: N801
    """Start the backend, list its models, heads and identities, and say what is missing."""

    bl_idname = "unitalker.check_backend"
    bl_label = "Check Backend"
    bl_description = "Start the backend, list its models, and say what is missing"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if running() is not None:
            cls.poll_message_set("UniTalker is at work")
        return running() is None

    def make_job(self, _context: bpy.types.Context) -> HelloJob:
        return HelloJob(backend_session.get())
