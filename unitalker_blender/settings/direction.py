"""How a face is directed: the sliders, one property for each field of the backend's `Direction`, of the same name.

Ranges and neutral defaults are the backend's; a test compares them. The sliders belong to the object that speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

EMOTIONS = ("happy", "sad", "angry", "fearful", "disgusted", "surprised", "contemptuous", "calm")

# A preset or a take is being loaded: many sliders change, and nothing has to be done about any single one.
_loading = False


def _changed(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    if not _loading:
        from .. import live_direction

        live_direction.touched(self.id_data)


def _share(name: str, default: float, description: str, **options: Any) -> object:
    return FloatProperty(
        name=name,
        default=default,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        description=description,
        update=_changed,
        override={"LIBRARY_OVERRIDABLE"},
        **options,
    )


def _number(name: str, default: float, low: float, high: float, description: str, **options: Any) -> object:
    return FloatProperty(
        name=name,
        default=default,
        min=low,
        max=high,
        description=description,
        update=_changed,
        override={"LIBRARY_OVERRIDABLE"},
        **options,
    )


def _gain(name: str, description: str, default: float = 1.0) -> object:
    return _number(name, default, 0.0, 4.0, description, soft_max=2.0)


def _switch(description: str) -> object:
    return BoolProperty(
        name="On", default=False, description=description, update=_changed, override={"LIBRARY_OVERRIDABLE"}
    )


def _seed() -> object:
    return IntProperty(
        name="Seed",
        default=0,
        min=0,
        description="Another number gives another performance of this layer",
        update=_changed,
        override={"LIBRARY_OVERRIDABLE"},
    )


class UniTalkerRegions(bpy.types.PropertyGroup):
    """Factors on what the network does in each part of the face."""

    jaw: _gain("Jaw", "Factor on the movement of the jaw")
    lips: _gain("Lips", "Factor on the movement of the lips")
    cheeks: _gain("Cheeks", "Factor on the movement of the cheeks")
    brows: _gain("Brows", "Factor on the movement of the brows")
    eyes: _gain("Eyes", "Factor on the movement of the lids and eyes")


class UniTalkerBlinks(bpy.types.PropertyGroup):
    """Blinks of both eyes."""

    on: _switch("Blink")
    seed: _seed()
    strength: _share("Strength", 1.0, "How far the lids close; 1 is shut")
    rate: _number("Rate", 16.0, 0.0, 60.0, "Blinks per minute")
    phrase_ends: _share("At Phrase Ends", 0.6, "Share of the blinks that wait for the end of a phrase")


class UniTalkerGaze(bpy.types.PropertyGroup):
    """Where the eyes look."""

    on: _switch("Move the eyes")
    seed: _seed()
    strength: _gain("Saccades", "Size of the small jumps of the eyes; 0 holds them on the target")
    yaw: _number("Side", 0.0, -0.8, 0.8, "Where the eyes look: positive to the face's own left", subtype="ANGLE")
    pitch: _number("Down", 0.0, -0.8, 0.8, "Where the eyes look: positive is down", subtype="ANGLE")
    rate: _number("Rate", 0.9, 0.0, 3.0, "Jumps per second")


class UniTalkerHeadMotion(bpy.types.PropertyGroup):
    """Movement of the head that follows the voice."""

    on: _switch("Move the head with the voice")
    seed: _seed()
    strength: _gain("Strength", "Factor on the movement of the head; 1 is a few degrees")
    nods: _gain("Nods", "How much the head goes down with stressed syllables and at the ends of phrases")
    brows: _gain("Brows", "How much the brows rise with stressed syllables", 0.5)


class UniTalkerBreathing(bpy.types.PropertyGroup):
    """Breath and the small drift of a living face."""

    on: _switch("Breathe")
    seed: _seed()
    strength: _gain("Strength", "Factor on breath and idle movement")
    rate: _number("Rate", 14.0, 4.0, 40.0, "Breaths per minute at rest")


class UniTalkerEmotion(bpy.types.PropertyGroup):
    """An expression on top of the speech; its weight can be keyed."""

    weight: _share(
        "Weight", 0.0, "How strong the expression is; can be keyed, then press Update", options={"ANIMATABLE"}
    )
    mouth: _share("Mouth", 0.6, "Share of the expression in the mouth, where it yields to closed lips")
    eyes: _share("Eyes", 1.0, "Share of the expression in eyes and cheeks")
    brows: _share("Brows", 1.0, "Share of the expression in the brows")


class UniTalkerEmotions(bpy.types.PropertyGroup):
    """One weight for each emotion."""

    on: BoolProperty(
        name="On", default=True, description="Show the emotions", update=_changed, override={"LIBRARY_OVERRIDABLE"}
    )
    happy: PointerProperty(type=UniTalkerEmotion, name="Happy")
    sad: PointerProperty(type=UniTalkerEmotion, name="Sad")
    angry: PointerProperty(type=UniTalkerEmotion, name="Angry")
    fearful: PointerProperty(type=UniTalkerEmotion, name="Fearful")
    disgusted: PointerProperty(type=UniTalkerEmotion, name="Disgusted")
    surprised: PointerProperty(type=UniTalkerEmotion, name="Surprised")
    contemptuous: PointerProperty(type=UniTalkerEmotion, name="Contemptuous")
    calm: PointerProperty(type=UniTalkerEmotion, name="Calm")


class UniTalkerDirection(bpy.types.PropertyGroup):
    """All of it."""

    preset: StringProperty(
        name="Preset", description="The preset that the sliders come from", override={"LIBRARY_OVERRIDABLE"}
    )
    intensity: _number(
        "Intensity", 1.0, 0.0, 10.0, "All motion is multiplied by this; 1 is as the network says", soft_max=2.0
    )
    regions: PointerProperty(type=UniTalkerRegions)
    upper_face: _gain("Upper Face", "Factor on all that the network does above the mouth: brows, eyes and cheeks")
    articulation: _gain("Articulation", "Factor on how far the lips leave the closed mouth; closed lips stay closed")
    smoothing: _number(
        "Smoothing", 0.0, 0.0, 10.0, "Seconds over which motion is smoothed", soft_max=0.3, step=1, precision=3
    )
    closure: _share("Lip Closure", 0.0, "How far lips that nearly close (p, b, m) are driven shut")
    rest: _share("Rest Pose", 0.0, "Share of the face measured in silence that is taken away")
    mouth_open: _number("Mouth Open", 0.0, -0.5, 0.5, "Added to the opening of the jaw, except on closed lips", step=1)
    silence_gate: _share("Silence Gate", 0.0, "How far the mouth is brought to rest while nobody speaks")
    asymmetry: _number("Asymmetry", 1.0, -2.0, 2.0, "1 is as it is, 0 symmetrical, -1 mirrored")
    time_offset: _number("Time Offset", 0.0, -2.0, 2.0, "Seconds; positive is later", step=1, precision=3)
    style_blend: _share("Style Blend", 0.0, "From the identity to the second identity")
    poses_per_second: _number(
        "Poses per Second", 0.0, 0.0, 60.0, "Poses that are held, as in drawn animation; 0 moves on every frame"
    )
    blinks: PointerProperty(type=UniTalkerBlinks)
    gaze: PointerProperty(type=UniTalkerGaze)
    head: PointerProperty(type=UniTalkerHeadMotion)
    breathing: PointerProperty(type=UniTalkerBreathing)
    emotions: PointerProperty(type=UniTalkerEmotions)
    live: BoolProperty(
        name="Live",
        default=True,
        description="Change the keys at once when a slider is moved; when off, press Update",
        override={"LIBRARY_OVERRIDABLE"},
    )


CLASSES = (
    UniTalkerRegions,
    UniTalkerBlinks,
    UniTalkerGaze,
    UniTalkerHeadMotion,
    UniTalkerBreathing,
    UniTalkerEmotion,
    UniTalkerEmotions,
    UniTalkerDirection,
)

_NOT_DIRECTION = {"rna_type", "name", "preset", "live"}


def values_of(group: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The sliders as the backend's `Direction` takes them."""
    values: dict[str, Any] = {}
    for name in _fields(group):
        value = getattr(group, name)
        if isinstance(value, UniTalkerEmotions):
            values[name] = _emotion_values(value)
        elif isinstance(value, bpy.types.PropertyGroup):
            values[name] = values_of(value)
        else:
            values[name] = round(value, 6) if isinstance(value, float) else value
    return values


