"""Where a voice stresses and where its phrases end: what the layers follow."""

from __future__ import annotations

import numpy as np

from backend.motion.channels import smoothstep
from backend.prosody import FRAMES_PER_SECOND, Prosody

_PHRASE_PAUSE = 0.25
"""Seconds of silence that end a phrase."""
_BETWEEN_ACCENTS = 0.45
_SMOOTHING = 0.12
_SEMITONES = 4.0
_DECIBELS = 6.0
_STRESSED = 0.6
_TURN = 0.25


def phrase_ends(voice: Prosody) -> np.ndarray:
    """(n,), seconds, where a phrase ends."""
    return np.array([start for start, end in voice.pauses if start > 0 and end - start >= _PHRASE_PAUSE])


def phrase_starts(voice: Prosody) -> np.ndarray:
    """(n,), seconds, where a phrase begins after a pause."""
    inside = [end for start, end in voice.pauses if end < voice.seconds and end - start >= _PHRASE_PAUSE]
    return np.array(inside)


def accents(voice: Prosody) -> tuple[np.ndarray, np.ndarray]:
    """Stressed syllables: times in seconds, and strengths from 0 to 1.

    A stress is a peak of loudness and pitch together, each against the speaker's own mean.
    """
    speech = voice.loudness[speaking_frames(voice)]
    if len(speech) < FRAMES_PER_SECOND / 2:
        return np.zeros(0), np.zeros(0)
    loud = (voice.loudness - speech.mean()) / _DECIBELS
    salience = smooth_track(loud + relative_pitch(voice) / _SEMITONES, _SMOOTHING)
    salience[~speaking_frames(voice)] = -np.inf
    reach = round(_BETWEEN_ACCENTS * FRAMES_PER_SECOND)
    padded = np.pad(salience, reach, constant_values=-np.inf)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    peaks = np.flatnonzero((salience == highest) & (salience > _STRESSED))
    return peaks / FRAMES_PER_SECOND, np.clip(salience[peaks] / (3 * _STRESSED), 0, 1)


def speaking_frames(voice: Prosody) -> np.ndarray:
    """bool (n,), at the rate of the prosody: outside the pauses."""
    times = np.arange(len(voice.loudness)) / FRAMES_PER_SECOND
    speaking = np.ones(len(times), bool)
    for start, end in voice.pauses:
        speaking[slice(*np.searchsorted(times, (start, end)))] = False
    return speaking


def relative_pitch(voice: Prosody) -> np.ndarray:
    """(n,), semitones from the speaker's median, at the prosody's rate; interpolated where there is no voice."""
    voiced = np.flatnonzero(voice.pitch > 0)
    if not len(voiced):
        return np.zeros(len(voice.pitch))
    semitones = 12 * np.log2(voice.pitch[voiced] / np.median(voice.pitch[voiced]))
    return np.asarray(np.interp(np.arange(len(voice.pitch)), voiced, semitones))


def speech_activity(voice: Prosody, times: np.ndarray) -> np.ndarray:
    """(frames,): 1 while somebody speaks, 0 in pauses, with soft turns."""
    activity = smooth_track(speaking_frames(voice).astype(float), _TURN)
    return at_times(activity, times)


def at_times(track: np.ndarray, times: np.ndarray) -> np.ndarray:
    """A track of the prosody's rate at other times."""
    return np.asarray(np.interp(times, np.arange(len(track)) / FRAMES_PER_SECOND, track))


def smooth_track(track: np.ndarray, seconds: float) -> np.ndarray:
    """A track of the prosody's rate under a bell of that standard deviation; nothing arrives later."""
    reach = max(1, round(3 * seconds * FRAMES_PER_SECOND))
    bell = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / (seconds * FRAMES_PER_SECOND)))
    smoothed: np.ndarray = np.convolve(np.pad(track, reach, mode="edge"), bell / bell.sum(), mode="valid")
    return smoothed


def noise(times: np.ndarray, rng: np.random.Generator, lowest: float, highest: float) -> np.ndarray:
    """(frames,): a random wandering of variance 1 between two frequencies in Hz, the same at every frame rate."""
    count = 8
    frequencies = lowest * (highest / lowest) ** rng.random(count)
    phases = rng.random(count) * 2 * np.pi
    waves = np.sin(2 * np.pi * frequencies * times[:, None] + phases)
    wandering: np.ndarray = waves.sum(axis=1) * np.sqrt(2 / count)
    return wandering


def bumps(times: np.ndarray, peaks: np.ndarray, heights: np.ndarray, rise: float, fall: float) -> np.ndarray:
    """(frames,): a soft rise to each peak and a soft fall after it, in seconds; where they meet the higher counts."""
    track = np.zeros(len(times))
    for peak, height in zip(peaks, heights, strict=True):
        near = slice(*np.searchsorted(times, (peak - rise, peak + fall)))
        distance = times[near] - peak
        shape = smoothstep(1 - np.abs(distance) / np.where(distance < 0, rise, fall))
        track[near] = np.maximum(track[near], height * shape)
    return track
