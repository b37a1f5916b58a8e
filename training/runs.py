"""A run folder: recipe, PCA, log and checkpoint of one training, and how it is begun and taken up again.

``recipe.yaml``, ``run.json`` (where data and stored features are), ``data.json`` (which files the data are),
``pca/TYPE.npz``, ``log.jsonl`` (a line per epoch) and ``checkpoint.pt``.
"""

from __future__ import annotations

import filecmp
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import yaml

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.model.spec import EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from training.checkpoint import Checkpoint, load_checkpoint
from training.config import Recipe
from training.data_manifest import check_unchanged, data_manifest, digest, set_manifest, write_manifest
from training.datasets.clip import Split
from training.datasets.corpus import Corpus
from training.datasets.writer import PCA_FILE
from training.head_geometry import read_geometries
from training.objective import losses_by_head
from training.pca import PcaBasis, fit_pca
from training.pretrained_encoder import PretrainedEncoder, read_pretrained
from training.sequences import Sequence, has_chance, sequence_seed, split_sequences, training_sequences
from training.starting import StartingPoint, carry_over, kept_heads, open_starting_point, settled
from training.store import Progress, Store, build_store, fingerprint
from training.trainer import CHECKPOINT, Material

_PCA_BATCH = 1024


@dataclass(frozen=True)
class Places:
    """Where a run's data are.

    Attributes:
        data_root: folder of the data sets.
        cache: folder for stored features, shared by runs.
        encoder: file or folder to take the encoder from in place of the recipe's source.
        start_encoder: digest of an encoder that a start model was trained with, on which the stored features depend;
            ``None`` where the encoder is that of the recipe's source.
        download: whether the user lets the encoder be fetched from the Hugging Face hub.
    """

    data_root: Path
    cache: Path
    encoder: Path | None = None
    start_encoder: str | None = None
    download: bool = False

    def read_encoder(self, recipe: Recipe) -> PretrainedEncoder:
        """The pretrained encoder of a recipe."""
        source = () if self.encoder is None else (str(self.encoder),)
        return read_pretrained(recipe.encoder, source, self.download)


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
    point = None if recipe.start is None else open_starting_point(recipe.start)
    if point is not None:
        recipe, places = settled(recipe, point), _with_start(recipe, places, point)
    corpus = Corpus(recipe, places.data_root, point.annotations.values() if point else ())
    kept = kept_heads(recipe, corpus.annotations, point) if point else set()
    run.mkdir(parents=True, exist_ok=True)
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    _write_places(places, run)
    write_manifest(data_manifest(corpus), run)
    encoder = None if recipe.keeps_encoder else places.read_encoder(recipe)
    bases = _bases(recipe, corpus, run, kept)
    spec = model_spec(recipe, corpus, _encoder_spec(encoder, point))
    torch.manual_seed(recipe.seed)
    model = UniTalker(spec)
    if encoder is not None:
        encoder.load_into(model)
    for type_name, basis in bases.items():
        _load_basis(model, type_name, basis)
    for type_name, template in model.template_dict.items():
        template.data = torch.from_numpy(corpus.template(type_name))
    if recipe.start is not None and point is not None:
        carry_over(recipe.start, point, kept, model)
    return _material(recipe, model, corpus, places, device, progress)


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
    training, validation = _stores(recipe, model, corpus, places, device, progress)
    return model.eval().to(device), training, validation


def read_places(run: Path) -> Places:
    """Where the data of a run are.

    Raises:
        UniTalkerError: the folder is not a run.
    """
    try:
        content = json.loads((run / "run.json").read_text(encoding="utf-8"))
        encoder = None if content["encoder"] is None else Path(content["encoder"])
        return Places(Path(content["data_root"]), Path(content["cache"]), encoder, content.get("start_encoder"))
    except (OSError, ValueError, KeyError) as error:
        raise UniTalkerError("run.not_found", f"{run} is not the folder of a run ({error}).") from error


def model_spec(recipe: Recipe, corpus: Corpus, encoder: EncoderSpec) -> ModelSpec:
    """What the network of a recipe is made of."""
    heads = [
        HeadSpec(
            annotation=annotation,
            layers=recipe.heads[type_name].layers,
            components=recipe.heads[type_name].components,
            stored_components=recipe.heads[type_name].components,
            has_template=annotation.kind != "blendshapes",
        )
        for type_name, annotation in corpus.annotations.items()
    ]
    return ModelSpec(encoder=encoder, decoder=recipe.decoder, heads=tuple(heads), identities=corpus.identities)


def store_for(
    sequences: Callable[[], Iterable[Sequence]],
    data: str,
    split: Split,
    name: str,
    recipe: Recipe,
    model: UniTalker,
    places: Places,
    device: torch.device,
    progress: Progress,
) -> Store:
    """Stored features of one data set's sequences, computed unless a run with the same data and encoder did.

    Args:
        sequences: only called when they have to be encoded.
        data: digest of the data set's files: other data give another store.
        split: of the data set.
        name: of the data set.
        recipe: what the sequences depend on becomes part of the store's name.
        model: encodes.
        places: of data and stored features.
        device: where to compute.
        progress: of the encoding.
    """
    folder = places.cache / _store_name(data, split, name, recipe, places, model.spec)
    if (folder / "index.json").is_file():
        return Store(folder)
    return build_store(folder, sequences(), model.to(device), device, progress)


