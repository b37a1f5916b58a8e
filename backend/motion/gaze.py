"""Where the eyes look."""

from __future__ import annotations

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import add_to_channels, column_of, smoothstep
from backend.motion.direction import Gaze
from backend.motion.phrasing import at_times, smooth_track, speaking_frames
from backend.prosody import Prosody

_LAYER = 3
_DEGREE = np.pi / 180
_FULL = {"In": 0.6, "Out": 0.6, "Up": 0.5, "Down": 0.5}
"""Radians that a look channel stands for at weight 1."""
_SPREAD = (2.2, 1.3)
"""Degrees, standard deviation of yaw and pitch around the target."""
_AVERTED = (7.0, 4.0)
"""Degrees, for looks away from the listener, which thinking speakers take."""
_AVERSION = (0.08, 0.3)
"""Share of looks away while speaking and in pauses."""
_SHORTEST_FIXATION = 0.3
_LONGEST_FIXATION = 3.0
_FIXATION_SPREAD = 0.5
_SACCADE_BASE = 0.021
_SACCADE_PER_DEGREE = 0.0022
"""Seconds that a saccade takes, by its size (Bahill and others 1975)."""


def add_gaze(motion: FaceMotion, voice: Prosody, gaze: Gaze) -> FaceMotion:
    """Look at the target with small saccades around it; the eyes stay on it while the head turns.

    Yaw is positive to the face's own left and pitch positive down, like the head's angles, which `motion` may have.
    """
    if not gaze.on:
        return motion
    times = np.arange(len(motion.values)) / motion.fps
    yaw, pitch = _looks(voice, times, gaze)
    yaw = gaze.yaw + yaw - _turned(motion, "headYaw")
    pitch = gaze.pitch + pitch - _turned(motion, "headPitch")
    additions = {}
    for side, outward in (("Left", yaw), ("Right", -yaw)):
        for way, turn in (("Out", outward), ("In", -outward), ("Down", pitch), ("Up", -pitch)):
            additions[f"eyeLook{way}{side}"] = np.clip(turn / _FULL[way], 0, 1)
    return add_to_channels(motion, additions)


def _turned(motion: FaceMotion, angle: str) -> np.ndarray | float:
    """How far the head has turned; 0 where it does not."""
    column = column_of(motion.annotation, angle)
    return 0.0 if column is None else motion.values[:, column]


def _looks(voice: Prosody, times: np.ndarray, gaze: Gaze) -> tuple[np.ndarray, np.ndarray]:
    """Yaw and pitch around the target, each (frames,), radians."""
    yaw, pitch = np.zeros(len(times)), np.zeros(len(times))
    if gaze.strength == 0 or gaze.rate == 0:
        return yaw, pitch
    starts, places = schedule_saccades(voice, gaze)
    # Saccades are shorter than fixations, so at each time one is under way at most: the last that has begun.
    places = np.concatenate([np.zeros((1, 2)), places])
    steps = np.diff(places, axis=0)
    durations = _SACCADE_BASE + _SACCADE_PER_DEGREE * np.linalg.norm(steps, axis=1) / _DEGREE
    last = np.searchsorted(starts, times, side="right") - 1
    begun = last >= 0
    last = last[begun]
    moved = smoothstep((times[begun] - starts[last]) / durations[last])
    looks = places[last] + steps[last] * moved[:, None]
    yaw[begun], pitch[begun] = looks[:, 0], looks[:, 1]
    return yaw, pitch


def schedule_saccades(voice: Prosody, gaze: Gaze) -> tuple[np.ndarray, np.ndarray]:
    """When (n,), seconds, and where to, (n, 2), radians around the target; whatever the frame rate."""
    rng = np.random.default_rng([_LAYER, gaze.seed])
    count = int(voice.seconds * gaze.rate * 2) + 20
    lengths = np.exp(np.log(1 / gaze.rate) - _FIXATION_SPREAD**2 / 2 + _FIXATION_SPREAD * rng.standard_normal(count))
    starts = np.cumsum(np.clip(lengths, _SHORTEST_FIXATION, _LONGEST_FIXATION))
    offsets, chance = rng.standard_normal((count, 2)), rng.random(count)
    inside = starts < voice.seconds
    starts, offsets, chance = starts[inside], offsets[inside], chance[inside]
    speaking = at_times(smooth_track(speaking_frames(voice).astype(float), 0.1), starts)
    away = chance < np.where(speaking > 0.5, *_AVERSION)
    spread = np.where(away[:, None], _AVERTED, _SPREAD)
    return starts, np.clip(offsets, -2, 2) * spread * _DEGREE * gaze.strength
