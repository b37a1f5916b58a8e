"""Where nobody speaks, by energy, and what the targets become there."""

from __future__ import annotations

import numpy as np
from scipy import signal

from backend.audio import SAMPLE_RATE
from training.config import Silence

_HOP = 160
_WINDOW = 320
_SPEECH_BAND = (100, 4000)
"""Hz; the rumble of a recording is often louder than its breath."""
_NEAREST_TO_SPEECH = 20.0
"""dB; a clip without any pause has its noise floor within the speech."""
_SHORTEST_SPEECH = 6
"""Windows; a shorter burst amid silence is a click or a breath."""


def quiet_spans(audio: np.ndarray, settings: Silence) -> list[tuple[float, float]]:
    """Stretches without speech.

    Args:
        audio: float32, 16 kHz.
        settings: threshold below the clip's own loudness, and shortest silence inside it.

    Returns:
        (start, end) in seconds; silence at the two ends counts at any length.
    """
    level = speech_level(audio)
    if not len(level):
        return []
    speech, floor = np.percentile(level, (95, 10))
    quiet = level < max(speech - settings.threshold, min(floor + settings.floor_margin, speech - _NEAREST_TO_SPEECH))
    for start, end in stretches(~quiet):
        quiet[start:end] |= end - start < _SHORTEST_SPEECH
    spans = [(start * _HOP, end * _HOP) for start, end in stretches(quiet)]
    shortest, last = settings.minimum * SAMPLE_RATE, len(level) * _HOP
    return [
        (start / SAMPLE_RATE, (end if end < last else len(audio)) / SAMPLE_RATE)
        for start, end in spans
        if end - start >= shortest or start == 0 or end >= last
    ]


def speech_weight(audio: np.ndarray, frames: int, fps: float, settings: Silence) -> np.ndarray:
    """How much of the measured motion stays in each frame: 1 in and around speech, 0 deep in silence.

    Returns:
        float32 (frames,); frame ``i`` is at ``i / fps`` seconds.
    """
    times = np.arange(frames) / fps
    weight = np.ones(frames, np.float32)
    for start, end in quiet_spans(audio, settings):
        since = np.inf if start == 0 else times - start
        until = np.inf if end >= len(audio) / SAMPLE_RATE else end - times
        faded = np.clip(1 - (np.minimum(since, until) - settings.hold) / settings.fade, 0, 1)
        inside = (times >= start) & (until > 0)
        weight[inside] = np.broadcast_to(faded, times.shape)[inside]
    return weight


def quiet_frames(audio: np.ndarray, frames: int, fps: float, settings: Silence) -> np.ndarray:
    """bool (frames,): frames at full rest, which tell what a speaker's neutral face looks like."""
    at_rest: np.ndarray = speech_weight(audio, frames, fps, settings) == 0
    return at_rest


def stretches(flags: np.ndarray) -> np.ndarray:
    """(N, 2): start and end of every stretch of true values."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return np.reshape(changes, (-1, 2))


def speech_level(audio: np.ndarray) -> np.ndarray:
    """dB of 20 ms windows every 10 ms, in the band of speech, of 16 kHz sound."""
    band = signal.butter(2, _SPEECH_BAND, "bandpass", fs=SAMPLE_RATE, output="sos")
    squares = np.concatenate([[0.0], np.cumsum(np.square(signal.sosfilt(band, audio)))])
    starts = np.arange(0, max(len(audio) - _WINDOW + 1, 0), _HOP)
    power = (squares[starts + _WINDOW] - squares[starts]) / _WINDOW
    decibels: np.ndarray = 10 * np.log10(np.maximum(power, 1e-10))
    return decibels
