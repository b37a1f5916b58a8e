"""Golden arrays made by running the official code, and the tiny models that they were made with."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.annotation import FLAME_PARAMETER_COUNT, Annotation, Kind
from backend.bundle import build_model
from backend.model.spec import PIVOT, DecoderSpec, EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker

FOLDER = Path(os.environ.get("UNITALKER_PARITY_DIR", Path(__file__).parents[3] / "shared" / "parity"))

ENCODER_KINDS = {"wavlm": "wavlm", "w2v2": "wav2vec2"}
DECODER_KINDS = {"conv": "tcn", "transformer": "transformer_as_released"}


@cache
def arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / file, allow_pickle=False) as archive:
        return dict(archive)


@cache
def tiny_config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads((FOLDER / "tiny_config.json").read_text())
    return config


def golden_names(pattern: str) -> list[tuple[str, str]]:
    """(file, array) of every golden array in files that match."""
    return [(path.name, name) for path in sorted(FOLDER.glob(pattern)) for name in np.load(path).files]


def framing(table: str) -> Any:
    """A table of `framing_cases.json`; empty when the folder is absent."""
    path = FOLDER / "framing_cases.json"
    return json.loads(path.read_text())[table] if path.is_file() else []


def variant_of(file: str) -> tuple[str, str, str]:
    """``outputs_wavlm_conv_headlayer2.npz`` → (``wavlm``, ``conv``, ``headlayer2``)."""
    _, encoder, decoder, *option = Path(file).stem.split("_")
    return encoder, decoder, option[0] if option else ""


@cache
def tiny_model(encoder: str, decoder: str, option: str, position: int) -> UniTalker:
    """The model of one golden file with its weights; `position` is that of the frequency adaptor."""
    weights = dict(arrays(f"weights_{encoder}_{decoder}.npz"))
    if option:
        weights = {name: array for name, array in weights.items() if name.startswith("audio_encoder.")}
        weights |= arrays(f"weights_{encoder}_{decoder}_{option}.npz")
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    source = FOLDER / f"weights_{encoder}_{decoder}.npz"
    return build_model(_spec(encoder, decoder, option, position), tensors, source).eval()


def waveform() -> torch.Tensor:
    """``(1, samples)``, raw: the normalisation that wav2vec 2.0 wants is the model's own."""
    return torch.from_numpy(arrays("inputs.npz")["waveform_int16"].astype(np.float32) / 32768)[None]


def _spec(encoder: str, decoder: str, option: str, position: int) -> ModelSpec:
    config = tiny_config()
    return ModelSpec(
        encoder=EncoderSpec(
            kind=ENCODER_KINDS[encoder],  # type: ignore[arg-type]
            config=config["encoders"][encoder]["config"],
            normalise_waveform=encoder == "w2v2",
        ),
        decoder=DecoderSpec(
            kind=DECODER_KINDS[decoder],  # type: ignore[arg-type]
            width=config["decoder_dimension"],
            period=config["period"],
            interpolate_position=position,  # type: ignore[arg-type]
        ),
        heads=tuple(_head(name, config, option) for name in config["annot_dims"]),
        identities=(*(f"speaker_{i}" for i in range(config["identity_num"] - 1)), PIVOT),
    )


def _head(name: str, config: dict[str, Any], option: str) -> HeadSpec:
    dim = config["annot_dims"][name]
    stored = None if option == "nopca" else config["pca_stored_components"].get(name)
    kind: Kind = "vertices" if name.endswith("vertices") else "flame" if dim == FLAME_PARAMETER_COUNT else "blendshapes"
    return HeadSpec(
        annotation=Annotation(
            type_name=name,
            kind=kind,
            dim=dim,
            fps=config["fps"][name],
            unit="m" if kind == "vertices" else "weight" if kind == "blendshapes" else "parameter",
            names=tuple(f"channel_{i}" for i in range(dim)) if kind == "blendshapes" else (),
        ),
        layers=2 if option == "headlayer2" else 1,
        components=min(config["pca_dim_arg"], stored) if stored else None,
        stored_components=stored,
    )
