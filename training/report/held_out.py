"""What a model says to held-out recordings: errors by channel or vertex, and the passages to be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from backend.annotation import Annotation
from backend.bundle import Bundle
from training.channel_metrics import ChannelMeasure, channel_metrics
from training.config import Recipe
from training.datasets.clip import Split
from training.datasets.corpus import Corpus
from training.evaluate import OWN, PIVOT, model_predictions
from training.metrics import Clip
from training.sequences import Sequence, evaluation_sequences, mouth_channels

PASSAGE_SECONDS = 6.0
"""Recordings are compared in pieces of this length; longer curves show nothing on a page."""


@dataclass(frozen=True)
class Passage:
    """A piece of a recording, measured and predicted under the speaker's own identity, or the pivot.

    Attributes:
        recording: data set and clips.
        start: seconds from its beginning.
        error: by which passages are ranked: root mean square over frames of the mouth's
            mean squared error, or of the mean distance in mm.
        fps: frames per second.
        truth: (T, D), displacement from rest.
        prediction: the same.
    """

    recording: str
    start: float
    error: float
    fps: float
    truth: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True)
class HeadFindings:
    """One annotation type.

    Attributes:
        annotation: what its channels are.
        seconds: of held-out motion.
        channels: correlation and error by channel; empty for vertices.
        deviation: (D,), how much each channel moves in the measured motion; empty for vertices.
        vertex_error: (V,) mean distance in mm; ``None`` for all but vertices.
        hardest: the passage with the largest error.
        median: one with an error in the middle.
    """

    annotation: Annotation
    seconds: float
    channels: tuple[ChannelMeasure, ...]
    deviation: np.ndarray
    vertex_error: np.ndarray | None
    hardest: Passage
    median: Passage


@dataclass(frozen=True)
class _Place:
    """Where a passage is found again."""

    sequence: int
    frame: int
    error: float


@dataclass
class _Gathered:
    """What is kept of the recordings of a head; of dense meshes only sums, which do not grow with the recordings."""

    annotation: Annotation
    places: list[_Place] = field(default_factory=list)
    frames: int = 0
    clips: list[Clip] = field(default_factory=list)
    distances: np.ndarray | None = None

    def add(self, number: int, sequence: Sequence, prediction: np.ndarray, mouth: np.ndarray) -> None:
        errors = _frame_errors(prediction, sequence.target, self.annotation, mouth)
        size = _passage_frames(self.annotation)
        for start in range(0, max(len(errors) - size // 2, 1), size):
            part = errors[start : start + size]
            self.places.append(_Place(number, start, float(np.sqrt(np.mean(part**2)))))
        self.frames += len(errors)
        if self.annotation.kind != "vertices":
            self.clips.append(Clip(prediction, sequence.target))
            return
        total = _distances_mm(prediction, sequence.target).sum(0, dtype=np.float64)
        self.distances = total if self.distances is None else self.distances + total

    def findings(self, passages: dict[_Place, Passage]) -> HeadFindings:
        annotation = self.annotation
        channels: list[ChannelMeasure] = []
        deviation = np.zeros(0)
        if self.clips:
            channels = channel_metrics(self.clips, annotation.channel_names, annotation.fps)
            deviation = np.concatenate([clip.truth for clip in self.clips]).std(0)
        return HeadFindings(
            annotation=annotation,
            seconds=self.frames / annotation.fps,
            channels=tuple(channels),
            deviation=deviation,
            vertex_error=None if self.distances is None else self.distances / self.frames,
            hardest=passages[self.hardest],
            median=passages[self.median],
        )

    @property
    def hardest(self) -> _Place:
        return max(self.places, key=lambda place: place.error)

    @property
    def median(self) -> _Place:
        return sorted(self.places, key=lambda place: place.error)[len(self.places) // 2]


def held_out_findings(
    bundle: Bundle, recipe: Recipe, corpus: Corpus, split: Split, progress: Callable[[int, str], None]
) -> dict[str, HeadFindings]:
    """By annotation type; types without recordings in the split are left out.

    Args:
        bundle: the model.
        recipe: how recordings are joined, and which channels are the mouth's.
        corpus: the data sets.
        split: ``val`` or ``test``.
        progress: told how many recordings are done, and the name of the last.
    """
    gathered: dict[str, _Gathered] = {}
    for number, sequence in enumerate(evaluation_sequences(corpus, recipe, split)):
        annotation = sequence.annotation
        mouth = mouth_channels(annotation, recipe.loss)
        own = gathered.setdefault(annotation.type_name, _Gathered(annotation))
        own.add(number, sequence, _predicted(bundle, sequence), mouth)
        progress(number + 1, sequence.name)
    wanted = {place for own in gathered.values() for place in (own.hardest, own.median)}
    passages = dict(_passages(bundle, evaluation_sequences(corpus, recipe, split), wanted))
    return {name: own.findings(passages) for name, own in gathered.items()}


def _passages(bundle: Bundle, sequences: Iterable[Sequence], wanted: set[_Place]) -> Iterator[tuple[_Place, Passage]]:
    """The passages at the wanted places, predicted once more: keeping all of them would not fit into memory."""
    for number, sequence in enumerate(sequences):
        places = [place for place in wanted if place.sequence == number]
        if not places:
            continue
        prediction = _predicted(bundle, sequence)
        for place in places:
            part = slice(place.frame, place.frame + _passage_frames(sequence.annotation))
            fps = sequence.annotation.fps
            yield (
                place,
                Passage(sequence.name, place.frame / fps, place.error, fps, sequence.target[part], prediction[part]),
            )


def _predicted(bundle: Bundle, sequence: Sequence) -> np.ndarray:
    """(T, D) under the speaker's own identity; under the pivot if the model does not know who speaks."""
    predictions = model_predictions(bundle, sequence)
    return predictions[OWN] if OWN in predictions else predictions[PIVOT]


def _passage_frames(annotation: Annotation) -> int:
    return round(PASSAGE_SECONDS * annotation.fps)


def _frame_errors(prediction: np.ndarray, truth: np.ndarray, annotation: Annotation, mouth: np.ndarray) -> np.ndarray:
    """(T,), see `Passage.error`."""
    if annotation.kind == "vertices":
        mean: np.ndarray = _distances_mm(prediction, truth).mean(1)
        return mean
    chosen = mouth if mouth.any() else np.ones_like(mouth)
    errors: np.ndarray = np.sqrt(np.square(prediction - truth)[:, chosen].mean(1))
    return errors


def _distances_mm(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(T, V)."""
    distances: np.ndarray = 1000 * np.linalg.norm((prediction - truth).reshape(len(truth), -1, 3), axis=-1)
    return distances
