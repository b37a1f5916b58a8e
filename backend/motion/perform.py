"""A take and a direction to the motion that is written: every stage after the network, in its order."""

from __future__ import annotations

from backend.annotation import FaceMotion
from backend.motion.clip import clip_weights
from backend.motion.direction import Direction
from backend.motion.intensity import scale_intensity
from backend.motion.resample import resample
from backend.motion.smoothing import smooth
from backend.rig.solve import apply_rig
from backend.rig.spec import Rig
from backend.takes import Take


def perform(take: Take, direction: Direction, fps: float | None = None, rig: Rig | None = None) -> FaceMotion:
    """Direct a take. A neutral direction changes nothing but frame rate and range.

    Args:
        take: what the network said.
        direction: what is changed about it.
        fps: frames per second of the result; None for the head's own.
        rig: whose controls the result's channels are; None for the head's channels.

    Returns:
        Motion from the start of the sound on; blendshape weights within 0 to 1.
    """
    motion = scale_intensity(take.raw, direction.intensity, take.rest)
    motion = smooth(motion, direction.smoothing)
    motion = resample(motion, fps or motion.fps)
    motion = clip_weights(motion)
    return motion if rig is None else apply_rig(motion, rig)
