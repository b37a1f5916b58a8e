"""What a training is made of, found and checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backend.annotation import Annotation
from backend.model.spec import EncoderSpec, HeadSpec, ModelSpec
from training.config import Recipe
from training.datasets.corpus import Corpus
from training.places import Places
from training.pretrained_encoder import PretrainedEncoder
from training.starting import StartingPoint, kept_heads, open_starting_point, settled


@dataclass(frozen=True)
class Ingredients:
    """Of a training.

    Attributes:
        recipe: with what its start model decides.
        places: of data and stored features.
        corpus: the data sets.
        start: model that the training begins from; ``None`` without.
        kept: heads that carry over from it.
        encoder: read for this training; ``None`` where it is the start model's.
        spec: of the network.
    """

    recipe: Recipe
    places: Places
    corpus: Corpus
    start: StartingPoint | None
    kept: set[str]
    encoder: PretrainedEncoder | None
    spec: ModelSpec


def gather(recipe: Recipe, places: Places) -> Ingredients:
    """Opens the data sets, the encoder and the start model of a recipe.

    Raises:
        UniTalkerError: one is missing, or does not fit the recipe or the others.
    """
    start = None if recipe.start is None else open_starting_point(recipe.start)
    if start is not None:
        recipe, places = settled(recipe, start), _with_start(recipe, places, start)
    corpus = Corpus(recipe, places.data_root, start.annotations.values() if start else ())
    kept = kept_heads(recipe, corpus.annotations, start) if start else set()
    encoder = None if recipe.keeps_encoder else places.read_encoder(recipe)
    spec = ModelSpec(
        encoder=_encoder_spec(encoder, start),
        decoder=recipe.decoder,
        heads=_head_specs(recipe, corpus.annotations),
        identities=corpus.identities,
    )
    return Ingredients(recipe, places, corpus, start, kept, encoder, spec)


def _head_specs(recipe: Recipe, annotations: Mapping[str, Annotation]) -> tuple[HeadSpec, ...]:
    return tuple(
        HeadSpec(
            annotation=annotation,
            layers=recipe.heads[type_name].layers,
            components=recipe.heads[type_name].components,
            stored_components=recipe.heads[type_name].components,
            has_template=annotation.kind != "blendshapes",
        )
        for type_name, annotation in annotations.items()
    )


def _with_start(recipe: Recipe, places: Places, start: StartingPoint) -> Places:
    if not recipe.keeps_encoder or start.has_pretrained_encoder:
        return places
    return replace(places, start_encoder=start.encoder_digest())


def _encoder_spec(encoder: PretrainedEncoder | None, start: StartingPoint | None) -> EncoderSpec:
    if encoder is not None:
        return encoder.spec
    assert start is not None
    return start.spec.encoder
