"""Vertex motion onto a mesh: as shape keys with weights, or as a point cache. When it fails, all is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ..client.components import Components
from ..client.errors import UniTalkerError
from ..client.motion import Motion
from ..vertex_options import VertexOptions
from . import target as targets
from .action_placement import OwnerRef, Placement
from .component_keys import ComponentKeys, component_name, rest_points
from .head_mesh import add_head_mesh, remove_head_mesh
from .point_cache import MODIFIER, play_cache, write_pc2
from .track_writer import Track, TrackWriter
from .vertex_fit import Fit, fit_head

_FRAMES_AT_ONCE = 64


@dataclass(frozen=True)
class Written:
    """What was written: on which object, what it is, and what the user should know."""

    target: str
    what: str
    notes: tuple[str, ...]


def check_mesh(target: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Whether the vertices of an object can be moved; UniTalkerError ``target.*`` saying why not."""
    if target.type != "MESH":
        raise UniTalkerError("target.not_a_mesh", f"'{target.name}' is not a mesh.", "Choose the mesh with the face.")
    if target.mode == "EDIT":
        raise UniTalkerError("target.edit_mode", f"'{target.name}' is being edited.", "Leave edit mode (Tab) first.")
    if target.data.library is not None or target.data.override_library is not None:
        raise UniTalkerError(
            "target.linked",
            f"The mesh of '{target.name}' is linked from another file, so it can be given no shape keys here.",
            "Make it local (Object > Relations > Make Local), animate it in its own file, or let a new mesh be made.",
        )
    if targets.has_shape_keys(target):
        targets.check_target(target, scene)


def write(
    scene: bpy.types.Scene,
    target: bpy.types.Object | None,
    found: Components,
    positions: Motion | None,
    options: VertexOptions,
) -> Written:
    """Move the vertices of `target`, or of a new mesh where it is None.

    Args:
        found: the face at rest, its triangles, and for shape keys the shapes and weights.
        positions: of every frame, for a point cache.

    Raises:
        UniTalkerError: ``target.*``, ``output.unwritable``; nothing was changed then.
    """
    if target is not None:
        check_mesh(target, scene)
        return _write_on(target, found, positions, options)
    made = add_head_mesh(scene, found.rest, found.triangles)
    try:
        written = _write_on(made, found, positions, options)
    except BaseException:
        remove_head_mesh(made)
        raise
    if len(found.triangles):
        return written
    note = f"'{made.name}' is made of points alone, because the faces of this head are not known"
    return Written(written.target, written.what, (*written.notes, note))


def _write_on(target: bpy.types.Object, found: Components, positions: Motion | None, options: VertexOptions) -> Written:
    fit = fit_head(found.rest, rest_points(target), target.name, found.annotation)
    if positions is None:
        return _write_keys(target, fit, found, options)
    return _write_cache(target, fit, found.rest, positions, options)


def _write_keys(target: bpy.types.Object, fit: Fit, found: Components, options: VertexOptions) -> Written:
    keys = ComponentKeys(target, fit.offsets(found.shapes))
    try:
        key = target.data.shape_keys
        owner = OwnerRef.of(key)
        tracks = [
            Track(owner, key.key_blocks[name].path_from_id("value"), 0, name, np.ascontiguousarray(weights))
            for name, weights in zip(map(component_name, range(len(found.shapes))), found.weights.T, strict=True)
        ]
        speech = options.speech
        name = f"{speech.subject.stem} {target.name}"
        TrackWriter(tracks, speech.frame_start, speech.placement or Placement(), name).step()
    except BaseException:
        keys.restore()
        raise
    notes = []
    if keys.replaced:
        notes.append("the component shape keys that were there are replaced; Actions made for them no longer fit")
    if MODIFIER in target.modifiers and target.modifiers[MODIFIER].show_viewport:
        notes.append(f"the modifier '{MODIFIER}' still plays a point cache and hides the shape keys: turn it off")
    return Written(target.name, f"{len(tracks)} component shape keys", tuple(notes))


def _write_cache(
    target: bpy.types.Object, fit: Fit, rest: np.ndarray, motion: Motion, options: VertexOptions
) -> Written:
    def positions() -> Iterator[np.ndarray]:
        still = rest_points(target)
        for start in range(0, len(motion.values), _FRAMES_AT_ONCE):
            block = motion.values[start : start + _FRAMES_AT_ONCE]
            yield still + fit.offsets(block.reshape(len(block), -1, 3) - rest)

    write_pc2(options.cache, positions(), len(fit.rows), len(motion.values))
    play_cache(target, options.cache, options.speech.frame_start)
    return Written(target.name, f"a point cache of {len(motion.values)} frames, {options.cache.name}", ())
