"""Blinks."""

from __future__ import annotations

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import add_to_channels, column_of, smoothstep
from backend.motion.direction import Blinks
from backend.motion.phrasing import phrase_ends
from backend.prosody import Prosody

_LAYER = 1
_CLOSING = 0.09
_SHUT = 0.03
_OPENING = 0.17
"""Seconds; lids close about twice as fast as they open (VanderWerf and others 2003)."""
_SHORTEST_GAP = 0.6
_REGULARITY = 3
"""Order of the gamma distribution of the gaps: 1 is pure chance, more is more even."""
_NEAR_PHRASE_END = 0.75
"""Share of the mean gap within which a blink goes to the end of a phrase."""
_SQUINT = 0.12


def add_blinks(motion: FaceMotion, voice: Prosody, blinks: Blinks) -> FaceMotion:
    """Close both eyes now and then; where the network blinks by itself, the further closed counts."""
    if not blinks.on or blinks.rate == 0 or blinks.strength == 0:
        return motion
    times = np.arange(len(motion.values)) / motion.fps
    peaks, depths = schedule_blinks(voice, blinks)
    # Shut on a frame and not between two, or else lids would never meet at film's rate.
    on_frames = np.round(peaks * motion.fps) / motion.fps
    closed = _lids(times, on_frames, np.maximum(depths, 0)) * blinks.strength
    additions = {f"eyeSquint{side}": _SQUINT * closed for side in ("Left", "Right")}
    for side in ("Left", "Right"):
        lid, wide = column_of(motion.annotation, f"eyeBlink{side}"), column_of(motion.annotation, f"eyeWide{side}")
        own = 0 if lid is None else np.clip(motion.values[:, lid], 0, 1)
        additions[f"eyeBlink{side}"] = np.maximum(closed - own, 0)
        if wide is not None:
            additions[f"eyeWide{side}"] = -motion.values[:, wide] * closed
    return add_to_channels(motion, additions)


def schedule_blinks(voice: Prosody, blinks: Blinks) -> tuple[np.ndarray, np.ndarray]:
    """When (seconds) and how deep (0 to 1); the same for a voice and a seed, whatever the frame rate."""
    rng = np.random.default_rng([_LAYER, blinks.seed])
    gap = 60 / blinks.rate
    count = int(voice.seconds / gap * 2) + 20
    gaps = np.maximum(rng.gamma(_REGULARITY, gap / _REGULARITY, count), _SHORTEST_GAP)
    peaks = rng.random() * gap + np.concatenate([[0.0], np.cumsum(gaps[:-1])])
    to_phrase_end, after, depths = rng.random(count), rng.random(count), 1 - 0.08 * rng.random(count)
    ends = phrase_ends(voice)
    if len(ends):
        nearest = ends[np.abs(ends - peaks[:, None]).argmin(axis=1)]
        moved = (np.abs(nearest - peaks) < _NEAR_PHRASE_END * gap) & (to_phrase_end < blinks.phrase_ends)
        # A little after the last sound, as the eyes follow the thought.
        peaks = np.where(moved, nearest + 0.05 + 0.25 * after, peaks)
    order = np.argsort(peaks)
    peaks, depths = peaks[order], depths[order]
    kept: list[int] = []
    for index, peak in enumerate(peaks):
        if 0 <= peak < voice.seconds and (not kept or peak - peaks[kept[-1]] >= _SHORTEST_GAP):
            kept.append(index)
    return peaks[kept], depths[kept]


def _lids(times: np.ndarray, peaks: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """(frames,): how far closed, 0 to 1."""
    closed = np.zeros(len(times))
    for peak, depth in zip(peaks, depths, strict=True):
        near = slice(*np.searchsorted(times, (peak - _CLOSING - _SHUT, peak + _OPENING + _SHUT)))
        distance = times[near] - peak
        down = smoothstep((distance + _CLOSING + _SHUT / 2) / _CLOSING)
        # Opening starts fast and ends slowly.
        rising = np.clip((distance - _SHUT / 2) / _OPENING, 0, 1)
        closed[near] = np.maximum(closed[near], depth * np.minimum(down, np.square(1 - rising) * (1 + 2 * rising)))
    return closed
