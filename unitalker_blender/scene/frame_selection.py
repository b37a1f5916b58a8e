"""Which frames the user has selected."""

from __future__ import annotations

import bpy

from .. import compat


def selected_frames(scene: bpy.types.Scene, target: bpy.types.Object) -> tuple[int, int] | None:
    """First and last selected frame: the preview range, else the selected markers, else selected keys of `target`."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    for frames in ([marker.frame for marker in scene.timeline_markers if marker.select], _selected_keys(target)):
        if len(frames) >= 2:
            return min(frames), max(frames)
    return None


def _selected_keys(target: bpy.types.Object) -> list[int]:
    key = target.data.shape_keys if target.type == "MESH" else None
    animation = key.animation_data if key is not None else None
    if animation is None or animation.action is None or (compat.HAS_SLOTS and animation.action_slot is None):
        return []
    fcurves = compat.action_fcurves(animation.action, compat.assigned_slot(animation))
    return sorted({round(point.co.x) for curve in fcurves for point in curve.keyframe_points if _is_selected(point)})


def _is_selected(point: bpy.types.Keyframe) -> bool:
    return bool(point.select_control_point)
