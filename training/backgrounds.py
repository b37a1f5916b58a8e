"""Sounds that are no speech, made from numbers: rooms, weather, machines, music, breath, and the murmur of a crowd.

They serve as noise beside speech (`training.augment`) and as clips in which the mouth rests
(`training.synthesis.not_speech`). Each function gives float64 (n,) at 16 kHz; only the crowd needs voices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import signal

from backend.audio import SAMPLE_RATE

_SEMITONE = 2 ** (1 / 12)
_SCALES = ((0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 2, 4, 5, 7, 9, 11))
_SMALLEST_CROWD, _LARGEST_CROWD = 8, 16


def white(length: int, rng: np.random.Generator) -> np.ndarray:
    """Hiss."""
    return rng.standard_normal(length)


def rumble(length: int, rng: np.random.Generator) -> np.ndarray:
    """Low noise of a street or a fan."""
    return _filtered(rng.standard_normal(length), rng.uniform(200, 1500), "lowpass", 1)


def hum(length: int, rng: np.random.Generator) -> np.ndarray:
    """Mains at 50 or 60 Hz with harmonics, over a little hiss."""
    base = rng.choice([50.0, 60.0])
    times = np.arange(length) / SAMPLE_RATE
    strengths = rng.uniform(0, 1, 12) / np.arange(1, 13) ** 0.7
    tones = [
        strength * np.sin(2 * np.pi * base * k * times + rng.uniform(0, 2 * np.pi))
        for k, strength in enumerate(strengths, 1)
    ]
    sound: np.ndarray = np.sum(tones, axis=0) + 0.05 * rng.standard_normal(length)
    return sound


def wind(length: int, rng: np.random.Generator) -> np.ndarray:
    """Gusts at a microphone: low noise whose strength wanders over a second or so."""
    noise = _filtered(rng.standard_normal(length), rng.uniform(120, 500), "lowpass", 2)
    gusts: np.ndarray = noise * _wander(length, 0.8, rng)
    return gusts


def rain(length: int, rng: np.random.Generator) -> np.ndarray:
    """Drops: many short clicks over hiss."""
    drops = np.zeros(length)
    places = rng.integers(0, length, max(length // 60, 1))
    drops[places] = rng.exponential(1.0, len(places)) * rng.choice([-1, 1], len(places))
    return _filtered(drops, rng.uniform(1500, 5000), "highpass", 1) + 0.1 * rng.standard_normal(length)


def clicks(length: int, rng: np.random.Generator) -> np.ndarray:
    """Typing, steps or clapping: bursts of 5 to 30 ms, 2 to 8 a second, each with its own colour."""
    sound = 0.003 * rng.standard_normal(length)
    for _ in range(max(int(length / SAMPLE_RATE * rng.uniform(2, 8)), 1)):
        burst = rng.standard_normal(round(rng.uniform(0.02, 0.12) * SAMPLE_RATE))
        burst *= np.exp(-np.arange(len(burst)) / (rng.uniform(0.005, 0.03) * SAMPLE_RATE))
        burst = _filtered(burst, rng.uniform(500, 4000), rng.choice(["lowpass", "highpass"]), 1)
        _put(sound, burst * rng.uniform(0.3, 1.0), rng.uniform(0, length / SAMPLE_RATE))
    return sound


def breath(length: int, rng: np.random.Generator) -> np.ndarray:
    """Breathing in and out, 0.3 to 1.2 s each, with pauses, as a microphone near the mouth hears it."""
    sound = 0.01 * rng.standard_normal(length)
    clock = rng.uniform(0, 0.5)
    while clock < length / SAMPLE_RATE:
        seconds = rng.uniform(0.3, 1.2)
        stream = rng.standard_normal(round(seconds * SAMPLE_RATE))
        low = rng.uniform(300, 900)
        stream = _filtered(_filtered(stream, low, "highpass", 1), rng.uniform(2, 5) * low, "lowpass", 1)
        _put(sound, stream * np.sin(np.linspace(0, np.pi, len(stream))) ** rng.uniform(0.7, 2), clock)
        clock += seconds + rng.uniform(0.2, 1.5)
    return sound


def music(length: int, rng: np.random.Generator) -> np.ndarray:
    """A plucked or held melody over chords and, at times, a drum: notes of a scale on a steady beat."""
    sound = np.zeros(length)
    scale, tonic, beat = _SCALES[rng.integers(len(_SCALES))], rng.uniform(90, 220), rng.uniform(0.2, 0.5)
    held, drums = rng.random() < 0.5, rng.random() < 0.6
    for step in range(int(length / SAMPLE_RATE / beat) + 1):
        degrees = [int(rng.choice(scale)) + 12] if rng.random() < 0.8 else []
        if step % 4 == 0:
            root = int(rng.integers(len(scale)))
            degrees += [scale[(root + 2 * i) % len(scale)] for i in range(3)]
        for degree in degrees:
            _put(sound, _note(tonic * _SEMITONE**degree, beat * (4 if held else 2), held, rng), step * beat)
        if drums and step % 2 == 0:
            hit = rng.standard_normal(SAMPLE_RATE // 8) * np.exp(-np.arange(SAMPLE_RATE // 8) / 300)
            _put(sound, hit * rng.uniform(0.5, 1.5), step * beat)
    return sound + 1e-3 * rng.standard_normal(length)


def crowd(length: int, voices: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The murmur of 8 to 16 people of whom none can be followed.

    Args:
        length: samples.
        voices: recordings of speech, at least one; each is cut anywhere and repeated as needed.
        rng: chooses among them.
    """
    murmur = np.zeros(length)
    for _ in range(rng.integers(_SMALLEST_CROWD, _LARGEST_CROWD + 1)):
        voice = voices[int(rng.integers(len(voices)))].astype(np.float64)
        start = rng.integers(len(voice))
        murmur += np.resize(np.roll(voice, -start), length) / _loudness(voice) * rng.uniform(0.5, 1.0)
    return murmur


