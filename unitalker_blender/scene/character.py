"""The meshes that make up a face: the chosen one, and the teeth, tongue, brows and lashes that belong to it."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from mathutils import Vector

from .target import has_shape_keys

_MARGIN = 0.25
"""Of the size of the face: how far outside of its box the middle of a mesh of the same head may be."""


def character_meshes(scene: bpy.types.Scene, target: bpy.types.Object) -> list[bpy.types.Object]:
    """`target`, and after it the other meshes with shape keys of the same character.

    They hang on the same armature; on a face without one, they have the same parent, or lie in the same collection,
    and are where the face is, so that a second head in the scene is not taken for a part of it. Of objects that share
    one mesh only the first counts.
    """
    found = [target, *(item for item in scene.objects if _belongs(item, target))]
    by_keys = {item.data.shape_keys.session_uid: item for item in reversed(found) if has_shape_keys(item)}
    return [item for item in found if item is target or by_keys.get(_keys_uid(item)) == item]


def armature_of(item: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that moves an object, by a modifier or as a parent."""
    for modifier in item.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None:
            return modifier.object
    parent = item.parent
    while parent is not None and parent.type != "ARMATURE":
        parent = parent.parent
    return parent


def _keys_uid(item: bpy.types.Object) -> int:
    return int(item.data.shape_keys.session_uid)


def _belongs(item: bpy.types.Object, target: bpy.types.Object) -> bool:
    if item == target or not has_shape_keys(item):
        return False
    armature = armature_of(target)
    if armature is not None:
        return bool(armature_of(item) == armature)
    together = item.parent == target.parent if target.parent else bool(set(item.users_collection) & _homes(target))
    return (together or item.parent == target) and _is_inside(item, target)


def _homes(target: bpy.types.Object) -> set[bpy.types.Collection]:
    return set(target.users_collection)


def _is_inside(item: bpy.types.Object, target: bpy.types.Object) -> bool:
    """Whether the middle of one object's box lies in the other's."""
    middle = sum(_corners(item), Vector()) / 8
    corners = list(_corners(target))
    lowest, highest = (Vector(pick(axis) for axis in zip(*corners, strict=True)) for pick in (min, max))
    margin = _MARGIN * max(highest - lowest)
    return all(low - margin <= place <= high + margin for low, place, high in zip(lowest, middle, highest, strict=True))


def _corners(item: bpy.types.Object) -> Iterator[Vector]:
    return (item.matrix_world @ Vector(corner) for corner in item.bound_box)
