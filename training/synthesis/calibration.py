"""Does an engine say *when* correctly? Sibilants tell: s, z and ʃ are the only sounds with energy above 4 kHz."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backend.audio import SAMPLE_RATE
from training.synthesis.phones import SILENCE, articulations
from training.synthesis.timeline import Utterance

SIBILANTS = frozenset("szʃʒɕʑʂʐ")

_HOP, _WINDOW = 80, 320
_LOWEST_HERTZ = 4000
_LARGEST_OFFSET = 0.15


def label_offset(utterances: Iterable[Utterance]) -> float:
    """How late the phone labels are against the sound, in seconds (negative: early), to 5 ms.

    The lag is found at which "a sibilant is labelled" correlates best with the level above 4 kHz. Other noisy sounds
    and silence are no reference, so frames whose label is a voiced non-sibilant or a sibilant count only.

    Raises:
        ValueError: no utterance contains a sibilant.
    """
    hop = _HOP / SAMPLE_RATE
    lags = np.arange(-round(_LARGEST_OFFSET / hop), round(_LARGEST_OFFSET / hop) + 1)
    levels, labels, counted = [], [], []
    for utterance in utterances:
        level = _level_above(utterance.samples)
        label, valid = _sibilant_labels(utterance, len(level))
        margin = np.zeros(len(lags))
        levels.append(np.concatenate([level, margin]))
        labels.append(np.concatenate([label, margin]))
        counted.append(np.concatenate([valid, margin]))
    if not labels or not np.concatenate(labels).any():
        raise ValueError("the utterances contain no sibilant")
    level, label, weight = map(np.concatenate, (levels, labels, counted))
    scores = [_correlation(np.roll(level, lag), label, weight) for lag in lags]
    return float(lags[int(np.argmax(scores))] * hop)


def _level_above(samples: np.ndarray) -> np.ndarray:
    """dB above 4 kHz in 20 ms windows every 5 ms, limited to 30 dB under the loudest."""
    padded = np.pad(samples.astype(np.float64), _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)) ** 2
    high = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE) > _LOWEST_HERTZ
    decibels = 10 * np.log10(spectrum[:, high].sum(1) + 1e-12)
    level: np.ndarray = np.maximum(decibels - decibels.max(), -30.0) + 30.0
    return level


def _sibilant_labels(utterance: Utterance, steps: int) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(steps) * _HOP / SAMPLE_RATE
    label, counted = np.zeros(steps), np.zeros(steps)
    for phone in utterance.phones:
        inside = (times >= phone.start) & (times < phone.end)
        sibilant = phone.symbol in SIBILANTS
        label[inside] = sibilant
        counted[inside] = sibilant or (phone.symbol != SILENCE and articulations(phone.symbol)[0].voiced)
    return label, counted


def _correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float:
    total = weight.sum()
    a = a - (a * weight).sum() / total
    b = b - (b * weight).sum() / total
    return float((weight * a * b).sum() / np.sqrt((weight * a * a).sum() * (weight * b * b).sum() + 1e-12))