BACKGROUNDS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    **{"white": white, "rumble": rumble, "hum": hum, "wind": wind},
    **{"rain": rain, "clicks": clicks, "breath": breath, "music": music},
}
"""By name, those that need nothing but their length."""


def at_level(sound: np.ndarray, decibels: float) -> np.ndarray:
    """The sound at a mean level in dB re full scale."""
    scaled: np.ndarray = sound / _loudness(sound) * 10 ** (decibels / 20)
    return scaled


def _note(hertz: float, seconds: float, held: bool, rng: np.random.Generator) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    partials = np.arange(1, 9)[:, None]
    strengths = 1 / partials ** rng.uniform(0.8, 2)
    tone = (strengths * np.sin(2 * np.pi * hertz * partials * times)).sum(0)
    envelope = np.sin(np.linspace(0, np.pi, len(times))) if held else np.exp(-times * rng.uniform(3, 8))
    note: np.ndarray = tone * envelope * np.minimum(times / 0.005, 1) * rng.uniform(0.4, 1)
    return note


def _wander(length: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Positive strength that changes over about so many seconds."""
    points = rng.uniform(-1.5, 1.5, int(length / SAMPLE_RATE / seconds) + 3)
    return np.exp(np.interp(np.arange(length) / SAMPLE_RATE / seconds, np.arange(len(points)), points))


def _put(sound: np.ndarray, piece: np.ndarray, seconds: float) -> None:
    start = round(seconds * SAMPLE_RATE)
    room = max(len(sound) - start, 0)
    sound[start : start + len(piece)] += piece[:room]


def _filtered(sound: np.ndarray, hertz: float, kind: str, order: int) -> np.ndarray:
    sections = signal.butter(order, min(hertz, 0.45 * SAMPLE_RATE), kind, fs=SAMPLE_RATE, output="sos")
    result: np.ndarray = signal.sosfilt(sections, sound)
    return result


def _loudness(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))) + 1e-9)
