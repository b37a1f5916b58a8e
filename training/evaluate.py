"""How well a model does: against measured motion, against a linear head, and on speech without motion.

Recordings of a split are joined as for training, since that is the length of sound a model is made for; a speaker's
neutral face is subtracted, and nothing else is done to the measured motion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.annotation import FaceMotion
from backend.bundle import Bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions
from backend.model.unitalker import UniTalker
from backend.motion.channels import has_arkit_mouth
from training.baseline import fit_linear_head
from training.channel_metrics import channel_metrics
from training.config import Recipe
from training.datasets.clip import Split
from training.datasets.corpus import Corpus
from training.metrics import Clip, Region, lvd_mm, lve_m2_seqmean, mve_mm, weight_mse_seqmean
from training.motion_measures.folders import animated, find_sounds
from training.motion_measures.measuring import measure
from training.motion_measures.phones import Phone
from training.motion_measures.recording import LIP_CHANNELS, Recording, Voice, hear, mouth_of
from training.results import Row
from training.sequences import Sequence, evaluation_sequences, mouth_channels
from training.store import Store

OWN, PIVOT, LINEAR = "own identity", "pivot", "linear head"

_MOVING = 0.01
"""Standard deviation of a weight from which on a channel counts as moving."""

Predictor = Callable[[Sequence], dict[str, np.ndarray]]


@dataclass(frozen=True)
class _Judged:
    """A sequence with what each system says to it; arrays (T, D), displacement from rest."""

    sequence: Sequence
    voice: Voice
    predictions: dict[str, np.ndarray]


def evaluate_motion(bundle: Bundle, recipe: Recipe, corpus: Corpus, split: Split, floor: Predictor | None) -> list[Row]:
    """Rows for each data set: the model under each speaker's identity and under the pivot, and the floor.

    Args:
        bundle: the model.
        recipe: how recordings are joined and neutral faces found.
        corpus: the data sets.
        split: ``val`` or ``test``.
        floor: what to compare with, see `linear_floor`.
    """
    judged: dict[str, list[_Judged]] = {name: [] for name in corpus.names}
    for sequence in evaluation_sequences(corpus, recipe, split):
        predictions = model_predictions(bundle, sequence)
        if floor is not None:
            predictions |= floor(sequence)
        judged[sequence.data_set].append(_Judged(sequence, hear(sequence.audio), predictions))
    rows = []
    for name, items in judged.items():
        lips = _lips(corpus, name)
        for system in items[0].predictions if items else ():
            numbers = _numbers(items, system, lips, recipe)
            rows.append(Row(f"{name} {split}", corpus.annotation_of(name).type_name, system, numbers))
    return rows


def linear_floor(training: Store, validation: Store, model: UniTalker) -> Predictor:
    """A linear head per annotation type on the features of a frozen encoder.

    Args:
        training: stored features of the training sequences.
        validation: decides on the penalty.
        model: with the encoder that made them.
    """
    heads = {
        head: fit_linear_head(training, validation, head) for head in dict.fromkeys(e.head for e in training.entries)
    }

    def predict(sequence: Sequence) -> dict[str, np.ndarray]:
        features = _encode(model, sequence)[0].cpu().numpy()
        return {LINEAR: heads[sequence.annotation.type_name].predict(features, len(sequence.target))}

    return predict


def evaluate_speech(bundle: Bundle, folder: Path, phones: dict[str, list[Phone]]) -> list[Row]:
    """The row of the default head for sounds without motion: the measures that need no motion to compare with.

    Args:
        bundle: the model; its default head must have the weights that open a mouth.
        folder: with sounds, at any depth.
        phones: by file name without ending.

    Raises:
        UniTalkerError: no sounds, or the head has other channels.
    """
    head = bundle.manifest.spec.head(bundle.manifest.default_head)
    if not has_arkit_mouth(head.annotation):
        raise UniTalkerError("evaluation.channels", f"{head.annotation.type_name} has no jawOpen and mouthClose.")
    takes = list(animated(TorchEngine(bundle), find_sounds(folder), phones, AnimateOptions()))
    numbers = {"files": float(len(takes)), "files with phones": float(sum(bool(take.voice.phones) for take in takes))}
    readings = measure([take.recording for take in takes])
    numbers |= {name: reading.value for name, reading in readings.items()}
    return [Row(folder.name, head.annotation.type_name, bundle.manifest.default_identity, numbers)]


@torch.inference_mode()
def _encode(model: UniTalker, sequence: Sequence) -> Tensor:
    device = next(model.parameters()).device
    return model.encode(torch.from_numpy(sequence.audio)[None].to(device), frame_count=len(sequence.target))


@torch.inference_mode()
def model_predictions(bundle: Bundle, sequence: Sequence) -> dict[str, np.ndarray]:
    model, spec = bundle.model, bundle.manifest.spec
    features = _encode(model, sequence)
    # People of data sets that were held out have no row.
    rows = {OWN: spec.identities.index(sequence.identity)} if sequence.identity in spec.identities else {}
    if spec.has_pivot:
        rows[PIVOT] = len(spec.identities) - 1
    return {
        system: model.decode(
            features, len(sequence.target), torch.tensor([row], device=features.device), sequence.annotation.type_name
        )
        .values[0]
        .cpu()
        .numpy()
        for system, row in rows.items()
    }


def _numbers(items: list[_Judged], system: str, lips: Region | None, recipe: Recipe) -> dict[str, float]:
    clips = [Clip(item.predictions[system], item.sequence.target) for item in items]
    annotation = items[0].sequence.annotation
    if annotation.kind != "blendshapes":
        return _vertex_numbers(clips, lips)
    numbers = _channel_numbers(clips, annotation.names, annotation.fps, mouth_channels(annotation, recipe.loss))
    if has_arkit_mouth(annotation):
        numbers |= _measured(items, system)
    return numbers


def _measured(items: list[_Judged], system: str) -> dict[str, float]:
    """What can be said without the measured motion."""
    recordings = []
    for item in items:
        annotation = item.sequence.annotation
        motion = FaceMotion(item.predictions[system].astype(np.float32), annotation.fps, annotation)
        recordings.append(Recording(item.sequence.name, mouth_of(motion), annotation.fps, item.voice))
    return {name: reading.value for name, reading in measure(recordings).items()}


def _channel_numbers(clips: list[Clip], names: tuple[str, ...], fps: float, mouth: np.ndarray) -> dict[str, float]:
    deviation = np.concatenate([clip.truth for clip in clips]).std(0)
    moving = mouth & (deviation > _MOVING)
    correlation = {measure.name: measure.pearson_r for measure in channel_metrics(clips, names, fps)}
    strongest = [names[channel] for channel in np.argsort(-deviation * mouth)[: len(LIP_CHANNELS)]]
    shown = LIP_CHANNELS if set(LIP_CHANNELS) <= set(names) else strongest
    return {
        **{f"r {name}": correlation[name] for name in shown},
        # A channel that the prediction holds still has no correlation, and follows the truth not at all.
        "mouth r": _mean(np.nan_to_num([correlation[names[channel]] for channel in np.flatnonzero(moving)])),
        "mse (weight²)": weight_mse_seqmean(clips).value,
    }


def _vertex_numbers(clips: list[Clip], lips: Region | None) -> dict[str, float]:
    meshes = [replace(clip, prediction=_as_vertices(clip.prediction), truth=_as_vertices(clip.truth)) for clip in clips]
    numbers = {"MVE (mm)": mve_mm(meshes).value}
    if lips is not None:
        numbers = {"LVE (m²)": lve_m2_seqmean(meshes, lips).value, "LVD (mm)": lvd_mm(meshes, lips).value, **numbers}
    return numbers


def _as_vertices(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1, 3)


def _lips(corpus: Corpus, name: str) -> Region | None:
    """Lip vertices from ``lip_idx.npy`` of the data set, or of another with the same annotation."""
    annotation = corpus.annotation_of(name)
    same = [other for other in corpus.names if corpus.annotation_of(other) == annotation]
    for other in [name, *same]:
        path = corpus.folder_of(other) / "lip_idx.npy"
        if path.is_file():
            return Region("lips", np.load(path, allow_pickle=False).reshape(-1))
    return None


def _mean(values: Iterable[float]) -> float:
    """Of the defined values; NaN without any."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
