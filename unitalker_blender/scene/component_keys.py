"""Shapes of a vertex head as shape keys, named "UniTalker PC 01" and so on; no other shape key is touched."""

from __future__ import annotations

import re
from dataclasses import dataclass

import bpy
import numpy as np

_NAME = "UniTalker PC {:02}"
_OURS = re.compile(r"^UniTalker PC \d+$")


def component_name(index: int) -> str:
    """Name of the shape key of component `index`, which counts from 0."""
    return _NAME.format(index + 1)


@dataclass(frozen=True)
class _Saved:
    name: str
    points: np.ndarray
    value: float
    slider_min: float
    slider_max: float
    mute: bool


class ComponentKeys:
    """Puts shapes into the shape keys of a mesh; `restore` takes that back.

    Args:
        target: a mesh in object mode.
        offsets: float32 (K, N, 3): what each shape moves, in the mesh's own space.
    """

    def __init__(self, target: bpy.types.Object, offsets: np.ndarray) -> None:
        self._target = target
        self._had_keys = target.data.shape_keys is not None
        self._active = target.active_shape_key_index
        self._saved = [_save(block) for block in self._ours()]
        try:
            self._put(offsets)
        except BaseException:
            self.restore()
            raise

    @property
    def replaced(self) -> int:
        """How many there were before; what is keyed for them does not fit the new ones."""
        return len(self._saved)

    def restore(self) -> None:
        """Make the shape keys what they were before."""
        if not self._had_keys:
            self._target.shape_key_clear()
            return
        self._remove_ours()
        for saved in self._saved:
            block = self._target.shape_key_add(name=saved.name, from_mix=False)
            block.slider_min, block.slider_max = saved.slider_min, saved.slider_max
            block.value, block.mute = saved.value, saved.mute
            block.data.foreach_set("co", saved.points.ravel())
        self._target.active_shape_key_index = self._active

    def _put(self, offsets: np.ndarray) -> None:
        if not self._had_keys:
            self._target.shape_key_add(name="Basis", from_mix=False)
        self._remove_ours()
        rest = rest_points(self._target)
        for index, shape in enumerate(offsets):
            block = self._target.shape_key_add(name=component_name(index), from_mix=False)
            block.slider_min, block.slider_max, block.value = -1.0, 1.0, 0.0
            block.data.foreach_set("co", (rest + shape).ravel())
        self._target.active_shape_key_index = self._active

    def _ours(self) -> list[bpy.types.ShapeKey]:
        key = self._target.data.shape_keys
        return [block for block in key.key_blocks if _OURS.match(block.name)] if key else []

    def _remove_ours(self) -> None:
        for name in [block.name for block in self._ours()]:
            self._target.shape_key_remove(self._target.data.shape_keys.key_blocks[name])


def rest_points(target: bpy.types.Object) -> np.ndarray:
    """The mesh at rest, float32 (N, 3) in its own space: its basis, or its vertices where it has no shape keys."""
    key = target.data.shape_keys
    points = key.reference_key.data if key is not None else target.data.vertices
    flat = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def _save(block: bpy.types.ShapeKey) -> _Saved:
    points = np.empty(3 * len(block.data), np.float32)
    block.data.foreach_get("co", points)
    return _Saved(block.name, points, block.value, block.slider_min, block.slider_max, block.mute)
