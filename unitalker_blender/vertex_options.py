"""What one run of Animate Vertices is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import bpy

from . import animate_settings
from .animate_options import AnimateOptions
from .client.errors import UniTalkerError

if TYPE_CHECKING:
    from .settings.interchange import VertexSettings

Method = Literal["KEYS", "CACHE"]


@dataclass(frozen=True)
class VertexOptions:
    """One run.

    Attributes:
        speech: sound, model, direction, placement; its target is the mesh that moves, and its head one of vertices,
            or empty for the model's first one.
        new_mesh: make a mesh in the head's own topology instead.
        method: shape keys with weights, or a point cache.
        most: shape keys at most.
        tolerance: metres; no more shape keys than keep every vertex this close.
        cache: absolute path of the point cache.
    """

    speech: AnimateOptions
    new_mesh: bool
    method: Method
    most: int
    tolerance: float
    cache: Path


_SETTINGS = ("vertex_head", "new_mesh", "method", "tolerance_mm", "most_keys", "cache")


def options(context: bpy.types.Context, given: Mapping[str, Any]) -> VertexOptions:
    """What a run does.

    Args:
        given: the arguments of `unitalker.animate_vertices` that are not left to the panel.

    Raises:
        UniTalkerError: when one of them makes no sense.
    """
    settings: VertexSettings = context.scene.unitalker_interchange
    chosen = {name: given.get(name, getattr(settings, name)) for name in _SETTINGS}
    rest = {name: value for name, value in given.items() if name not in _SETTINGS}
    rest["head"] = chosen["vertex_head"]
    speech = animate_settings.options(context, rest, needs_target=not chosen["new_mesh"])
    return VertexOptions(
        speech=speech,
        new_mesh=chosen["new_mesh"],
        method=chosen["method"],
        most=chosen["most_keys"],
        tolerance=chosen["tolerance_mm"] / 1e3,
        cache=_cache_path(chosen["cache"], speech) if chosen["method"] == "CACHE" else Path(),
    )


def _cache_path(chosen: str, speech: AnimateOptions) -> Path:
    if chosen:
        return Path(bpy.path.abspath(chosen)).absolute()
    if not bpy.data.filepath:
        raise UniTalkerError(
            "output.no_cache",
            "A point cache lies beside the saved file, and this file is not saved yet.",
            "Save it, or choose a Cache File.",
        )
    name = bpy.path.clean_name(f"{speech.target or 'face'}_{speech.subject.stem}")
    return Path(bpy.data.filepath).parent / f"{name}.pc2"
