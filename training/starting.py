"""Beginning a training from an existing model: what carries over from it, and what begins afresh.

With the decoder kept, everything that both models have by name is taken over as it is: decoder body, heads of the same
annotation type with their PCA, and rows of the identity table. Before the first step the new model therefore says
exactly what the start model says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from backend.annotation import Annotation
from backend.bundle import load_bundle
from backend.catalogue import find_model
from backend.errors import UniTalkerError
from backend.model.spec import HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from training.checkpoint import load_checkpoint
from training.config import Encoder, Recipe, Start, parse_recipe
from training.trainer import CHECKPOINT

_TABLE = "decoder.learnable_style_emb.weight"
_DECODER = "decoder."


@dataclass(frozen=True)
class StartingPoint:
    """A model that a training begins from.

    Attributes:
        name: for messages and cards.
        licence: of its weights; empty when not known.
        model: on the CPU, in single precision.
        recipe: that it was trained with; ``None`` where that is not known, as with imported checkpoints.
    """

    name: str
    licence: str
    model: UniTalker
    recipe: Recipe | None

    @property
    def spec(self) -> ModelSpec:
        """What the model is made of."""
        return self.model.spec

    @property
    def annotations(self) -> dict[str, Annotation]:
        """Of its heads, by type."""
        return {head.annotation.type_name: head.annotation for head in self.spec.heads}

    @property
    def credit(self) -> str:
        """Data behind it, which a model that begins from it owes as much to; empty when not known."""
        if self.recipe is None:
            return ""
        known = [data.credit for data in self.recipe.data]
        known += [self.recipe.start.credit] if self.recipe.start is not None else []
        return "; ".join(dict.fromkeys(credit for credit in known if credit))

    @property
    def has_pretrained_encoder(self) -> bool:
        """Whether its encoder is that of its recipe's source, as it was before any training."""
        return self.recipe is not None and bool(self.recipe.encoder.source) and not self.recipe.joint.epochs

    def encoder_digest(self) -> str:
        """A name for the weights of its encoder."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.audio_encoder.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def open_starting_point(start: Start) -> StartingPoint:
    """Loads the model that a recipe starts from.

    Raises:
        UniTalkerError: there is no such run or model, or it cannot be read.
    """
    folder = Path(start.model)
    if (folder / CHECKPOINT).is_file():
        checkpoint = load_checkpoint(folder / CHECKPOINT)
        model = UniTalker(checkpoint.spec)
        model.load_state_dict(checkpoint.evaluated_model)
        return StartingPoint(checkpoint.recipe.name, checkpoint.recipe.licence, model.eval(), checkpoint.recipe)
    bundle = load_bundle(find_model(start.model).folder)
    manifest = bundle.manifest
    content = manifest.provenance.get("recipe")
    recipe = None if content is None else parse_recipe(content, f"the recipe of {manifest.name}")
    return StartingPoint(manifest.name, manifest.licence, bundle.model, recipe)


def settled(recipe: Recipe, point: StartingPoint) -> Recipe:
    """The recipe with what its start model decides: encoder and decoder, as far as they are kept.

    Raises:
        UniTalkerError: the recipe asks for another network than the start model's.
    """
    start = recipe.start
    assert start is not None
    update: dict[str, object] = {}
    if not start.credit:
        update["start"] = start.model_copy(update={"credit": point.credit})
    if start.encoder == "keep":
        _check_encoder(recipe, point)
        update["encoder"] = _encoder_section(point)
    if start.decoder == "keep":
        kept = point.spec.decoder
        if "decoder" in recipe.model_fields_set:
            # Dropout is a matter of training, not of the weights.
            kept = kept.model_copy(update={"dropout": recipe.decoder.dropout})
            _check_equal("decoder", recipe.decoder.model_dump(), kept.model_dump(), point)
        update["decoder"] = kept
    return recipe.model_copy(update=update)


def kept_heads(recipe: Recipe, annotations: Mapping[str, Annotation], point: StartingPoint) -> set[str]:
    """Annotation types of the heads that carry over.

    Args:
        recipe: settles layers and components.
        annotations: of the data, by type.
        point: the start.

    Raises:
        UniTalkerError: a head of the same name has another topology, other channels, layers or components.
    """
    if recipe.start is None or recipe.start.decoder == "fresh":
        return set()
    shared = annotations.keys() & point.annotations.keys()
    for type_name in shared:
        _check_head(recipe, annotations[type_name], point.spec.head(type_name), point)
    return shared


def carry_over(start: Start, point: StartingPoint, heads: set[str], model: UniTalker) -> None:
    """Copies into a new model what it keeps of the start model.

    Args:
        start: what to keep.
        point: the start.
        heads: that carry over, see `kept_heads`.
        model: with the weights that a training without a start would begin with.
    """
    if start.encoder == "keep":
        model.audio_encoder.load_state_dict(point.model.audio_encoder.state_dict())
    if start.decoder == "fresh":
        return
    own, source = model.state_dict(), point.model.state_dict()
    prefixes = (_DECODER, *(f"{part}.{head}." for head in heads for part in ("out_head_dict", "pca_layer_dict")))
    for name in own:
        if name.startswith(prefixes) and name != _TABLE:
            # An imported PCA may keep more components than its head uses.
            own[name].copy_(source[name][tuple(slice(size) for size in own[name].shape)])
    own[_TABLE].copy_(_identity_rows(point.spec, source[_TABLE], model.spec.identities))


def _identity_rows(spec: ModelSpec, table: torch.Tensor, identities: tuple[str, ...]) -> torch.Tensor:
    """Rows for people by name; those the start model does not know get its pivot, or the mean of its people."""
    unknown = table[-1] if spec.has_pivot else table.mean(0)
    known = dict(zip(spec.identities, table, strict=True))
    return torch.stack([known.get(name, unknown) for name in identities])


def _check_encoder(recipe: Recipe, point: StartingPoint) -> None:
    """A recipe that names an encoder and keeps another one is a mistake."""
    if "encoder" not in recipe.model_fields_set:
        return
    named = recipe.encoder.model_dump(
        include={"kind", "layers", "final_layer_norm"} & recipe.encoder.model_fields_set, exclude_none=True
    )
    own = _encoder_of_weights(point).model_dump(include=set(named))
    _check_equal("encoder", named, own, point)


def _encoder_section(point: StartingPoint) -> Encoder:
    """What a recipe says of the start model's encoder; without a source where only the model itself has it."""
    if point.recipe is not None and point.has_pretrained_encoder:
        return point.recipe.encoder
    return _encoder_of_weights(point)


