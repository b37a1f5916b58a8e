"""Movement of the head with the voice."""

from __future__ import annotations

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import add_to_channels, smoothstep
from backend.motion.direction import HeadMotion
from backend.motion.phrasing import (
    accents,
    at_times,
    bumps,
    noise,
    phrase_ends,
    phrase_starts,
    relative_pitch,
    smooth_track,
    speech_activity,
)
from backend.prosody import Prosody

_LAYER = 2
_DEGREE = np.pi / 180
_DRIFT = {"headPitch": 0.9, "headYaw": 1.6, "headRoll": 0.9}
"""Degrees, standard deviation while speaking; a listener's head moves a third of it."""
_DRIFT_BAND = (0.08, 0.5)
_IDLE = 0.35
_POSTURE = {"headPitch": 1.0, "headYaw": 2.4, "headRoll": 1.3}
"""Degrees, standard deviation of the posture that each phrase begins with."""
_POSTURE_TURN = 0.8
_PITCH_LIFT = 0.25
"""Degrees that the head rises per semitone of the voice."""
_PITCH_SMOOTHING = 0.25
_MOST_SEMITONES = 6.0
_NOD = 2.6
_NOD_RISE = 0.2
_NOD_FALL = 0.4
_FINAL_NOD = 2.2
_NODDED = 0.6
"""Share of the stressed syllables on which the head nods."""
_BROWS = {"browInnerUp": 0.4, "browOuterUpLeft": 0.32, "browOuterUpRight": 0.32}
_BROW_RISE = 0.16
_BROW_FALL = 0.38


def add_head_motion(motion: FaceMotion, voice: Prosody, head: HeadMotion) -> FaceMotion:
    """Turn, nod and tilt the head (channels ``headPitch``, ``headYaw``, ``headRoll`` in radians), lift the brows.

    Everything stays below 5 Hz and within some degrees: drift, a new posture for each phrase, a rise with the voice's
    pitch, nods on stressed syllables and at the ends of phrases.
    """
    if not head.on or head.strength == 0:
        return motion
    rng = np.random.default_rng([_LAYER, head.seed])
    times = np.arange(len(motion.values)) / motion.fps
    activity = _IDLE + (1 - _IDLE) * speech_activity(voice, times)
    additions = {}
    for name, drift in _DRIFT.items():
        posture = _POSTURE[name] * _postures(voice, times, rng)
        additions[name] = posture + drift * activity * noise(times, rng, *_DRIFT_BAND)
    lift = smooth_track(np.clip(relative_pitch(voice), -_MOST_SEMITONES, _MOST_SEMITONES), _PITCH_SMOOTHING)
    additions["headPitch"] += _nods(voice, times, rng) * head.nods - _PITCH_LIFT * at_times(lift, times) * activity
    additions = {name: head.strength * _DEGREE * angle for name, angle in additions.items()}
    for name, height in _BROWS.items():
        additions[name] = min(head.strength * head.brows, 2.0) * height * _brow_lifts(voice, times, head.seed)
    return add_to_channels(motion, additions)


def _postures(voice: Prosody, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(frames,): steps of variance 1 at the beginnings of phrases, walked in most of a second."""
    starts = phrase_starts(voice)
    targets = rng.standard_normal(len(starts) + 1)
    track = targets[np.searchsorted(starts, times)]
    for start, before, after in zip(starts, targets, targets[1:], strict=False):
        turning = slice(*np.searchsorted(times, (start - _POSTURE_TURN / 2, start + _POSTURE_TURN / 2)))
        share = smoothstep((times[turning] - start + _POSTURE_TURN / 2) / _POSTURE_TURN)
        track[turning] = before + (after - before) * share
    return track


def _nods(voice: Prosody, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(frames,), degrees down."""
    peaks, strengths = accents(voice)
    chosen = rng.random(len(peaks)) < _NODDED
    # The head leads the syllable a little.
    stressed = bumps(times, peaks[chosen] - 0.04, _NOD * strengths[chosen], _NOD_RISE, _NOD_FALL)
    ends = phrase_ends(voice)
    final = bumps(times, ends, _FINAL_NOD * (0.6 + 0.4 * rng.random(len(ends))), 0.35, 0.7)
    return np.asarray(stressed + final)


def _brow_lifts(voice: Prosody, times: np.ndarray, seed: int) -> np.ndarray:
    """(frames,), 0 to 1, on the strongest syllables."""
    peaks, strengths = accents(voice)
    rng = np.random.default_rng([_LAYER, seed, 1])
    chosen = rng.random(len(peaks)) < strengths
    return bumps(times, peaks[chosen] - 0.02, 0.5 + 0.5 * strengths[chosen], _BROW_RISE, _BROW_FALL)
