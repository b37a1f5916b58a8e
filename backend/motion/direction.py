"""How a performance is directed: everything that can be changed after the network has spoken.

Neutral values, which are the defaults, leave the network's motion exactly as it is. Amounts without a unit are
factors or shares; seconds, radians and rates say so. Every layer has its own seed, so that it can be made anew alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

Emotion = Literal["happy", "sad", "angry", "fearful", "disgusted", "surprised", "contemptuous", "calm"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Gain = Annotated[float, Field(ge=0, le=4, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Angle = Annotated[float, Field(ge=-0.8, le=0.8, allow_inf_nan=False)]
# What is a list in JSON has to be let in as one; tuples, so that a direction can be hashed.
Key = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]],
    Field(strict=False),
]


def _in_order(keys: tuple[Key, ...]) -> tuple[Key, ...]:
    times = [key[0] for key in keys]
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ValueError("the keys are not in the order of their times")
    return keys


Curve = Annotated[tuple[Key, ...], Field(strict=False, min_length=1, max_length=10_000), AfterValidator(_in_order)]
"""``[[seconds, weight], …]``: straight lines between the keys, and the outermost weights before and after."""


Strength = Annotated[
    Annotated[Share, Tag("number")] | Annotated[Curve, Tag("curve")],
    Discriminator(lambda weight: "curve" if isinstance(weight, list | tuple) else "number"),
]


class _Part(BaseModel):
    # Strict, so that "1" or true is not taken for a number.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Regions(_Part):
    """Factors on what the network does in each part of the face."""

    jaw: Gain = 1.0
    lips: Gain = 1.0
    cheeks: Gain = 1.0
    brows: Gain = 1.0
    eyes: Gain = 1.0


class Blinks(_Part):
    """Blinks of both eyes.

    Attributes:
        rate: per minute.
        strength: how far the lids close; 1 is shut.
        phrase_ends: share of the blinks that wait for the end of a phrase.
    """

    on: bool = False
    seed: Seed = 0
    strength: Share = 1.0
    rate: float = Field(default=16.0, ge=0, le=60, allow_inf_nan=False)
    phrase_ends: Share = 0.6


class Gaze(_Part):
    """Where the eyes look: a target, and small saccades around it.

    Attributes:
        strength: size of the saccades; 0 holds the eyes on the target.
        yaw: of the target, radians, positive to the face's own left.
        pitch: of the target, radians, positive down.
        rate: saccades per second.
    """

    on: bool = False
    seed: Seed = 0
    strength: Gain = 1.0
    yaw: Angle = 0.0
    pitch: Angle = 0.0
    rate: float = Field(default=0.9, ge=0, le=3, allow_inf_nan=False)


class HeadMotion(_Part):
    """Movement of the head that follows pitch and loudness of the voice.

    Attributes:
        strength: of all of it; 1 is a few degrees.
        nods: how much the head goes down with stressed syllables and at the ends of phrases.
        brows: how much the brows rise with stressed syllables.
    """

    on: bool = False
    seed: Seed = 0
    strength: Gain = 1.0
    nods: Gain = 1.0
    brows: Gain = 0.5


class Breathing(_Part):
    """Breath and the small drift of a living face; nostrils and jaw open a little with a breath before a phrase.

    Attributes:
        rate: breaths per minute at rest.
    """

    on: bool = False
    seed: Seed = 0
    strength: Gain = 1.0
    rate: float = Field(default=14.0, ge=4, le=40, allow_inf_nan=False)


class EmotionPose(_Part):
    """An expression on top of the speech, or of the silence.

    Attributes:
        emotion: which one.
        weight: how strong; a curve over time instead of a number is keyed.
        mouth, eyes, brows: share of it in each part of the face; cheeks and nose go with the eyes. In the mouth it
            yields to closed lips.
    """

    on: bool = True
    emotion: Emotion
    weight: Strength = 1.0
    mouth: Share = 0.6
    eyes: Share = 1.0
    brows: Share = 1.0


class Direction(_Part):
    """All of it.

    Attributes:
        intensity: distance from the resting face: 0 is still, 1 as the network says.
        regions: the same by parts of the face.
        upper_face: factor on all that the network does above the mouth: brows, eyes and cheeks.
        articulation: factor on how far the lips leave the closed mouth; closed lips stay closed.
        smoothing: length of the smoothing window in seconds.
        closure: share by which lips that nearly close (p, b, m) are driven fully shut.
        rest: share of the face measured in silence that is taken away from all frames.
        mouth_open: added to the opening of the jaw, except where the lips are closed.
        silence_gate: share by which the mouth is brought to rest while nobody speaks.
        asymmetry: factor on the difference of left and right: 1 as it is, 0 symmetrical, -1 mirrored.
        time_offset: seconds; positive is later.
        style_blend: 0 is the identity, 1 is the second identity, if the take has one.
        poses_per_second: poses that are held instead of moving on every frame, as on twos; 0 for none.
        blinks, gaze, head, breathing: layers.
        emotions: expressions, added up.
    """

    intensity: float = Field(default=1.0, ge=0, le=10, allow_inf_nan=False)
    regions: Regions = Regions()
    upper_face: Gain = 1.0
    articulation: Gain = 1.0
    smoothing: float = Field(default=0.0, ge=0, le=10, allow_inf_nan=False)
    closure: Share = 0.0
    rest: Share = 0.0
    mouth_open: float = Field(default=0.0, ge=-0.5, le=0.5, allow_inf_nan=False)
    silence_gate: Share = 0.0
    asymmetry: float = Field(default=1.0, ge=-2, le=2, allow_inf_nan=False)
    time_offset: float = Field(default=0.0, ge=-2, le=2, allow_inf_nan=False)
    style_blend: Share = 0.0
    poses_per_second: float = Field(default=0.0, ge=0, le=60, allow_inf_nan=False)
    blinks: Blinks = Blinks()
    gaze: Gaze = Gaze()
    head: HeadMotion = HeadMotion()
    breathing: Breathing = Breathing()
    emotions: tuple[EmotionPose, ...] = Field(default=(), strict=False, max_length=32)


NEUTRAL = Direction()
"""Changes nothing."""