def load(direction: UniTalkerDirection, values: Mapping[str, Any]) -> None:
    """Set the sliders; what `values` does not name becomes neutral. No slider counts as touched by that."""
    global _loading
    _loading = True
    try:
        _load(direction, values)
    finally:
        _loading = False


def _load(group: bpy.types.PropertyGroup, values: Mapping[str, Any]) -> None:
    for name in _fields(group):
        value = getattr(group, name)
        if isinstance(value, UniTalkerEmotions):
            _load_emotions(value, values.get(name, []))
        elif isinstance(value, bpy.types.PropertyGroup):
            _load(value, values.get(name, {}))
        elif isinstance(values.get(name), list):
            continue  # a weight that is keyed: its keys say what it is
        elif name in values:
            setattr(group, name, values[name])
        else:
            group.property_unset(name)


def _emotion_values(emotions: UniTalkerEmotions) -> list[dict[str, Any]]:
    poses = []
    for name in EMOTIONS if emotions.on else ():
        pose = values_of(getattr(emotions, name))
        if pose["weight"] > 0:
            poses.append({"emotion": name, **pose})
    return poses


def _load_emotions(emotions: UniTalkerEmotions, poses: list[dict[str, Any]]) -> None:
    emotions.on = True
    by_name = {pose["emotion"]: pose for pose in poses}
    for name in EMOTIONS:
        _load(getattr(emotions, name), by_name.get(name, {}))


def _fields(group: bpy.types.PropertyGroup) -> list[str]:
    return [prop.identifier for prop in group.bl_rna.properties if prop.identifier not in _NOT_DIRECTION]


def is_touched(group: bpy.types.PropertyGroup) -> bool:
    """Whether any slider was ever set."""
    for name in _fields(group):
        value = getattr(group, name)
        touched = is_touched(value) if isinstance(value, bpy.types.PropertyGroup) else group.is_property_set(name)
        if touched:
            return True
    return False