def _store_name(data: str, split: Split, name: str, recipe: Recipe, places: Places, spec: ModelSpec) -> str:
    parts = {"encoder", "joining", "augmentation", "silence"}
    settings = next(data for data in recipe.data if data.name == name)
    inputs = [
        recipe.model_dump_json(include=parts, exclude={"encoder": {"credit"}}),
        settings.model_dump_json(exclude={"credit", "head"}),
        ",".join(recipe.loss.mouth_prefixes),
        str(places.data_root.resolve()),
        data,
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
    stores = _stores(recipe, model, corpus, places, device, progress)
    components = {name: layer.get_buffer("feat_to_data").cpu() for name, layer in model.pca_layer_dict.items()}
    return Material(
        recipe=recipe,
        spec=model.spec,
        model=model,
        losses=losses_by_head(recipe, corpus.annotations, stores[0], components, geometries),
        training=stores[0],
        validation=stores[1],
        data=digest(data_manifest(corpus)),
    )


def _stores(
    recipe: Recipe,
    model: UniTalker,
    corpus: Corpus,
    places: Places,
    device: torch.device,
    progress: Callable[[str], Progress],
) -> tuple[Store, Store]:
    """Of the training and the validation sequences: one per data set, so that runs share those they have in common."""

    def joined(split: Split, sequences: Callable[[Corpus, Recipe, str], Iterable[Sequence]]) -> Store:
        stores = [
            store_for(
                partial(sequences, corpus, recipe, name),
                digest(set_manifest(corpus, name, ("train", split))),
                split,
                name,
                recipe,
                model,
                places,
                device,
                progress(f"encode {name} {split}"),
            )
            for name in corpus.trained
            if corpus.has_split(name, split)
        ]
        return Store.joined(places.cache, stores)

    return joined("train", training_sequences), joined("val", partial(split_sequences, split="val"))


def _bases(recipe: Recipe, corpus: Corpus, run: Path, kept: set[str]) -> dict[str, PcaBasis]:
    """The PCA of each new head that has one, kept with the run: that in the data sets' folders, else fitted now.

    Args:
        recipe: how many components.
        corpus: the data sets.
        run: folder.
        kept: heads whose PCA comes from the start model.
    """
    bases = {}
    for type_name, annotation in corpus.annotations.items():
        head = recipe.heads[type_name]
        if head.components is not None and type_name not in kept:
            folders = [corpus.folder_of(name) for name in corpus.trained if corpus.annotation_of(name) == annotation]
            stored = _common_pca(folders)
            if stored is not None:
                basis = PcaBasis.load(stored, annotation.dim).first(head.components)
            else:
                basis = fit_pca(
                    partial(_motions, corpus, annotation),
                    components=head.components,
                    batch_size=_PCA_BATCH,
                    seed=recipe.seed,
                )
            bases[type_name] = basis
            (run / "pca").mkdir(exist_ok=True)
            basis.save(run / "pca" / f"{type_name}.npz")
    return bases


def _common_pca(folders: list[Path]) -> Path | None:
    """The PCA file of all these folders, unless one lacks it or has another."""
    files = [folder / PCA_FILE for folder in folders]
    same = all(file.is_file() and filecmp.cmp(file, files[0], shallow=False) for file in files)
    return files[0] if same else None


def _motions(corpus: Corpus, annotation: Annotation) -> Iterator[np.ndarray]:
    for name in corpus.trained:
        if corpus.annotation_of(name) == annotation:
            for clip in corpus.clips(name, "train"):
                yield clip.motion


def _with_start(recipe: Recipe, places: Places, point: StartingPoint) -> Places:
    if not recipe.keeps_encoder or point.has_pretrained_encoder:
        return places
    return replace(places, start_encoder=point.encoder_digest())


def _write_places(places: Places, run: Path) -> None:
    content = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in asdict(places).items()
        if name != "download"
    }
    (run / "run.json").write_text(json.dumps(content), encoding="utf-8")


def _annotations(spec: ModelSpec) -> list[Annotation]:
    return [head.annotation for head in spec.heads]


def _encoder_spec(encoder: PretrainedEncoder | None, point: StartingPoint | None) -> EncoderSpec:
    if encoder is not None:
        return encoder.spec
    assert point is not None
    return point.spec.encoder


def _load_basis(model: UniTalker, type_name: str, basis: PcaBasis) -> None:
    components = torch.from_numpy(basis.components)
    model.pca_layer_dict[type_name].load_state_dict(
        {
            "feat_to_data": components,
            "data_to_feat": components.T.contiguous(),
            "data_bias": torch.from_numpy(basis.mean),
            "feat_mean": torch.from_numpy(basis.coefficient_mean),
            "feat_std": torch.from_numpy(basis.coefficient_std),
        }
    )
