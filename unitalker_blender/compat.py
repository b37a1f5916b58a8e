"""Every difference between Blender 4.2 and 5.x that matters here; nothing else asks what a Blender can do."""

from __future__ import annotations

from typing import Any

import bpy

HAS_AUDIO: bool = bpy.app.build_options.audaspace
"""Whether this Blender can make sound strips; the `bpy` module 4.2 from the package registry cannot."""

RELATIVE_PATH: set[str] = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a path property that may begin with "//"; without them 4.5 and later warn of it."""


def new_fcurve_action(key: bpy.types.Key, name: str) -> tuple[bpy.types.Action, Any, Any]:
    """A new Action, not yet assigned, that animates `key`: the Action, its f-curve collection, its slot or None."""
    action = bpy.data.actions.new(name)
    if not hasattr(action, "slots"):  # before 4.4: one flat list of f-curves
        action.id_root = "KEY"
        return action, action.fcurves, None
    slot = action.slots.new(id_type="KEY", name=key.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return action, strip.channelbag(slot, ensure=True).fcurves, slot


def assign_action(key: bpy.types.Key, action: bpy.types.Action, slot: Any) -> None:
    """Make `action` the active one of `key`."""
    animation = key.animation_data or key.animation_data_create()
    animation.action = action
    if slot is not None:  # never left to the automatic choice, which depends on names
        animation.action_slot = slot


def sequencer_strips(scene: bpy.types.Scene) -> Any:
    """The top-level strip collection of a scene's sequencer, which is made when there is none."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences  # `strips` from 4.4, alone from 5.0


def show_in_sequencer(scene: bpy.types.Scene) -> None:
    """From 5.0 a workspace's sequencer shows a scene of its own choice; where none is chosen, choose this one."""
    workspace = bpy.context.workspace
    if workspace is not None and hasattr(workspace, "sequencer_scene") and workspace.sequencer_scene is None:
        workspace.sequencer_scene = scene


def video_format(settings: bpy.types.ImageFormatSettings) -> list[tuple[Any, str, Any]]:
    """Owner, property and value of each setting that makes a render a video, in the order in which they can be set."""
    medium = [(settings, "media_type", "VIDEO")] if hasattr(settings, "media_type") else []  # from 5.0
    return [*medium, (settings, "file_format", "FFMPEG")]
