"""Another vocal tract: the resonances of a voice are moved while its pitch and timing stay."""

from __future__ import annotations

import numpy as np
from scipy import signal

_WINDOW, _HOP = 512, 128
_LIFTER = 30
"""Cepstral coefficients of the envelope: below the pitch period of a high voice, 16 kHz / 30 = 530 Hz."""
_LARGEST_GAIN = np.log(10.0)
_FLOOR = 1e-7


def shift_formants(audio: np.ndarray, factor: float) -> np.ndarray:
    """Moves the formants of a voice; 1.15 is about a woman's vocal tract in place of a man's, 0.87 the reverse.

    The spectral envelope, by cepstral smoothing, is stretched along frequency in each 32 ms frame.

    Args:
        audio: float32 (n,), 16 kHz.
        factor: by which resonances rise.

    Returns:
        float32 (n,), as loud as before.
    """
    if not len(audio) or factor == 1:
        return audio
    padded = np.pad(audio, (0, max(_WINDOW - len(audio), 0)))
    _, _, spectrum = signal.stft(padded, nperseg=_WINDOW, noverlap=_WINDOW - _HOP, boundary="zeros", padded=True)
    envelope = _envelope(np.log(np.abs(spectrum) + _FLOOR))
    bins = np.arange(len(envelope))
    source = np.minimum(bins / factor, bins[-1])
    below = source.astype(int)
    above, share = np.minimum(below + 1, bins[-1]), (source - below)[:, None]
    moved = (1 - share) * envelope[below] + share * envelope[above]
    gain = np.exp(np.clip(moved - envelope, -_LARGEST_GAIN, _LARGEST_GAIN))
    _, result = signal.istft(spectrum * gain, nperseg=_WINDOW, noverlap=_WINDOW - _HOP, boundary=True)
    result = result[: len(audio)]
    loudness = np.sqrt(np.mean(np.square(audio))) / max(np.sqrt(np.mean(np.square(result))), 1e-9)
    shifted: np.ndarray = (result * loudness).astype(np.float32)
    return shifted


def _envelope(log_spectrum: np.ndarray) -> np.ndarray:
    """(bins, frames) smoothed over the bins."""
    cepstrum = np.fft.irfft(log_spectrum, axis=0)
    cepstrum[_LIFTER : len(cepstrum) - _LIFTER + 1] = 0
    smooth: np.ndarray = np.fft.rfft(cepstrum, axis=0).real
    return smooth
