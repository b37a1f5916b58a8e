"""The stored features of a training: one store per data set and split, so that runs share those they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import torch

from backend.model.spec import ModelSpec
from backend.model.unitalker import UniTalker
from training.config import Recipe
from training.data_manifest import digest, set_manifest
from training.datasets.clip import Split
from training.datasets.corpus import Corpus
from training.places import Places
from training.sequences import Sequence, has_chance, sequence_seed, split_sequences, training_sequences
from training.store import Progress, Store, build_store, fingerprint, is_store
from training.survey import require_sound

_SPLITS: tuple[Split, ...] = ("train", "val")


def feature_stores(
    recipe: Recipe,
    model: UniTalker,
    corpus: Corpus,
    places: Places,
    device: torch.device,
    progress: Callable[[str], Progress],
) -> tuple[Store, Store]:
    """Of the training and the validation sequences; computed unless a run with the same data and encoder did.

    Args:
        recipe: what the sequences depend on becomes part of a store's name.
        model: encodes.
        corpus: the data sets.
        places: of data and stored features.
        device: where to compute.
        progress: gives, for the name of a piece of work, what is told about its progress.

    Raises:
        UniTalkerError: a clip cannot be used; told before the first is encoded.
    """
    folders = {
        (name, split): places.cache / _store_name(corpus, split, name, recipe, places, model.spec)
        for split in _SPLITS
        for name in corpus.trained
        if corpus.has_split(name, split)
    }
    require_sound(corpus, [place for place, folder in folders.items() if not is_store(folder)], progress)

    def joined(split: Split, sequences: Callable[[Corpus, Recipe, str], Iterable[Sequence]]) -> Store:
        stores = []
        for (name, own), folder in folders.items():
            if own == split:
                told = progress(f"encode {name} {split}")
                stores.append(build_store(folder, sequences(corpus, recipe, name), model, device, told))
        return Store.joined(places.cache, stores)

    return joined("train", training_sequences), joined("val", partial(split_sequences, split="val"))


def _store_name(corpus: Corpus, split: Split, name: str, recipe: Recipe, places: Places, spec: ModelSpec) -> str:
    parts = {"encoder", "joining", "augmentation", "silence"}
    settings = next(data for data in recipe.data if data.name == name)
    inputs = [
        recipe.model_dump_json(include=parts, exclude={"encoder": {"credit"}}),
        settings.model_dump_json(exclude={"credit", "head"}),
        ",".join(recipe.loss.mouth_prefixes),
        str(places.data_root.resolve()),
        digest(set_manifest(corpus, name, ("train", split))),
    ]
    if places.encoder is not None:
        inputs.append(str(places.encoder.resolve()))
    if split == "train" and has_chance(recipe, name):
        inputs.append(str(sequence_seed(recipe, name)))
    # Only in front of the encoder's transformer does the adaptor change the features.
    if recipe.decoder.interpolate_position == 0:
        inputs.append("adaptor at 0")
    if places.start_encoder is not None:
        inputs.append(places.start_encoder)
    if settings.head is not None:
        inputs.append(spec.head(settings.head).annotation.model_dump_json(exclude={"title"}))
    return f"{split}-{name}-{fingerprint(*inputs)}"
