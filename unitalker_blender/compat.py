"""Every difference between Blender 4.2 and 5.x that matters here; nothing else asks what a Blender can do."""

from __future__ import annotations

from typing import Any

import bpy

HAS_AUDIO: bool = bpy.app.build_options.audaspace
"""Whether this Blender can make sound strips; the `bpy` module 4.2 from the package registry cannot."""

RELATIVE_PATH: set[str] = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a path property that may begin with "//"; without them 4.5 and later warn of it."""

HAS_SLOTS: bool = "slots" in bpy.types.Action.bl_rna.properties
"""Whether an Action can animate several data blocks, each through a slot (from 4.4); before, it is one flat list."""


def new_action(owner: bpy.types.ID, name: str) -> bpy.types.Action:
    """A new Action for data blocks of the type of `owner`, without curves, not yet assigned."""
    action = bpy.data.actions.new(name)
    if not HAS_SLOTS:
        action.id_root = owner.id_type
    return action


def fits(action: bpy.types.Action, owner: bpy.types.ID) -> bool:
    """Whether an Action can animate data blocks of the type of `owner`."""
    return HAS_SLOTS or not action.id_root or action.id_root == owner.id_type


def slot_for(action: bpy.types.Action, owner: bpy.types.ID) -> int:
    """Handle of the slot of `action` for `owner`, made when there is none; 0 where Actions have no slots.

    The slot is the assigned one, else the one of the owner's name: never one that another data block goes by.
    """
    if not HAS_SLOTS:
        return 0
    animation = owner.animation_data
    if animation is not None and animation.action == action and (assigned := assigned_slot(animation)):
        return assigned
    for slot in action.slots:
        if slot.target_id_type in (owner.id_type, "UNSPECIFIED") and slot.name_display == owner.name:
            return int(slot.handle)
    return int(action.slots.new(id_type=owner.id_type, name=owner.name).handle)


def action_fcurves(action: bpy.types.Action, slot: int) -> Any:
    """The f-curve collection of a slot, made when there is none."""
    if not HAS_SLOTS:
        return action.fcurves
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(_slot(action, slot), ensure=True).fcurves


def assigned_slot(animation: bpy.types.AnimData) -> int:
    """Handle of the slot of the assigned Action; 0 when there is none."""
    return int(animation.action_slot.handle) if HAS_SLOTS and animation.action_slot is not None else 0


def assign_action(owner: bpy.types.ID, action: bpy.types.Action, slot: int) -> None:
    """Make `action` the active one of `owner`."""
    animation = owner.animation_data or owner.animation_data_create()
    animation.action = action
    if HAS_SLOTS:  # never left to the automatic choice, which depends on names
        animation.action_slot = _slot(action, slot) if slot else None


def add_nla_strip(
    owner: bpy.types.ID, action: bpy.types.Action, slot: int, first: int, last: int
) -> bpy.types.NlaStrip:
    """A new NLA track with one strip that plays the frames `first` to `last` of `action` where they are."""
    animation = owner.animation_data or owner.animation_data_create()
    track = animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, first, action)
    if HAS_SLOTS:
        strip.action_slot = _slot(action, slot)
    strip.action_frame_start, strip.action_frame_end = first, max(last, first + 1)
    strip.extrapolation = "NOTHING"
    return strip


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


def _slot(action: bpy.types.Action, handle: int) -> Any:
    return next(slot for slot in action.slots if slot.handle == handle)
