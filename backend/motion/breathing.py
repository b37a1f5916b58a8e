"""Breath, and the small drift of a face that lives."""

from __future__ import annotations

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import add_to_channels, smoothstep
from backend.motion.direction import Breathing
from backend.motion.phrasing import bumps, noise, phrase_starts, speech_activity
from backend.prosody import Prosody

_LAYER = 4
_DEGREE = np.pi / 180
_LIFT = 0.5
"""Degrees that the head rises with a breath."""
_SNIFF = 0.06
_GASP = 0.05
_INHALE = 0.35
_EXHALE = 0.6
_SWAY = {"headPitch": 0.25, "headYaw": 0.35, "headRoll": 0.25}
_SWAY_BAND = (0.1, 0.6)
_TWITCH = {"mouthSmile": 0.02, "mouthPress": 0.02, "cheekSquint": 0.015, "eyeSquint": 0.03}
_TWITCH_BAND = (0.15, 0.8)


def add_breathing(motion: FaceMotion, voice: Prosody, breathing: Breathing) -> FaceMotion:
    """Lift the head and widen the nostrils with each breath, in silence by the rate and in speech before each phrase.

    The face drifts by fractions of a degree and hundredths of a weight, so that it is never frozen.
    """
    if not breathing.on or breathing.strength == 0:
        return motion
    rng = np.random.default_rng([_LAYER, breathing.seed])
    times = np.arange(len(motion.values)) / motion.fps
    silent = 1 - speech_activity(voice, times)
    starts = phrase_starts(voice)
    taken = bumps(times, starts - 0.08, np.ones(len(starts)), _INHALE, _EXHALE)
    breath = np.maximum(taken, silent * _cycle(times, breathing.rate, rng))
    additions = {f"noseSneer{side}": _SNIFF * breath for side in ("Left", "Right")}
    additions["jawOpen"] = _GASP * taken * silent
    for name, size in _TWITCH.items():
        twitch = size * np.maximum(noise(times, rng, *_TWITCH_BAND), 0) * silent
        additions |= {f"{name}{side}": twitch for side in ("Left", "Right")}
    for name, size in _SWAY.items():
        additions[name] = size * _DEGREE * noise(times, rng, *_SWAY_BAND)
    additions["headPitch"] = additions["headPitch"] - _LIFT * _DEGREE * breath
    return add_to_channels(motion, {name: breathing.strength * added for name, added in additions.items()})


def _cycle(times: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """(frames,), 0 to 1: two fifths of a breath go in, the rest out, no breath as long as the one before."""
    drift = 0.12 * noise(times, rng, 0.03, 0.1)
    phase = np.mod(times * rate / 60 + drift + rng.random(), 1)
    return np.where(phase < 0.4, smoothstep(phase / 0.4), smoothstep((1 - phase) / 0.6))
