"""What a recording goes through so that the model does not learn one voice, one room and one microphone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from scipy import signal

from backend.audio import SAMPLE_RATE
from training.backgrounds import BACKGROUNDS, crowd
from training.config import Augmentation, Range
from training.formants import shift_formants
from training.transmission import compress, telephone

_DECAY = np.log(1000.0)


def change_speed(audio: np.ndarray, motion: np.ndarray, factor: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Plays sound and motion `factor` times as fast; the voice's pitch goes with it.

    Args:
        audio: float32, 16 kHz.
        motion: (T, D).
        factor: above 1 is faster.
        fps: of the motion, before and after.

    Returns:
        Sound and float32 motion; frame ``i`` is what was at ``i * factor`` before.
    """
    faster = soxr.resample(audio, SAMPLE_RATE * factor, SAMPLE_RATE).astype(np.float32)
    frames = min(int(len(motion) / factor), round(len(faster) / SAMPLE_RATE * fps))
    positions = np.minimum(np.arange(frames) * factor, len(motion) - 1)
    before = positions.astype(int)
    after = np.minimum(before + 1, len(motion) - 1)
    share = (positions - before)[:, None]
    warped = (1 - share) * motion[before] + share * motion[after]
    return faster[: round(frames / fps * SAMPLE_RATE)], warped.astype(np.float32)


def colour(audio: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Vocal tract, room, microphone, noise, telephone or codec, and level; the length stays.

    Args:
        audio: float32, 16 kHz, within -1 to 1.
        settings: how often and how strong.
        rng: the source of chance.
    """
    # What is off draws no chance, so that switching it on changes nothing else.
    if settings.formant_probability and rng.random() < settings.formant_probability:
        audio = shift_formants(audio, _draw(settings.formants, rng))
    if rng.random() < settings.reverb_probability:
        audio = _reverberate(audio, _draw(settings.reverb_seconds, rng), rng)
    if rng.random() < settings.tilt_probability:
        audio = _tilt(audio, rng)
    if rng.random() < settings.noise_probability:
        audio = _add_noise(audio, settings.noise, _draw(settings.noise_snr, rng), rng)
    if settings.telephone_probability and rng.random() < settings.telephone_probability:
        audio = telephone(audio, rng)
    elif settings.codec_probability and rng.random() < settings.codec_probability:
        audio = compress(audio, rng)
    loudness = np.sqrt(np.mean(np.square(audio))) + 1e-6
    audio = audio / loudness * _amplitude(_draw(settings.level, rng))
    clipped: np.ndarray = np.clip(audio, -1, 1).astype(np.float32)
    return clipped


def _reverberate(audio: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A direct path and exponentially decaying noise, 60 dB down after `seconds`."""
    length = round(seconds * SAMPLE_RATE)
    tail = rng.standard_normal(length) * np.exp(-_DECAY * np.arange(length) / length)
    tail *= rng.uniform(0.1, 0.6) / np.linalg.norm(tail)
    tail[0] = 1
    wet: np.ndarray = signal.fftconvolve(audio, tail)[: len(audio)]
    return wet


def _tilt(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A first-order low-pass, high-pass or pre-emphasis."""
    kind = rng.integers(3)
    if kind == 0:
        return _first_order(audio, rng.uniform(1500, 6000), "lowpass")
    if kind == 1:
        return _first_order(audio, rng.uniform(80, 600), "highpass")
    brighter: np.ndarray = audio + rng.uniform(0.3, 2) * np.diff(audio, prepend=audio[:1])
    return brighter


def _add_noise(audio: np.ndarray, kinds: Sequence[str], snr: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of one of the kinds, `snr` dB below the mean level of the sound."""
    kind = kinds[int(rng.integers(len(kinds)))]
    noise = crowd(len(audio), [audio[::-1]], rng) if kind == "crowd" else BACKGROUNDS[kind](len(audio), rng)
    noise *= np.sqrt(np.mean(np.square(audio)) / max(np.mean(np.square(noise)), 1e-12)) * _amplitude(-snr)
    noisy: np.ndarray = audio + noise
    return noisy


def _first_order(audio: np.ndarray, frequency: float, kind: str) -> np.ndarray:
    sections = signal.butter(1, frequency, kind, fs=SAMPLE_RATE, output="sos")
    filtered: np.ndarray = signal.sosfilt(sections, audio)
    return filtered


def _amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _draw(bounds: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(*bounds))
