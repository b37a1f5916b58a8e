"""A mouth beside its sound: all that the measures look at, whatever the motion was given as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import column_of, has_arkit_mouth, lip_opening
from backend.prosody import FRAMES_PER_SECOND, Prosody, analyse
from backend.sample_store import Samples
from training.datasets.alignment import opening_of
from training.motion_measures.lips import Lips
from training.motion_measures.phones import Phone, pauses_of

LIP_CHANNELS = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthRollLower", "mouthLowerDownLeft")
"""ARKit weights from which all measures can be taken."""


@dataclass(frozen=True)
class Voice:
    """What is known of a sound.

    Attributes:
        loudness: (n,), dB.
        times: (n,), seconds.
        pauses: (k, 2), seconds in which nobody speaks.
        phones: in order; empty when they are not known.
    """

    loudness: np.ndarray
    times: np.ndarray
    pauses: np.ndarray
    phones: tuple[Phone, ...] = ()


@dataclass(frozen=True)
class Mouth:
    """What lips do, each (frames,).

    Attributes:
        opening: gap between the lips, 0 where they touch: ``jawOpen - mouthClose``, or metres.
        rounding: ``mouthPucker + mouthFunnel``, or by how much the mouth is narrower than it is wide on average.
        lip_teeth: lower lip to upper teeth, ``mouthRollLower - mouthLowerDownLeft - opening``.
    """

    opening: np.ndarray
    rounding: np.ndarray | None = None
    lip_teeth: np.ndarray | None = None


@dataclass(frozen=True)
class Recording:
    """Motion and sound of the same seconds; frame ``i`` is at ``i / fps``."""

    name: str
    mouth: Mouth
    fps: float
    voice: Voice


def hear(samples: Samples, phones: Sequence[Phone] = ()) -> Voice:
    """Listens to a sound; pauses are those of its phones where they are known, else told from its loudness.

    Args:
        samples: float32, 16 kHz.
        phones: of this sound.
    """
    return voice_of(analyse(samples), phones)


def voice_of(prosody: Prosody, phones: Sequence[Phone] = ()) -> Voice:
    """As `hear`, of a sound that was listened to."""
    times = np.arange(len(prosody.loudness)) / FRAMES_PER_SECOND
    pauses = pauses_of(phones) if phones else prosody.pauses
    return Voice(prosody.loudness, times, pauses, tuple(phones))


def mouth_of(motion: FaceMotion, face: np.ndarray | None = None, lips: Lips | None = None) -> Mouth:
    """What the lips do in a motion.

    Args:
        motion: weights or parameters relative to the resting face; vertices as displacements from `face`.
        face: (V, 3), the resting face of vertices.
        lips: of vertices, from `find_lips`.

    Raises:
        ValueError: vertices without face and lips.
    """
    annotation, values = motion.annotation, motion.values
    if annotation.kind == "vertices":
        if face is None or lips is None:
            raise ValueError(f"{annotation.type_name}: vertices need a resting face and lips")
        shapes = values.reshape(len(values), -1, 3) + face
        width = lips.width(shapes)
        return Mouth(lips.gap(shapes), width.mean() - width)
    if not has_arkit_mouth(annotation):
        return Mouth(opening_of(annotation, values))
    opening = lip_opening(motion)
    columns = [column_of(annotation, name) for name in LIP_CHANNELS]
    if None in columns:
        return Mouth(opening)
    _, _, pucker, funnel, roll, lower = (values[:, column] for column in columns)
    return Mouth(opening, pucker + funnel, roll - lower - opening)
