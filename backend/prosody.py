"""What a voice does besides its words: loudness, pitch, voicing, pauses. Numpy only, in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.audio import SAMPLE_RATE
from backend.sample_store import Samples

FRAMES_PER_SECOND = 50.0
SILENCE_LEVEL = -100.0
"""dB that stand for digital silence."""

_RATE = SAMPLE_RATE // 2
_HOP = round(_RATE / FRAMES_PER_SECOND)
_WINDOW = 320
_SPECTRUM = 512
_BLOCK_FRAMES = 3000
_SPEECH_BAND = (100.0, 3900.0)
"""Hz; the rumble of a recording is often louder than its breath."""
_PITCH_RANGE = (65.0, 420.0)
_OCTAVE_COST = 0.08
"""Per octave, against the half of the true pitch, which fits a periodic sound as well (Boersma 1993)."""
_VOICED = 0.5
_PITCH_MEDIAN = 5
_BELOW_SPEECH = 30.0
_ABOVE_FLOOR = 8.0
_NEAREST_TO_SPEECH = 15.0
_QUIETEST_SPEECH = -70.0
_SHORTEST_PAUSE = 0.2
_OUTLINE = 256
_SHORTEST_SPEECH = 0.06


@dataclass(frozen=True)
class Prosody:
    """A voice at 50 frames a second; frame ``i`` is at ``i / 50`` seconds.

    Attributes:
        loudness: float32 (n,), dB of full scale in the band of speech.
        pitch: float32 (n,), Hz; 0 where there is none.
        voiced: float32 (n,), 0 to 1: how periodic the sound is.
        pauses: float32 (k, 2), start and end in seconds of stretches without speech, in order.
        seconds: length of the sound.
    """

    loudness: np.ndarray
    pitch: np.ndarray
    voiced: np.ndarray
    pauses: np.ndarray
    seconds: float

    def outline(self) -> list[float]:
        """The loudest moment of each of up to 256 equal parts, as amplitude from 0 to 1 (the loudest of all)."""
        if not len(self.loudness):
            return []
        loudest = [part.max() for part in np.array_split(self.loudness, min(_OUTLINE, len(self.loudness)))]
        amplitude = 10 ** (np.array(loudest) / 20)
        return [round(float(value), 3) for value in amplitude / amplitude.max()]


def analyse(samples: Samples) -> Prosody:
    """Listen to a sound; memory holds one minute of spectra at a time.

    Args:
        samples: float32 (samples,), 16 kHz.
    """
    frames = max(1, round(len(samples) / SAMPLE_RATE * FRAMES_PER_SECOND))
    loudness, pitch, voiced = (np.zeros(frames, np.float32) for _ in range(3))
    for first in range(0, frames, _BLOCK_FRAMES):
        block = slice(first, min(first + _BLOCK_FRAMES, frames))
        loudness[block], pitch[block], voiced[block] = _analyse_block(_windows(samples, block))
    threshold = _speech_threshold(loudness)
    pitch[(voiced < _VOICED) | (loudness < threshold)] = 0
    seconds = len(samples) / SAMPLE_RATE
    return Prosody(loudness, _without_outliers(pitch), voiced, _pauses(loudness < threshold, seconds), seconds)


def _windows(samples: Samples, block: slice) -> np.ndarray:
    """(frames, window) at half the rate, each window centred on its frame's time."""
    hop, half = 2 * _HOP, _WINDOW
    start, stop = block.start * hop - half, (block.stop - 1) * hop + half
    inside = samples[max(start, 0) : max(min(stop, len(samples)), 0)]
    padded = np.zeros(stop - start, np.float32)
    padded[max(-start, 0) : max(-start, 0) + len(inside)] = inside
    # The mean of two neighbours is low-pass enough for pitch and loudness.
    halved = padded.reshape(-1, 2).mean(axis=1)
    return np.lib.stride_tricks.sliding_window_view(halved, _WINDOW)[::_HOP]


def _analyse_block(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loudness, pitch and periodicity of each window."""
    shape = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
    centred = windows - windows.mean(axis=1, keepdims=True)
    power = np.square(np.abs(np.fft.rfft(centred * shape, _SPECTRUM))).astype(np.float32)
    frequencies = np.fft.rfftfreq(_SPECTRUM, 1 / _RATE)
    band = (frequencies >= _SPEECH_BAND[0]) & (frequencies <= _SPEECH_BAND[1])
    # Parseval: the sum over positive frequencies is half of the window's energy.
    mean_square = 2 * power[:, band].sum(axis=1) / (_SPECTRUM * np.square(shape).sum())
    loudness = 10 * np.log10(np.maximum(mean_square, 1e-12))
    pitch, periodicity = _find_pitch(power, shape)
    return np.maximum(loudness, SILENCE_LEVEL).astype(np.float32), pitch, periodicity


def _find_pitch(power: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest peak of the autocorrelation, divided by that of the window (Boersma 1993): Hz, and 0 to 1."""
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(shape, _SPECTRUM))))
    correlation = np.fft.irfft(power)[:, : _SPECTRUM // 2].astype(np.float32)
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    correlation /= (own[: _SPECTRUM // 2] / own[0]).clip(1e-3).astype(np.float32)
    shortest, longest = round(_RATE / _PITCH_RANGE[1]), round(_RATE / _PITCH_RANGE[0])
    lags = np.arange(shortest, longest + 1)
    weighted = correlation[:, lags] - (_OCTAVE_COST * np.log2(lags / shortest)).astype(np.float32)
    best = lags[weighted.argmax(axis=1)]
    rows = np.arange(len(correlation))
    left, top, right = (correlation[rows, best + step] for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * top + right, -1e-6)
    lag = best + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    return (_RATE / lag).astype(np.float32), np.clip(top, 0, 1)


def _speech_threshold(loudness: np.ndarray) -> float:
    """dB below which nobody speaks, from the sound's own loudness."""
    speech, floor = np.percentile(loudness, (95, 10))
    below = max(speech - _BELOW_SPEECH, min(floor + _ABOVE_FLOOR, speech - _NEAREST_TO_SPEECH))
    return float(max(below, _QUIETEST_SPEECH))


def _without_outliers(pitch: np.ndarray) -> np.ndarray:
    """Median over the neighbours: octave jumps of single frames go, and so do voiced stretches of a frame or two."""
    half = _PITCH_MEDIAN // 2
    padded = np.pad(pitch, half)
    medians: np.ndarray = np.median(np.lib.stride_tricks.sliding_window_view(padded, _PITCH_MEDIAN), axis=1)
    return medians.astype(np.float32)


def _pauses(quiet: np.ndarray, seconds: float) -> np.ndarray:
    """(k, 2): long enough, or at the ends of the sound; clicks amid silence do not break it."""
    quiet = quiet.copy()
    for start, end in runs(~quiet):
        quiet[start:end] |= (end - start) / FRAMES_PER_SECOND < _SHORTEST_SPEECH
    spans = runs(quiet) / FRAMES_PER_SECOND
    last = len(quiet) / FRAMES_PER_SECOND
    kept = (spans[:, 1] - spans[:, 0] >= _SHORTEST_PAUSE) | (spans[:, 0] == 0) | (spans[:, 1] >= last)
    spans = spans[kept]
    spans[spans >= last] = seconds
    return np.asarray(spans, np.float32)


def runs(flags: np.ndarray) -> np.ndarray:
    """(n, 2): start and end (one past the last) of every stretch of true values."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return np.reshape(changes, (-1, 2))
