"""The preferences' part on models: which there are, under which licence, how large."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .. import backend_session
from ..client.installed_environment import files_size
from ..client.model_folders import is_own
from .text import draw_text

if TYPE_CHECKING:
    from ..client.protocol import ModelInfo

_sizes: dict[str, int] = {}


def draw_models(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The models that the running backend has listed, and the buttons."""
    row = layout.row()
    row.label(text="Models", icon="FILE_3D")
    row.operator("unitalker.import_model", icon="IMPORT")
    hello = backend_session.current_hello()
    if hello is None:
        row = layout.row()
        row.label(text="They are listed when the backend runs.")
        row.operator("unitalker.check_backend", text="List Models")
        return
    for model in hello.models:
        _draw_model(layout, context, model)
    for problem in hello.problems:
        draw_text(layout, problem, context, icon="ERROR")


def _draw_model(layout: bpy.types.UILayout, context: bpy.types.Context, model: ModelInfo) -> None:
    row = layout.row(align=True)
    row.label(text=f"{model.name}   {_size(model.path) / 1e6:.0f} MB   {model.licence}")
    row.operator("unitalker.model_card", text="", icon="TEXT").folder = model.path
    if is_own(Path(model.path)):
        row.operator("unitalker.delete_model", text="", icon="TRASH").folder = model.path
    heads = ", ".join(head.title for head in model.heads)
    draw_text(layout, heads, context)


def _size(path: str) -> int:
    """Counted once: drawing happens with every move of the mouse."""
    if path not in _sizes:
        _sizes[path] = files_size(Path(path))
    return _sizes[path]
