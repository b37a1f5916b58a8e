"""What the network itself says of sounds: their windows go through the engine in batches and are put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.audio import Audio
from backend.engine import memory_watched
from backend.engines.base import Engine, Reading, SpeechWindow
from backend.errors import UniTalkerError
from backend.progress import ProgressCallback
from backend.windows import Window, cross_fade, split_windows

MAX_RESULT_BYTES = 2 << 30

_LIKE_LENGTH = 0.8
"""Share of the longest window of a batch that the shortest has at least: what is missing is padding."""


@dataclass(frozen=True)
class Part:
    """What is wanted of a sound from one head.

    Attributes:
        annotation: of the head.
        identities: rows of the identity table.
        template: float32 ``(channels,)``, added to the output; None for none.
    """

    annotation: Annotation
    identities: tuple[int, ...]
    template: np.ndarray | None


def make_part(
    engine: Engine, head: str | None, identities: Iterable[str | None], rest: np.ndarray | None = None
) -> Part:
    """A part by names, of which None is the model's default.

    Args:
        engine: the model, loaded.
        head: annotation type.
        identities: speaking styles.
        rest: float32 ``(channels,)``, the resting face in place of the head's template.

    Raises:
        UniTalkerError: ``model.unknown_head``, ``model.unknown_identity``.
    """
    manifest = engine.manifest
    head = manifest.head_name(head)
    rows = tuple(manifest.identity_index(name) for name in identities)
    return Part(manifest.spec.head(head).annotation, rows, engine.template(head) if rest is None else rest)


@dataclass(frozen=True)
class SoundTask:
    """A sound, and everything that is wanted of it."""

    audio: Audio
    parts: Sequence[Part]


def predict_sounds(
    engine: Engine, tasks: Sequence[SoundTask], progress: ProgressCallback
) -> list[list[list[FaceMotion]]]:
    """The network's motion, at each head's own rate. Memory holds one batch of windows and the results.

    Args:
        engine: the model, loaded.
        tasks: sounds; windows of about the same length should follow each other.
        progress: asked before every batch; counts the windows of all sounds.

    Returns:
        For each sound, each of its parts and each identity of that, the motion.

    Raises:
        UniTalkerError: ``audio.too_long`` for a result beyond 2 GiB, ``engine.out_of_memory``.
    """
    tracks = [[_Track(task.audio, part, engine.notes) for part in task.parts] for task in tasks]
    places = [(number, place) for number, parts in enumerate(tracks) for place in range(len(parts[0].windows))]
    windows = [tracks[number][0].windows[place] for number, place in places]
    done = 0
    for size in _batch_sizes([window.stop - window.start for window in windows], engine.batch_size):
        progress("infer", done, len(places))
        batch = places[done : done + size]
        spoken = [_speech_window(tasks[number].audio, tracks[number], place) for number, place in batch]
        for (number, place), outputs in zip(batch, _predict(engine, spoken), strict=True):
            for track, output in zip(tracks[number], outputs, strict=True):
                track.add(place, output)
        done += size
    progress("infer", done, len(places))
    return [[track.motions() for track in parts] for parts in tracks]


class _Track:
    """The motion of one part of one sound, as it fills up window by window."""

    def __init__(self, audio: Audio, part: Part, notes: tuple[str, ...]) -> None:
        self.part = part
        self.windows = split_windows(len(audio.samples), part.annotation.fps)
        self._notes = (*audio.notes, *notes)
        frames, dim = self.windows[-1].end_frame, part.annotation.dim
        _check_size(frames * len(part.identities), part.annotation)
        self._values = [np.empty((frames, dim), np.float32) for _ in part.identities]

    def reading(self, place: int) -> Reading:
        part = self.part
        return Reading(part.annotation.type_name, self.windows[place].frames, part.identities, part.template)

    def add(self, place: int, outputs: np.ndarray) -> None:
        """Windows come in their order; ``(identities, frames, channels)``."""
        filled = self.windows[place - 1].end_frame if place else 0
        for values, output in zip(self._values, outputs, strict=True):
            cross_fade(values, output, self.windows[place].first_frame, filled)

    def motions(self) -> list[FaceMotion]:
        annotation = self.part.annotation
        return [FaceMotion(values, annotation.fps, annotation, self._notes) for values in self._values]


def _speech_window(audio: Audio, tracks: Sequence[_Track], place: int) -> SpeechWindow:
    """All heads cut a sound at the same samples, whatever their frame rates."""
    window: Window = tracks[0].windows[place]
    return SpeechWindow(audio.samples[window.start : window.stop], tuple(track.reading(place) for track in tracks))


def _batch_sizes(lengths: Sequence[int], most: int) -> Iterator[int]:
    """How many windows go together, in their order: at most so many, and of about the same length."""
    start = 0
    for end in range(1, len(lengths) + 1):
        following = lengths[start : end + 1]
        if end == len(lengths) or len(following) > most or min(following) < _LIKE_LENGTH * max(following):
            yield end - start
            start = end


def _predict(engine: Engine, windows: Sequence[SpeechWindow]) -> list[list[np.ndarray]]:
    """A batch, or when memory is too small for it, its halves."""
    try:
        with memory_watched():
            return engine.predict_batch(windows)
    except UniTalkerError as error:
        if error.code != "engine.out_of_memory" or len(windows) == 1:
            raise
    half = len(windows) // 2
    return _predict(engine, windows[:half]) + _predict(engine, windows[half:])


def _check_size(frames: int, annotation: Annotation) -> None:
    size = frames * annotation.dim * np.float32().itemsize
    if size > MAX_RESULT_BYTES:
        raise UniTalkerError(
            "audio.too_long",
            f"{frames} frames of {annotation.type_name} would take {size / 2**30:.1f} GiB of memory; "
            f"at most {MAX_RESULT_BYTES >> 30} GiB are used.",
            "Cut the sound into parts, or choose a head with fewer channels.",
        )
