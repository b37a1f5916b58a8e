"""What no single field shows to be wrong: combinations that could not be trained, or that would do nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backend.model.spec import PIVOT

if TYPE_CHECKING:
    from training.config.recipe import Recipe

WHISPER_SECONDS = 30.0
"""Sound that Whisper's position table has room for."""
_ATTENTION_HEADS = 4
"""Of both transformer decoders, which share the channels among them."""


def contradictions(recipe: Recipe) -> list[str]:
    """A sentence for each, without full stop; empty for a recipe that makes sense."""
    return [
        *_of_data(recipe),
        *_of_start(recipe),
        *_of_network(recipe),
        *_of_lengths(recipe),
        *_of_stages(recipe),
    ]


def _of_data(recipe: Recipe) -> Iterator[str]:
    for name, count in Counter(data.name for data in recipe.data).items():
        if count > 1:
            yield f"two data sets have the same name, {name}"
    for data in recipe.data:
        if data.clean_passes == 0 and data.augmented_passes == 0:
            yield f"{data.name} is used in no pass: clean_passes and augmented_passes are both 0"
        if PIVOT in (data.identities or ()):
            yield f"an identity of {data.name} is called {PIVOT}, which is the name of the pivot identity"
    if not recipe.heads:
        yield "at least one head is needed"
    names = {data.name for data in recipe.data}
    for name in recipe.held_out:
        if name not in names:
            yield f"held_out names {name}; the data sets are {', '.join(sorted(names))}"
    if recipe.held_out and names <= set(recipe.held_out):
        yield "all data sets are held out, so there is nothing to train on"
    if recipe.held_out and not recipe.pivot_probability:
        yield "held_out data sets are spoken by the pivot identity, which does not exist with pivot_probability 0"


def _of_start(recipe: Recipe) -> Iterator[str]:
    start = recipe.start
    if start and start.decoder == start.encoder == "fresh":
        yield "start.decoder and start.encoder are both fresh, so nothing of the start model is used"
    if not recipe.keeps_encoder and not recipe.encoder.source:
        yield "encoder.source is missing; only a start model can stand in for it"
    if not start and any(data.head for data in recipe.data):
        yield "data.head names a head of a start model, but there is no start"
    if start and start.trained == "decoder" and recipe.joint.epochs:
        yield "start.trained is decoder, but joint.epochs trains the encoder; set trained to all or epochs to 0"


def _of_network(recipe: Recipe) -> Iterator[str]:
    encoder, decoder = recipe.encoder, recipe.decoder
    if encoder.kind == "whisper" and encoder.normalise_waveform:
        yield "encoder.normalise_waveform is for encoders of the waveform; Whisper takes log-mel"
    if encoder.kind != "whisper" and encoder.final_layer_norm:
        yield f"encoder.final_layer_norm is Whisper's; a {encoder.kind} encoder has its norms where they belong"
    if encoder.kind != "whisper" and len(encoder.source) > 1:
        yield f"encoder.source names {len(encoder.source)} places; a {encoder.kind} encoder comes from one"
    if decoder.kind != "tcn" and decoder.width % _ATTENTION_HEADS:
        yield f"decoder.width is {decoder.width}; that of a transformer must be a multiple of {_ATTENTION_HEADS}"


def _of_lengths(recipe: Recipe) -> Iterator[str]:
    if recipe.encoder.kind != "whisper":
        return
    lengths = {"warm_up.crop_seconds": recipe.warm_up.crop_seconds, "joint.crop_seconds": recipe.joint.crop_seconds}
    if recipe.joining is not None:
        lengths["joining.seconds"] = recipe.joining.seconds[1]
    for name, seconds in lengths.items():
        if seconds > WHISPER_SECONDS:
            yield f"{name} reaches {seconds:g} s, but Whisper takes at most {WHISPER_SECONDS:g} s of sound"


def _of_stages(recipe: Recipe) -> Iterator[str]:
    joint, layers = recipe.joint, recipe.encoder.layers
    if not recipe.start and not recipe.warm_up.epochs and not joint.epochs:
        yield "warm_up.epochs and joint.epochs are both 0, so nothing would be trained"
    if joint.epochs and not recipe.keeps_encoder and layers is not None and joint.first_layer >= layers:
        yield (
            f"joint.first_layer is {joint.first_layer}, but the encoder has the layers 0 to {layers - 1}, "
            "so joint training would train none of it"
        )
    for name, stage in (("warm_up", recipe.warm_up), ("joint", joint)):
        if stage.early_stop and stage.early_stop.metric not in ("mean", *recipe.heads):
            yield f"{name}.early_stop.metric is {stage.early_stop.metric}, which is neither mean nor a head"
