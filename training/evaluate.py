"""How well a model does: against measured motion, against a linear head, and on speech without motion.

Recordings of a split are joined as for training, since that is the length of sound a model is made for; a speaker's
neutral face is subtracted, and nothing else is done to the measured motion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.bundle import Bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions
from backend.model.unitalker import UniTalker
from backend.motion.channels import has_arkit_mouth
from training.baseline import fit_linear_head
from training.config import Recipe
from training.datasets.clip import Split
from training.datasets.corpus import Corpus
from training.datasets.files import open_array
from training.metrics import Clip, Region
from training.motion_measures.folders import animated, find_sounds
from training.motion_measures.measuring import measure
from training.motion_measures.phones import Phone, phones_in
from training.motion_measures.recording import hear
from training.results import Row
from training.scores import Judged, Scores, mouth_reader, scores_of_mouths, scores_of_vertices, scores_of_weights
from training.sequences import Sequence, evaluation_sequences, mouth_channels
from training.store import Store

OWN, PIVOT, LINEAR, MEASURED = "own identity", "pivot", "linear head", "measured motion"

_REGIONS = (("lips", "lip_idx.npy"), ("upper_face", "upper_face_idx.npy"))

Predictor = Callable[[Sequence], dict[str, np.ndarray]]


def evaluate_motion(
    bundle: Bundle,
    recipe: Recipe,
    corpus: Corpus,
    split: Split,
    floor: Predictor | None,
    per_identity: bool = False,
) -> list[Row]:
    """Rows for each data set: the model under each speaker's identity and the pivot, and what it is compared with.

    Speakers whom the model does not know are evaluated under the pivot alone, in rows of their own. The row of the
    measured motion itself says what the measures without ground truth are to be compared with.

    Args:
        bundle: the model.
        recipe: how recordings are joined and neutral faces found.
        corpus: the data sets.
        split: ``val`` or ``test``.
        floor: what to compare with, see `linear_floor`.
        per_identity: also a row for each speaker, where there are several.
    """
    judged: dict[str, list[Judged]] = {name: [] for name in corpus.names}
    phones = {name: _phones(corpus, name, split) for name in corpus.names}
    for sequence in evaluation_sequences(corpus, recipe, split):
        predictions = model_predictions(bundle, sequence)
        if floor is not None:
            predictions |= floor(sequence)
        voice = hear(sequence.audio, phones_of_parts(sequence, phones[sequence.data_set]))
        judged[sequence.data_set].append(Judged(sequence, voice, predictions))
    rows: list[Row] = []
    for name, items in judged.items():
        if items:
            rows += _rows(f"{name} {split}", items, _Group(corpus, name, items, recipe), per_identity)
    return rows


class _Group:
    """What all recordings of a data set have in common."""

    def __init__(self, corpus: Corpus, name: str, items: list[Judged], recipe: Recipe) -> None:
        self.annotation = corpus.annotation_of(name)
        self._lips, self._upper_face = (_region(corpus, name, *file) for file in _REGIONS)
        self._mouth = mouth_channels(self.annotation, recipe.loss)
        self._read = mouth_reader(items, corpus.templates(name), self._lips)

    def scores(self, items: list[Judged], system: str) -> Scores:
        """Of what a system says to some of the recordings."""
        values = [item.predictions[system] for item in items]
        clips = [Clip(part, item.sequence.target) for part, item in zip(values, items, strict=True)]
        if self.annotation.kind == "vertices":
            against = scores_of_vertices(clips, self._lips, self._upper_face)
        else:
            against = scores_of_weights(clips, self.annotation, self._mouth)
        return against | self._without_truth(items, values)

    def measured(self, items: list[Judged]) -> Scores:
        """Of the measured motion itself."""
        return self._without_truth(items, [item.sequence.target for item in items])

    def _without_truth(self, items: list[Judged], values: list[np.ndarray]) -> Scores:
        return Scores() if self._read is None else scores_of_mouths(items, values, self._read)


def _rows(label: str, items: list[Judged], group: _Group, per_identity: bool) -> Iterator[Row]:
    """Of the speakers that the model knows, of those it does not, and of each."""
    known = [item for item in items if OWN in item.predictions]
    unknown = [item for item in items if OWN not in item.predictions]
    if known:
        yield from _systems(label, known, group)
    if unknown:
        people = ", ".join(dict.fromkeys(item.sequence.identity for item in unknown))
        note = f"The model does not know {people}: evaluated under the pivot alone."
        yield from _systems(f"{label}, unknown speakers" if known else label, unknown, group, note)
    identities = dict.fromkeys(item.sequence.identity for item in items)
    if per_identity and len(identities) > 1:
        for identity in identities:
            own = [item for item in items if item.sequence.identity == identity]
            yield from _systems(f"{label}, {identity}", own, group)


def _systems(label: str, items: list[Judged], group: _Group, note: str = "") -> Iterator[Row]:
    head = group.annotation.type_name
    for system in items[0].predictions:
        found = group.scores(items, system)
        yield Row(label, head, system, found.numbers, found.intervals, found.channels, note)
    measured = group.measured(items)
    if measured.numbers:
        yield Row(label, head, MEASURED, measured.numbers, measured.intervals, note=note)


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
    intervals = {name: (one.low, one.high) for name, one in readings.items() if one.recordings > 1}
    return [Row(folder.name, head.annotation.type_name, bundle.manifest.default_identity, numbers, intervals)]


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


def phones_of_parts(sequence: Sequence, known: Mapping[str, list[Phone]]) -> list[Phone]:
    """Phones of a sequence from those of its clips; none unless they are known of all clips.

    Args:
        sequence: of clips at their own speed.
        known: by clip.
    """
    if any(name not in known for name, _ in sequence.parts):
        return []
    starts = [(name, frame / sequence.annotation.fps) for name, frame in sequence.parts]
    return [Phone(one.start + start, one.end + start, one.label) for name, start in starts for one in known[name]]


def _phones(corpus: Corpus, name: str, split: Split) -> dict[str, list[Phone]]:
    """Phones by clip, from ``phones.json`` and ``*.phone.json`` beside the sounds."""
    found: dict[str, list[Phone]] = {}
    for folder in corpus.sound_folders(name, split):
        found |= phones_in(folder)
    return found


def _region(corpus: Corpus, name: str, label: str, file: str) -> Region | None:
    """Vertices named by a file of the data set, or of another with the same annotation."""
    annotation = corpus.annotation_of(name)
    same = [other for other in corpus.names if corpus.annotation_of(other) == annotation]
    for other in [name, *same]:
        path = corpus.folder_of(other) / file
        if path.is_file():
            return Region(label, np.asarray(open_array(path)).reshape(-1))
    return None
