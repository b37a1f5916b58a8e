"""What a recipe would train, from the data as they are and without training: sizes, steps, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from backend.model.encoder import FEATURE_RATE
from backend.model.unitalker import UniTalker
from training.config import Joining, Recipe, Stage
from training.datasets.clip import SPLITS
from training.datasets.corpus import Corpus
from training.head_bases import stored_basis
from training.head_geometry import read_geometries
from training.ingredients import Ingredients, gather
from training.places import Places
from training.sampling import balanced_counts
from training.schedule import ENCODER_PREFIX, is_trained
from training.survey import Progress, SplitSurvey, survey

_HALF, _INT16 = 2, 2
"""Bytes of a stored number and of a stored sample."""


@dataclass(frozen=True)
class HeadPlan:
    """One head.

    Attributes:
        name: annotation type.
        channels: numbers per frame.
        fps: of its motion.
        components: of its PCA; ``None`` without.
        pca: where the PCA comes from: ``fitted``, ``of the data`` or ``of the start model``; empty without.
    """

    name: str
    channels: int
    fps: float
    components: int | None
    pca: str


@dataclass(frozen=True)
class StagePlan:
    """One stage.

    Attributes:
        name: ``decoder warm-up`` or ``joint training``.
        epochs: of it.
        steps: of all epochs.
        batch: sequences per step.
        parameters: that it trains.
    """

    name: str
    epochs: int
    steps: int
    batch: int
    parameters: int


@dataclass(frozen=True)
class Plan:
    """A training that has not begun.

    Attributes:
        recipe: with what its start model decides.
        splits: what there is of each data set.
        heads: in the order of the recipe.
        stages: those with epochs.
        sequences: of an epoch.
        is_exact: whether steps are known; joined sequences are drawn only when they are encoded.
        parameters: of the network.
        encoder_parameters: of its encoder.
        stored: bytes of the stored features, motion and sound.
        problems: what keeps it from being trained.
    """

    recipe: Recipe
    splits: tuple[SplitSurvey, ...]
    heads: tuple[HeadPlan, ...]
    stages: tuple[StagePlan, ...]
    sequences: int
    is_exact: bool
    parameters: int
    encoder_parameters: int
    stored: float
    problems: tuple[UniTalkerError, ...]


def plan(recipe: Recipe, places: Places, progress: Callable[[str], Progress]) -> Plan:
    """Reads encoder, start model and every clip of a recipe.

    Args:
        recipe: what to train.
        places: of data and encoder.
        progress: gives, for the name of a piece of work, what is told about its progress.

    Raises:
        UniTalkerError: something that all of the training depends on is missing or does not fit.
    """
    found = gather(recipe, places)
    recipe, corpus = found.recipe, found.corpus
    read_geometries(recipe, corpus.annotations, places.data_root)
    splits = tuple(
        survey(corpus, name, split, progress(f"check {name} {split}"))
        for name in corpus.names
        for split in SPLITS
        if corpus.has_split(name, split)
    )
    with torch.device("meta"):
        sizes = {name: parameter.numel() for name, parameter in UniTalker(found.spec).named_parameters()}
    sequences = _sequences_by_head(recipe, corpus, splits)
    stages = (("decoder warm-up", recipe.warm_up), ("joint training", recipe.joint))
    return Plan(
        recipe=recipe,
        splits=splits,
        heads=tuple(_head(found, name) for name in corpus.annotations),
        stages=tuple(_stage(name, stage, sequences, sizes) for name, stage in stages if stage.epochs),
        sequences=sum(sequences.values()),
        is_exact=recipe.joining is None,
        parameters=sum(sizes.values()),
        encoder_parameters=sum(size for name, size in sizes.items() if name.startswith(ENCODER_PREFIX)),
        stored=sum(_stored_bytes(found, own) for own in splits if own.split != "test" and own.name in corpus.trained),
        problems=tuple(problem for own in splits for problem in own.problems),
    )


def _head(found: Ingredients, name: str) -> HeadPlan:
    annotation, components = found.corpus.annotations[name], found.recipe.heads[name].components
    pca = ""
    if components is not None and name in found.kept:
        pca = "of the start model"
    elif components is not None:
        pca = "of the data" if stored_basis(found.corpus, annotation, components) else "fitted"
    return HeadPlan(name, annotation.dim, annotation.fps, components, pca)


def _sequences_by_head(recipe: Recipe, corpus: Corpus, splits: tuple[SplitSurvey, ...]) -> dict[str, int]:
    """Of an epoch; for joined sequences about."""
    counts: dict[str, int] = {}
    for own in splits:
        if own.split != "train" or own.name not in corpus.trained:
            continue
        passes = corpus.clean_passes(own.name) + _augmented_passes(recipe, own.name)
        count = own.clips if recipe.joining is None else _joined(own, recipe.joining)
        head = corpus.annotation_of(own.name).type_name
        counts[head] = counts.get(head, 0) + passes * count
    return counts


def _joined(own: SplitSurvey, joining: Joining) -> int:
    """Sequences that so many clips give, about: what a sequence holds beside silence, less half a clip at its end."""
    if not own.clips:
        return 0
    room = sum(joining.seconds) / 2 - joining.leading_probability * sum(joining.leading_silence) / 2
    clip = own.seconds / own.clips + joining.gap_probability * sum(joining.gap) / 2
    # The last sequence of each person is half full.
    return round(own.clips / max(room / clip - 0.5, 1) + len(own.people) / 2)


def _stage(name: str, stage: Stage, sequences: dict[str, int], sizes: dict[str, int]) -> StagePlan:
    counts = balanced_counts(sequences, stage.balance)
    steps = sum(-(-count // stage.batch) for count in counts.values())
    trained = sum(size for parameter, size in sizes.items() if is_trained(parameter, stage))
    return StagePlan(name, stage.epochs, stage.epochs * steps, stage.batch, trained)


def _stored_bytes(found: Ingredients, own: SplitSurvey) -> float:
    recipe, annotation = found.recipe, found.corpus.annotation_of(own.name)
    config = found.spec.encoder.config
    width = int(config["d_model" if found.spec.encoder.kind == "whisper" else "hidden_size"])
    rate = annotation.fps if recipe.decoder.interpolate_position == 0 else FEATURE_RATE
    passes = 1
    if own.split == "train":
        clean = found.corpus.clean_passes(own.name)
        # Clips that are not joined are the same in every clean pass, and stored once.
        passes = (min(clean, 1) if recipe.joining is None else clean) + _augmented_passes(recipe, own.name)
    per_second = _HALF * (rate * width + annotation.fps * annotation.dim) + _INT16 * SAMPLE_RATE
    return passes * own.seconds * per_second


def _augmented_passes(recipe: Recipe, name: str) -> int:
    return next(data.augmented_passes for data in recipe.data if data.name == name)