def _encoder_of_weights(point: StartingPoint) -> Encoder:
    spec = point.spec.encoder
    layers = spec.config["encoder_layers" if spec.kind == "whisper" else "num_hidden_layers"]
    final = spec.kind == "whisper" and spec.final_layer_norm
    return Encoder(kind=spec.kind, layers=layers, final_layer_norm=final, credit=f"that of {point.name}")


def _check_equal(section: str, wanted: dict[str, object], kept: dict[str, object], point: StartingPoint) -> None:
    for name, value in wanted.items():
        if value != kept[name]:
            raise UniTalkerError(
                "start.network",
                f"The recipe has {section}.{name} {value}, but its start model {point.name} has {kept[name]}.",
                f"Leave out {section}.{name}, or set start.{section} to fresh.",
            )


def _check_head(recipe: Recipe, annotation: Annotation, start: HeadSpec, point: StartingPoint) -> None:
    known, settings = start.annotation, recipe.heads[annotation.type_name]
    label = f"The head {annotation.type_name}"
    if (annotation.kind, annotation.dim) != (known.kind, known.dim):
        raise UniTalkerError(
            "start.topology",
            f"{label} has {annotation.dim} numbers per frame ({annotation.kind}) in the data, but {known.dim} "
            f"({known.kind}) in {point.name}.",
            "Give the annotation type of the data another name, which gets a head of its own.",
        )
    if (annotation.names, annotation.fps) != (known.names, known.fps):
        raise UniTalkerError(
            "start.channels",
            f"{label} has other channels or another order in the data than in {point.name}, or another frame rate "
            f"({annotation.fps:g} and {known.fps:g} fps).",
            f"Set data.head to {annotation.type_name}: channels are then matched by name and the rate is changed.",
        )
    for what, wanted, kept in (
        ("components", settings.components, start.components),
        ("layers", settings.layers, start.layers),
    ):
        if wanted != kept:
            raise UniTalkerError(
                "start.head",
                f"{label} has {what} {wanted} in the recipe, but {kept} in {point.name}.",
                f"Set heads.{annotation.type_name}.{what} to {'null' if kept is None else kept}.",
            )
