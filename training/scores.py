"""The numbers of one system on one group of recordings: against measured motion, and without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.annotation import Annotation, FaceMotion
from training.channel_metrics import ChannelMeasure, channel_metrics
from training.metrics import (
    Clip,
    Measure,
    Region,
    fdd_abs,
    fdd_signed,
    lvd_mm,
    lve_m2_pooled,
    lve_m2_seqmean,
    mve_mm,
    ufve_mm,
    weight_mae_seqmean,
    weight_mse_seqmean,
)
from training.motion_measures.lips import find_lips
from training.motion_measures.measuring import measure
from training.motion_measures.recording import LIP_CHANNELS, Mouth, Recording, Voice, mouth_of
from training.sequences import Sequence as Spoken

MouthReader = Callable[["Judged", np.ndarray], Mouth]
"""What the lips do in values (T, D) that were said to a recording."""

_MOVING = 0.01
"""Standard deviation of a weight from which on a channel counts as moving."""


@dataclass(frozen=True)
class Judged:
    """A recording with what each system says to it.

    Attributes:
        sequence: sound and measured motion.
        voice: what is known of the sound.
        predictions: (T, D) by system, displacement from rest.
    """

    sequence: Spoken
    voice: Voice
    predictions: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Scores:
    """Numbers by name with their unit; intervals are 95 % bootstrap intervals over recordings."""

    numbers: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    channels: tuple[ChannelMeasure, ...] = ()

    def __or__(self, other: Scores) -> Scores:
        return Scores(self.numbers | other.numbers, self.intervals | other.intervals, self.channels or other.channels)


def scores_of_weights(clips: Sequence[Clip], annotation: Annotation, mouth: np.ndarray) -> Scores:
    """Correlation, errors and lag of named channels, and of parameters without a mesh.

    Args:
        clips: prediction and truth, (T, D).
        annotation: what the channels are.
        mouth: bool (D,), those of the mouth.
    """
    names = annotation.channel_names
    deviation = np.concatenate([clip.truth for clip in clips]).std(0)
    channels = {one.name: one for one in channel_metrics(clips, names, annotation.fps)}
    strongest = [names[channel] for channel in np.argsort(-deviation * mouth)[: len(LIP_CHANNELS)]]
    shown = LIP_CHANNELS if set(LIP_CHANNELS) <= set(names) else strongest
    moving = [names[channel] for channel in np.flatnonzero(mouth & (deviation > _MOVING))]
    numbers = {f"r {name}": channels[name].pearson_r for name in shown}
    # A channel that the prediction holds still has no correlation, and follows the truth not at all.
    numbers["mouth r"] = _mean(np.nan_to_num([channels[name].pearson_r for name in moving]))
    numbers["mouth lag (ms)"] = _mean(channels[name].lag_ms for name in moving)
    unit = annotation.unit
    errors = {f"mse ({unit}²)": weight_mse_seqmean(clips), f"mae ({unit})": weight_mae_seqmean(clips)}
    return Scores(numbers, {}, tuple(channels[name] for name in names)) | _of_measures(errors)


def scores_of_vertices(clips: Sequence[Clip], lips: Region | None, upper_face: Region | None) -> Scores:
    """Vertex errors in the conventions of `training.metrics`, as far as the regions are known.

    Args:
        clips: prediction and truth, (T, 3 V), displacement from rest in metres.
        lips: region of the lip errors.
        upper_face: region of the upper face's errors.
    """
    rest = np.zeros((clips[0].truth.shape[1] // 3, 3))
    meshes = [Clip(_as_vertices(one.prediction), _as_vertices(one.truth), rest) for one in clips]
    errors = {"MVE (mm)": mve_mm(meshes)}
    if lips is not None:
        errors = {
            "LVE (m²)": lve_m2_seqmean(meshes, lips),
            "LVE pooled (m²)": lve_m2_pooled(meshes, lips),
            "LVD (mm)": lvd_mm(meshes, lips),
            **errors,
        }
    if upper_face is not None:
        errors |= {
            "UFVE (mm)": ufve_mm(meshes, upper_face),
            "FDD (m²)": fdd_abs(meshes, upper_face),
            "FDD signed (m²)": fdd_signed(meshes, upper_face),
        }
    return _of_measures(errors)


def scores_of_mouths(items: Sequence[Judged], values: Sequence[np.ndarray], read: MouthReader) -> Scores:
    """The measures that need no measured motion.

    Args:
        items: recordings.
        values: (T, D) of each.
        read: finds the lips.
    """
    recordings = [
        Recording(item.sequence.name, read(item, part), item.sequence.annotation.fps, item.voice)
        for item, part in zip(items, values, strict=True)
    ]
    readings = measure(recordings)
    return Scores(
        {name: reading.value for name, reading in readings.items()},
        {name: (reading.low, reading.high) for name, reading in readings.items() if not np.isnan(reading.low)},
    )


def mouth_reader(
    items: Sequence[Judged], templates: Mapping[str, np.ndarray], lips: Region | None
) -> MouthReader | None:
    """How the lips are found in the motion of a data set; ``None`` for vertices of which nobody says what is lips.

    Args:
        items: its recordings, at least one.
        templates: (D,) by identity.
        lips: of vertices.
    """
    sequence = items[0].sequence
    if sequence.annotation.kind != "vertices":
        return lambda item, values: mouth_of(_motion(item, values))
    if lips is None:
        return None
    faces = {identity: template.reshape(-1, 3) for identity, template in templates.items()}
    moved = np.concatenate([_as_vertices(i.sequence.target) for i in items if i.sequence.identity == sequence.identity])
    found = find_lips(moved, faces[sequence.identity], lips.vertices)
    return lambda item, values: mouth_of(_motion(item, values), faces[item.sequence.identity], found)


def _motion(item: Judged, values: np.ndarray) -> FaceMotion:
    annotation = item.sequence.annotation
    return FaceMotion(values.astype(np.float32), annotation.fps, annotation)


def _of_measures(errors: Mapping[str, Measure]) -> Scores:
    return Scores(
        {name: error.value for name, error in errors.items()},
        {name: (error.low, error.high) for name, error in errors.items() if not np.isnan(error.low)},
    )


def _as_vertices(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1, 3)


def _mean(values: Iterable[float]) -> float:
    """Of the defined values; NaN without any."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
