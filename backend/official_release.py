"""Facts about the official UniTalker release: its encoders, data sets, annotations and identity table. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from backend.annotation import Annotation
from backend.model.spec import PIVOT, EncoderSpec

_FACTS = Path(__file__).resolve().parent.parent / "assets" / "rigs" / "unitalker_heads.json"

_CONVOLUTIONS = {
    "conv_dim": [512] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
}


@dataclass(frozen=True)
class ReleasedEncoder:
    """An encoder of the release.

    Attributes:
        variant: ``B`` or ``L``, as in the file names of the release.
        title: the pretrained model it began as.
        spec: with `EncoderSpec.config` complete, so that nothing is looked up.
    """

    variant: str
    title: str
    spec: EncoderSpec


WAVLM_BASE_PLUS = ReleasedEncoder(
    "B",
    "WavLM-base-plus",
    EncoderSpec(
        kind="wavlm",
        config=_CONVOLUTIONS
        | {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "conv_bias": False,
            "feat_extract_norm": "group",
            "do_stable_layer_norm": False,
            "num_buckets": 320,
            "max_bucket_distance": 800,
            "activation_dropout": 0.0,
            "feat_proj_dropout": 0.1,
            "layerdrop": 0.05,
            "mask_time_prob": 0.05,
            "mask_time_length": 10,
        },
    ),
)

XLSR_53 = ReleasedEncoder(
    "L",
    "wav2vec2-large-xlsr-53",
    EncoderSpec(
        kind="wav2vec2",
        normalise_waveform=True,
        config=_CONVOLUTIONS
        | {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "conv_bias": True,
            "feat_extract_norm": "layer",
            "do_stable_layer_norm": True,
            "activation_dropout": 0.0,
            "feat_proj_dropout": 0.1,
            "layerdrop": 0.1,
            "mask_time_prob": 0.075,
            "mask_time_length": 10,
        },
    ),
)

ENCODERS = {released.spec.config["hidden_size"]: released for released in (WAVLM_BASE_PLUS, XLSR_53)}


class DataSet(BaseModel):
    """One data set of the release.

    Attributes:
        name: ``D0`` to ``D7``.
        folder: below the data root of the official layout.
        head: its annotation type.
        identities: rows it has in the identity table, in order.
        template_row: row of its ``id_template.npy`` that the official demo shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    folder: str
    head: str
    identities: int
    template_row: int


@cache
def data_sets() -> tuple[DataSet, ...]:
    """In the order of the identity table."""
    return tuple(DataSet.model_validate(entry) for entry in _facts()["data_sets"])


@cache
def released_annotations() -> dict[str, Annotation]:
    """Annotation types by name, in the order of the release."""
    return {name: Annotation.model_validate({"type_name": name} | entry) for name, entry in _facts()["heads"].items()}


def identity_names(rows: int) -> tuple[tuple[str, ...], bool]:
    """Names for the rows of an identity table, and whether it is the table of the release.

    The release's are ``D0/0`` to ``D7/10``; a further last row is the pivot. Of any other table it is only known
    that fine-tuning keeps the pivot last.
    """
    released = tuple(f"{data.name}/{number}" for data in data_sets() for number in range(data.identities))
    if rows in (len(released), len(released) + 1):
        return (*released, PIVOT)[:rows], True
    return (*(f"row_{number}" for number in range(rows - 1)), PIVOT), False


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_FACTS.read_text(encoding="utf-8"))
    return facts
