"""Long takes to clips that are trained on whole: cut where it is quietest, and where no face was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from backend.audio import SAMPLE_RATE
from training.datasets.clip import LONGEST_CLIP, SHORTEST_CLIP, Clip, samples_in
from training.silence import speech_level, stretches

_SHORTEST_PART = 8.0
"""Seconds; a long take is cut between here and the longest clip, where it is quietest."""
_QUIET = 0.2
"""Seconds over which loudness is looked at, so that the closure of a p is not taken for a pause."""
_HOP = 0.01


def cut(clip: Clip) -> Iterator[Clip]:
    """The clip in parts of at most 20 s, each with as much sound as motion.

    Stretches of NaN frames are left out, and what is shorter than half a second. A clip that needs no cut stays as it
    is; parts are called ``NAME_000``, ``NAME_001`` and so on.
    """
    frames = min(len(clip.motion), round(len(clip.audio) / SAMPLE_RATE * clip.fps))
    seen = np.isfinite(clip.motion[:frames]).all(axis=1)
    if seen.all() and SHORTEST_CLIP * clip.fps <= frames <= LONGEST_CLIP * clip.fps:
        yield clip
        return
    spans = [span for start, end in stretches(seen) for span in _spans(clip, int(start), int(end))]
    spans = [(start, end) for start, end in spans if end - start >= SHORTEST_CLIP * clip.fps]
    for number, (start, end) in enumerate(spans):
        name = clip.name if len(spans) == 1 else f"{clip.name}_{number:03d}"
        yield replace(
            clip,
            name=name,
            audio=clip.audio[samples_in(start / clip.fps) : samples_in(end / clip.fps)],
            motion=clip.motion[start:end],
            head=None if clip.head is None else clip.head[start:end],
        )


def _spans(clip: Clip, start: int, end: int) -> Iterator[tuple[int, int]]:
    longest, shortest = int(LONGEST_CLIP * clip.fps), int(_SHORTEST_PART * clip.fps)
    while end - start > longest:
        # Not so late that a rest too short for a clip is left.
        latest = min(longest, end - start - int(SHORTEST_CLIP * clip.fps))
        middle = _quietest_frame(clip, start + shortest, start + latest)
        yield start, middle
        start = middle
    yield start, end


def _quietest_frame(clip: Clip, earliest: int, latest: int) -> int:
    sound = clip.audio[samples_in(earliest / clip.fps) : samples_in(latest / clip.fps)]
    window = round(_QUIET / _HOP)
    level = np.convolve(speech_level(sound), np.ones(window) / window, mode="valid")
    seconds = (int(np.argmin(level)) + window / 2) * _HOP if len(level) else 0.0
    return earliest + round(seconds * clip.fps)
