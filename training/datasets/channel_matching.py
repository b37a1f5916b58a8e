"""Clips of one annotation type for the head of another: channels by name, and its frame rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.motion.resample import resample
from training.datasets.clip import Clip

SMALLEST_SHARE = 0.5
"""Of a head's channels that data must have, to train it at all."""


def shared_channels(data: Annotation, head: Annotation) -> list[str]:
    """Names of the head's channels that the data have too, in the order of the head."""
    return [name for name in head.names if name in set(data.names)]


def check_match(data: Annotation, head: Annotation, label: str) -> None:
    """Whether data can train a head.

    Args:
        data: what the clips hold.
        head: what they shall train.
        label: of the data, for the message.

    Raises:
        UniTalkerError: ``data.channels``: one of them has no named weights, or too few names are the same.
    """
    if data.kind != "blendshapes" or head.kind != "blendshapes":
        raise UniTalkerError(
            "data.channels",
            f"{label} holds {data.kind} of type {data.type_name}, which cannot train the head {head.type_name} "
            f"({head.kind}): only blendshape weights are matched by name.",
            "Give these data a head of their own: unitalker train transfer.",
        )
    shared = shared_channels(data, head)
    if len(shared) < SMALLEST_SHARE * head.dim:
        missing = [name for name in head.names if name not in shared]
        raise UniTalkerError(
            "data.channels",
            f"{label} has {len(shared)} of the {head.dim} channels of the head {head.type_name}; it lacks "
            f"{', '.join(missing[:3])} and {len(missing) - 3} more.",
            "Give these data a head of their own: unitalker train transfer.",
        )


def match_channels(clip: Clip, head: Annotation) -> Clip:
    """The clip as the head would say it.

    Channels that the head does not have are left out. Those that the data do not have are 0, and since a channel that
    never moves is not trained, the model goes on saying of them what it said before.

    Args:
        clip: whose motion is 0 at rest.
        head: annotation that `check_match` agreed to.
    """
    motion = np.zeros((len(clip.motion), head.dim), np.float32)
    for channel, name in enumerate(head.names):
        if name in clip.annotation.names:
            motion[:, channel] = clip.motion[:, clip.annotation.names.index(name)]
    at_rate = resample(FaceMotion(motion, clip.fps, head), head.fps).values
    return replace(clip, motion=at_rate, annotation=head, head=None)
