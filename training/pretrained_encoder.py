"""The speech encoder that a recipe names, wherever its weights are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.model.spec import EncoderSpec
from backend.model.unitalker import UniTalker
from training.config import Encoder
from training.hugging_face_source import load_waveform_encoder
from training.whisper_source import load_encoder

_FINAL_NORM = "layer_norm."


@dataclass(frozen=True)
class PretrainedEncoder:
    """An encoder with its weights.

    Attributes:
        spec: what it is made of.
        state: by the names of the `transformers` module.
    """

    spec: EncoderSpec
    state: dict[str, Tensor]

    def load_into(self, model: UniTalker) -> None:
        """Gives its weights to a model that was built from `spec`."""
        model.audio_encoder.load_state_dict(self.state)


def read_pretrained(settings: Encoder, source: Sequence[str] = (), download: bool = False) -> PretrainedEncoder:
    """Reads the encoder of a recipe.

    Args:
        settings: of the recipe.
        source: in place of the recipe's.
        download: fetch what is missing from the Hugging Face hub; only ever on an explicit wish of the user.

    Raises:
        UniTalkerError: not found, of another kind, or with too few layers.
    """
    source = source or settings.source
    if settings.kind != "whisper":
        spec, state = load_waveform_encoder(
            settings.kind, source[0], settings.layers, settings.normalise_waveform, download
        )
        return PretrainedEncoder(spec, state)
    weights = load_encoder(source, settings.layers)
    spec = EncoderSpec(kind="whisper", config=weights.config, final_layer_norm=settings.final_layer_norm)
    state = {
        name: torch.from_numpy(array)
        for name, array in weights.state.items()
        if settings.final_layer_norm or not name.startswith(_FINAL_NORM)
    }
    return PretrainedEncoder(spec, state)
