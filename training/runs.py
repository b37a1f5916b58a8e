"""A run folder: recipe, PCA, log and checkpoint of one training, and how it is begun and taken up again.

``recipe.yaml``, ``run.json`` (where data and stored features are), ``data.json`` (which files the data are),
``pca/TYPE.npz``, ``log.jsonl`` (a line per epoch) and ``checkpoint.pt``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import yaml

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.model.spec import ModelSpec
from backend.model.unitalker import UniTalker
from training.checkpoint import Checkpoint, load_checkpoint
from training.config import Recipe
from training.data_manifest import check_unchanged, data_manifest, digest, write_manifest
from training.datasets.corpus import Corpus
from training.feature_stores import feature_stores
from training.head_bases import head_bases, load_basis
from training.head_geometry import read_geometries
from training.ingredients import gather
from training.objective import losses_by_head
from training.places import Places, read_places, write_places
from training.starting import carry_over, open_starting_point
from training.store import Progress, Store
from training.subspace import within_subspace
from training.trainer import CHECKPOINT, Material


def begin(
    recipe: Recipe, run: Path, places: Places, device: torch.device, progress: Callable[[str], Progress]
) -> Material:
    """Prepares a training: reads the encoder, fits the PCA, stores the features, weighs the losses.

    Args:
        recipe: settings.
        run: new folder.
        places: of data and stored features.
        device: for the encoder.
        progress: gives, for the name of a stage of work, what is told about its progress.

    Raises:
        UniTalkerError: the folder holds another run, or the data are wrong.
    """
    check_is_new(run)
    found = gather(recipe, places)
    run.mkdir(parents=True, exist_ok=True)
    content = yaml.safe_dump(found.recipe.model_dump(mode="json"), sort_keys=False)
    (run / "recipe.yaml").write_text(content, encoding="utf-8")
    write_places(found.places, run)
    write_manifest(data_manifest(found.corpus), run)
    bases = head_bases(found.recipe, found.corpus, run / "pca", found.kept)
    torch.manual_seed(recipe.seed)
    model = UniTalker(found.spec)
    if found.encoder is not None:
        found.encoder.load_into(model)
    for type_name, basis in bases.items():
        load_basis(model, type_name, basis)
    for type_name, template in model.template_dict.items():
        template.data = torch.from_numpy(found.corpus.template(type_name))
    if found.recipe.start is not None and found.start is not None:
        carry_over(found.recipe.start, found.start, found.kept, model)
    return _material(found.recipe, model, found.corpus, found.places, device, progress)


def check_is_new(run: Path) -> None:
    """Raises ``run.exists`` for a folder with a training in it."""
    if (run / CHECKPOINT).exists():
        raise UniTalkerError(
            "run.exists",
            f"{run} holds a run already.",
            f"Go on with unitalker train resume {run}, or use another --out.",
        )


def take_up(run: Path, device: torch.device, progress: Callable[[str], Progress]) -> tuple[Material, Checkpoint]:
    """Prepares to go on with a run; stored features that are gone are computed again.

    Raises:
        UniTalkerError: there is no checkpoint, or the data are not those that the run began with.
    """
    checkpoint = load_checkpoint(run / CHECKPOINT)
    places = read_places(run)
    model = UniTalker(checkpoint.spec)
    model.load_state_dict(checkpoint.model)
    corpus = Corpus(checkpoint.recipe, places.data_root, _annotations(checkpoint.spec))
    check_unchanged(data_manifest(corpus), checkpoint.data, run)
    return _material(checkpoint.recipe, model, corpus, places, device, progress), checkpoint


def frozen_features(
    run: Path, trained: UniTalker, recipe: Recipe, device: torch.device, progress: Callable[[str], Progress]
) -> tuple[UniTalker, Store, Store]:
    """The encoder as it was before training, and the stored features of the training and validation sequences.

    What a linear head on frozen features is fitted to.

    Args:
        run: folder.
        trained: the model of the run.
        recipe: of the run.
        device: where to compute.
        progress: of the encoding.
    """
    places = read_places(run)
    corpus = Corpus(recipe, places.data_root, _annotations(trained.spec))
    model = trained
    if recipe.joint.epochs:
        model = UniTalker(trained.spec)
        if recipe.start is not None and recipe.keeps_encoder:
            start = open_starting_point(recipe.start).model
            model.audio_encoder.load_state_dict(start.audio_encoder.state_dict())
        else:
            places.read_encoder(recipe).load_into(model)
    training, validation = feature_stores(recipe, model, corpus, places, device, progress)
    return model.eval().to(device), training, validation


def _material(
    recipe: Recipe,
    model: UniTalker,
    corpus: Corpus,
    places: Places,
    device: torch.device,
    progress: Callable[[str], Progress],
) -> Material:
    # Before the hours of encoding: what is missing for the loss is told now.
    geometries = read_geometries(recipe, corpus.annotations, places.data_root)
    stores = feature_stores(recipe, model, corpus, places, device, progress)
    components = {name: layer.get_buffer("feat_to_data").cpu() for name, layer in model.pca_layer_dict.items()}
    whole = losses_by_head(recipe, corpus.annotations, stores[0], components, geometries)
    return Material(
        recipe=recipe,
        spec=model.spec,
        model=model,
        losses={name: within_subspace(loss, name, model, stores, progress) for name, loss in whole.items()},
        training=stores[0],
        validation=stores[1],
        data=digest(data_manifest(corpus)),
    )


def _annotations(spec: ModelSpec) -> list[Annotation]:
    return [head.annotation for head in spec.heads]
