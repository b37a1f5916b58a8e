"""How a mouth moves, and that it rests: silence, time, speed, range. Needs the sound, and no phones.

Every function gives the evidence of one recording; see `training.motion_measures.articulation`.
"""

from __future__ import annotations

import numpy as np

from backend.motion.alignment import offset_curve
from backend.motion.quality import FAST, open_in_silence, opening_range, power_of_speed
from backend.motion.rest import quiet_frames
from training.motion_measures.recording import Recording

_SHORTEST = 1.0
"""Seconds from which on speed can be told."""


def opening_in_silence(recording: Recording) -> np.ndarray:
    """(1, 2): summed opening in silent frames, each as a share of the recording's range, and how many these are."""
    shares = open_in_silence(recording.mouth.opening, _quiet(recording))
    return np.array([[shares.sum(), len(shares)]]) if len(shares) else np.zeros((0, 2))


def speed_in_silence_and_speech(recording: Recording) -> np.ndarray:
    """(1, 4): summed squares of the opening's speed in silent frames, how many these are, and both for the others."""
    quiet, opening = _quiet(recording), recording.mouth.opening
    if quiet.all() or not quiet.any():
        return np.zeros((0, 4))
    squares = np.square(np.gradient(opening.astype(np.float64)))
    return np.array([[squares[quiet].sum(), quiet.sum(), squares[~quiet].sum(), (~quiet).sum()]])


def correlation_by_offset(recording: Recording) -> np.ndarray:
    """(1, 102): correlation of opening and loudness at each offset, times seconds; and the seconds."""
    voice, opening = recording.voice, recording.mouth.opening
    curve = offset_curve(opening, recording.fps, voice.loudness, voice.times)
    if curve is None:
        return np.zeros((0, 102))
    seconds = len(opening) / recording.fps
    return np.append(seconds * curve, seconds).reshape(1, -1)


def jerk_and_speed(recording: Recording) -> np.ndarray:
    """(1, 2): summed squares of the opening's third and first derivative by time."""
    opening = recording.mouth.opening.astype(np.float64)
    if len(opening) < _SHORTEST * recording.fps:
        return np.zeros((0, 2))
    speed = np.diff(opening) * recording.fps
    jerk = np.diff(speed, 2) * recording.fps**2
    return np.array([[np.square(jerk).sum(), np.square(speed).sum()]])


def fast_and_all_power(recording: Recording) -> np.ndarray:
    """(1, 2): power of the opening's speed above 10 Hz, and at all frequencies."""
    opening = recording.mouth.opening
    if recording.fps <= 2 * FAST or len(opening) < _SHORTEST * recording.fps:
        return np.zeros((0, 2))
    return np.array([power_of_speed(opening, recording.fps)])


def range_of_opening(recording: Recording) -> np.ndarray:
    """(1, 1): 5 to 95 % range."""
    return np.array([[opening_range(recording.mouth.opening)]])


def _quiet(recording: Recording) -> np.ndarray:
    return quiet_frames(len(recording.mouth.opening), recording.fps, recording.voice.pauses)
