"""What a voice loses on its way: the band and codec of a telephone, or a music codec at a low bit rate."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import soxr
from scipy import signal

from backend.audio import SAMPLE_RATE

_TELEPHONE_RATE = 8000
_TELEPHONE_BAND = (300, 3400)
_TELEPHONE_CODECS = ("ULAW", "ALAW", "GSM610")
_LEAST_COMPRESSION, _MOST_COMPRESSION = 0.6, 0.99
"""As libsndfile counts it: 0.6 is 34 kbit/s of MP3 for speech at 16 kHz, 0.99 the lowest rate there is."""


def telephone(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The voice at the other end of a telephone: 300 to 3400 Hz at 8 kHz, coded as µ-law, A-law or GSM.

    Args:
        audio: float32 (n,), 16 kHz.
        rng: draws the codec.

    Returns:
        float32 (n,), in time with the original.
    """
    narrow = soxr.resample(audio, SAMPLE_RATE, _TELEPHONE_RATE)
    band = signal.butter(4, _TELEPHONE_BAND, "bandpass", fs=_TELEPHONE_RATE, output="sos")
    # Forwards and backwards, since a filter in one direction alone delays.
    narrow = signal.sosfiltfilt(band, narrow) if len(narrow) > _TELEPHONE_RATE // 10 else narrow
    codec = _TELEPHONE_CODECS[rng.integers(len(_TELEPHONE_CODECS))]
    coded = _through(narrow, _TELEPHONE_RATE, "WAV", codec)
    return _fitted(soxr.resample(coded, _TELEPHONE_RATE, SAMPLE_RATE), len(audio))


def compress(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The voice through MP3 or Ogg Vorbis at a low bit rate.

    Args:
        audio: float32 (n,), 16 kHz.
        rng: draws codec and bit rate.

    Returns:
        float32 (n,), in time with the original.
    """
    level = float(rng.uniform(_LEAST_COMPRESSION, _MOST_COMPRESSION))
    if rng.random() < 0.5:
        return _fitted(_through(audio, SAMPLE_RATE, "MP3", "MPEG_LAYER_III", level), len(audio))
    return _fitted(_through(audio, SAMPLE_RATE, "OGG", "VORBIS", level), len(audio))


def _through(audio: np.ndarray, rate: int, kind: str, codec: str, compression: float | None = None) -> np.ndarray:
    loudest = max(float(np.abs(audio).max(initial=0.0)), 1e-6)
    file = io.BytesIO()
    soundfile.write(file, audio / loudest * 0.9, rate, format=kind, subtype=codec, compression_level=compression)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    result: np.ndarray = decoded * (loudest / 0.9)
    return result


def _fitted(audio: np.ndarray, length: int) -> np.ndarray:
    fitted: np.ndarray = np.pad(audio, (0, max(length - len(audio), 0)))[:length].astype(np.float32)
    return fitted
