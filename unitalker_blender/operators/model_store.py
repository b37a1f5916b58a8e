"""Bring models in, delete them, and show their licences."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import StringProperty

from .. import backend_session
from ..client.environment import BackendCommand
from ..client.errors import UniTalkerError
from ..client.model_folders import CARD_FILE, MANIFEST_FILE, delete_model, import_folder
from ..job import Job, Report
from .backend_setup import ConfirmedOperator, SetupOperator

if TYPE_CHECKING:
    from ..background_thread import ThreadJob

CHECKPOINT_SUFFIXES = (".pt", ".pth")


class CheckpointJob:
    """Has the backend's Python make a model folder of a released checkpoint; needs torch, and takes minutes.

    Args:
        command: the backend.
        checkpoint: the file.
        pca_root: data root of the release, or None.
    """

    fraction = 0.0

    def __init__(self, command: BackendCommand, checkpoint: Path, pca_root: Path | None) -> None:
        from ..client.command_process import CommandProcess

        arguments = [str(command.python), "-m", "backend", "models", "import", str(checkpoint)]
        arguments += ["--pca-root", str(pca_root)] if pca_root else []
        self.text = f"Importing {checkpoint.name}"
        self.cancelled = False
        self.report: Report | None = None
        self._said: list[str] = []
        self._process = CommandProcess(arguments, command.environment(os.environ), command.root)

    def step(self, wait: float = 0.0) -> bool:
        self._said.extend(line for line in self._process.lines(wait) if line.strip())
        code = self._process.exit_code()
        if code is None:
            return False
        if self.cancelled:
            return True
        if code != 0:
            raise _import_error(self._said)
        backend_session.close()  # its list of models is of before
        notes = tuple(line.removeprefix("note: ") for line in self._said if line.startswith("note: "))
        done = [line for line in self._said if not line.startswith("note: ")]
        self.report = Report(f"Imported {done[-1] if done else ''}".strip(), notes)
        return True

    def cancel(self) -> None:
        self.cancelled = True
        self._process.stop()

    def close(self) -> None:
        self._process.kill()


def _import_error(said: list[str]) -> UniTalkerError:
    at = next((number for number, line in enumerate(said) if line.startswith("error: ")), None)
    if at is None:
        last = said[-1].strip() if said else "it said nothing"
        return UniTalkerError("model.not_imported", f"The import failed: {last}", "See the console for more.")
    hint = " ".join(line.strip() for line in said[at + 1 :])
    return UniTalkerError("model.not_imported", said[at].removeprefix("error: "), hint)


class UNITALKER_OT_import_model(SetupOperator, bpy.types.Operator):  # noqa: N801
    """Bring in a model folder or a released checkpoint."""

    bl_idname = "unitalker.import_model"
    bl_label = "Import Model"
    bl_description = "Bring in a model: the model.json of a model folder, or a released UniTalker checkpoint (.pt)"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"}, description="What to import")
    filter_glob: StringProperty(default="*.json;*.pt;*.pth", options={"HIDDEN", "SKIP_SAVE"})
    pca_root: StringProperty(
        name="PCA Folder",
        subtype="DIR_PATH",
        description="For a checkpoint: data folder of the release, with D0_BIWI/pca.npz and so on; may stay empty",
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        return super().execute(context) if bpy.app.background else self.begin(context, None)

    def make_job(self, _context: bpy.types.Context) -> Job:
        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix.lower() in CHECKPOINT_SUFFIXES:
            pca_root = Path(bpy.path.abspath(self.pca_root)) if self.pca_root else None
            return CheckpointJob(backend_session.command(), path, pca_root)
        return _folder_job(path.parent if path.name == MANIFEST_FILE else path)


def _folder_job(source: Path) -> ThreadJob:
    from ..background_thread import ThreadJob

    stop = threading.Event()

    def work() -> str:
        target = import_folder(source, os.environ, stop)
        backend_session.close()
        return f"Imported {target}" if target else ""

    return ThreadJob(work, f"Copying {source.name}", stop.set)


class UNITALKER_OT_delete_model(ConfirmedOperator, bpy.types.Operator):  # noqa: N801
    """Delete one of the user's own models."""

    bl_idname = "unitalker.delete_model"
    bl_label = "Delete Model"
    bl_description = "Delete this model from your own folder of models"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    folder: StringProperty(name="Folder", description="The model to delete", options={"SKIP_SAVE", "HIDDEN"})

    def make_job(self, _context: bpy.types.Context) -> ThreadJob:
        from ..background_thread import ThreadJob

        folder = Path(self.folder)
        backend_session.close()  # it may have the model open

        def work() -> str:
            delete_model(folder)
            return f"Deleted {folder}"

        return ThreadJob(work, f"Deleting {folder.name}")


class UNITALKER_OT_model_card(bpy.types.Operator):  # noqa: N801
    """Show a model's card, with its licence, as a text."""

    bl_idname = "unitalker.model_card"
    bl_label = "Model Card"
    bl_description = "What this model was made from, what it can do, and its licence; opens in a text editor"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    folder: StringProperty(name="Folder", description="The model", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        card = Path(self.folder) / CARD_FILE
        try:
            words = card.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            self.report({"ERROR"}, f"{card} cannot be read: {error}. The licence is the one in the list.")
            return {"CANCELLED"}
        name = f"{card.parent.name} card"
        text = bpy.data.texts.get(name) or bpy.data.texts.new(name)
        text.from_string(words)
        text.cursor_set(0)
        if not bpy.app.background:
            _show_text(context, text)
        self.report({"INFO"}, f"The card is the text {name!r}")
        return {"FINISHED"}


def _show_text(context: bpy.types.Context, text: bpy.types.Text) -> None:
    """In a window of its own, so that no editor of the user changes."""
    bpy.ops.wm.window_new()
    area = max(context.window_manager.windows[-1].screen.areas, key=lambda area: area.width * area.height)
    area.ui_type = "TEXT_EDITOR"
    area.spaces.active.text = text
    area.spaces.active.show_word_wrap = True
