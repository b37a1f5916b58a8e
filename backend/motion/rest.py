"""The face at rest, measured where nobody speaks, and how much of it stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import columns_of, smoothstep

_EDGE = 0.12
"""Seconds at both ends of a pause in which the mouth still closes, or opens already."""
_LEAST = 0.25
"""Seconds of silence from which a resting face can be told."""
_CLOSING = 0.18
_OPENING = 0.14
_LEAD = 0.08
"""Seconds by which lips move before they sound."""


def remove_rest(motion: FaceMotion, pauses: np.ndarray, share: float, rest: np.ndarray | None = None) -> FaceMotion:
    """Take a share of the face measured in silence away from every frame, so that rest becomes the neutral face.

    Args:
        motion: the network's.
        pauses: (k, 2), seconds, stretches without speech.
        share: 0 to 1.
        rest: (channels,): what neutral is, the template of heads that have one; zero without.
    """
    if share == 0:
        return motion
    measured = measure_rest(motion, pauses)
    if measured is None:
        note = "The resting face was not changed: the sound has no silence in which it could be measured."
        return replace(motion, notes=(*motion.notes, note))
    surplus = measured if rest is None else measured - rest
    return replace(motion, values=motion.values - np.float32(share) * surplus.astype(np.float32))


def measure_rest(motion: FaceMotion, pauses: np.ndarray) -> np.ndarray | None:
    """(channels,): median over the silent frames; None when there is too little silence."""
    quiet = quiet_frames(len(motion.values), motion.fps, pauses)
    if quiet.sum() < _LEAST * motion.fps:
        return None
    median: np.ndarray = np.median(motion.values[quiet], axis=0)
    return median


def quiet_frames(frames: int, fps: float, pauses: np.ndarray) -> np.ndarray:
    """bool (frames,): within pauses, away from where the mouth still closes or opens already."""
    times = np.arange(frames) / fps
    quiet = np.zeros(frames, bool)
    for start, end in pauses:
        # Before the first sound and after the last there is nothing to come from or to go to.
        first = start if start <= 0 else start + _EDGE
        last = end if end >= times[-1] else end - _EDGE
        quiet[slice(*np.searchsorted(times, (first, np.nextafter(last, np.inf))))] = True
    return quiet


def gate_silence(motion: FaceMotion, pauses: np.ndarray, share: float, rest: np.ndarray | None = None) -> FaceMotion:
    """Bring the mouth to rest while nobody speaks; it closes after the last sound and opens before the next.

    Blendshapes of jaw and lips go to 0; vertices and parameters as a whole to `rest`.

    Args:
        motion: what to calm.
        pauses: (k, 2), seconds.
        share: 0 changes nothing, 1 is full rest.
        rest: (channels,): the template of heads that have one.
    """
    if share == 0 or not len(pauses):
        return motion
    away = (1 - np.float32(share) * _silence(len(motion.values), motion.fps, pauses))[:, None]
    values = motion.values.copy()
    if motion.annotation.kind == "blendshapes":
        columns = columns_of(motion.annotation.names, "jaw", "lips")
        values[:, columns] *= away
    else:
        neutral = np.float32(0) if rest is None else rest
        values = neutral + (values - neutral) * away
    return replace(motion, values=values)


def _silence(frames: int, fps: float, pauses: np.ndarray) -> np.ndarray:
    """(frames,), float32: 0 while somebody speaks, 1 within a pause."""
    times = np.arange(frames) / fps
    last = times[-1]
    silence = np.zeros(frames)
    for start, end in pauses:
        # Before the first sound and after the last there is nothing to come from or to go to.
        inside = slice(*np.searchsorted(times, (start, np.nextafter(end, np.inf))))
        closed = 1.0 if start <= 0 else smoothstep((times[inside] - start) / _CLOSING)
        opened = 1.0 if end >= last else smoothstep((end - _LEAD - times[inside]) / _OPENING)
        silence[inside] = np.minimum(closed, opened)
    return silence.astype(np.float32)
