"""A released checkpoint as it lies on disk: read without running code from it, and what it contains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal

import torch
from torch import Tensor

from backend.errors import UniTalkerError
from backend.model.spec import DecoderSpec
from backend.official_release import ENCODERS, ReleasedEncoder

_FEATURE_MAP = "decoder.audio_feature_map.weight"
_IDENTITIES = "decoder.learnable_style_emb.weight"
_POSITIONS = "decoder.PPE.pe"
_HEADS = "out_head_dict."
_PCA = "pca_layer_dict."

# Names that weight normalisation had before torch 2.0.
_OLD_NAMES = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}


@dataclass(frozen=True)
class HeadContents:
    """A head found in a checkpoint.

    Attributes:
        type_name: annotation type.
        width: numbers that it predicts per frame.
        layers: linear layers.
        stored_components: rows of the PCA that the checkpoint itself carries, ``None`` without.
    """

    type_name: str
    width: int
    layers: int
    stored_components: int | None


@dataclass(frozen=True)
class Contents:
    """What a checkpoint contains, read off the shapes of its tensors."""

    encoder: ReleasedEncoder
    decoder: DecoderSpec
    identity_rows: int
    heads: tuple[HeadContents, ...]


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pt`` file under present-day names, on the CPU.

    Raises:
        UniTalkerError: ``model.not_found``; ``model.unreadable`` for a damaged file, one with other objects than
            tensors in it, or tensors that are not floating-point numbers.
    """
    if not path.is_file():
        raise UniTalkerError("model.not_found", f"{path} is not there.", "Give the path of the downloaded .pt file.")
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle stream can raise anything
        raise bad_checkpoint(path, _what_failed(error)) from error
    if not isinstance(data, Mapping):
        raise bad_checkpoint(path, f"holds a {type(data).__name__}; expected tensors by name")
    tensors = {}
    for name, tensor in data.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise bad_checkpoint(path, f"{name} is a {type(tensor).__name__}; expected a tensor")
        if not tensor.is_floating_point():
            raise bad_checkpoint(path, f"tensor {name} holds {tensor.dtype}; expected floating-point numbers")
        tensors[_present_day_name(name)] = tensor
    return tensors


def read_contents(tensors: Mapping[str, Tensor], path: Path) -> Contents:
    """What the checkpoint is made of.

    Raises:
        UniTalkerError: ``model.unreadable`` when it is no UniTalker, naming what is missing or of an unknown shape.
    """
    variants = " or ".join(f"(256, {width}) for {released.variant}" for width, released in ENCODERS.items())
    feature_map = _matrix(tensors, _FEATURE_MAP, variants, path)
    if feature_map[1] not in ENCODERS:
        raise bad_checkpoint(path, f"tensor {_FEATURE_MAP} has shape {feature_map}; expected {variants}")
    rows, identity_width = _matrix(tensors, _IDENTITIES, "(identities, width)", path)
    kind: Literal["tcn", "transformer_as_released"] = "transformer_as_released" if _POSITIONS in tensors else "tcn"
    names = dict.fromkeys(name.removeprefix(_HEADS).split(".")[0] for name in tensors if name.startswith(_HEADS))
    if not names:
        raise bad_checkpoint(path, f"no tensor begins with {_HEADS}; expected at least one head")
    return Contents(
        encoder=ENCODERS[feature_map[1]],
        decoder=DecoderSpec(kind=kind, width=feature_map[0], identity_width=identity_width),
        identity_rows=rows,
        heads=tuple(_head(tensors, name, path) for name in names),
    )


def without_head(tensors: Mapping[str, Tensor], type_name: str) -> dict[str, Tensor]:
    """The tensors but those of one head and its PCA."""
    own = (f"{_HEADS}{type_name}.", f"{_PCA}{type_name}.")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(own)}


def pca_prefix(type_name: str) -> str:
    """How the names of an annotation type's PCA buffers begin."""
    return f"{_PCA}{type_name}."


def bad_checkpoint(path: Path, problem: str) -> UniTalkerError:
    """The error about a file that cannot be imported."""
    return UniTalkerError(
        "model.unreadable",
        f"{path}: {problem}.",
        "Give a checkpoint of UniTalker-B or UniTalker-L; if it is one, download it again.",
    )


def _head(tensors: Mapping[str, Tensor], type_name: str, path: Path) -> HeadContents:
    pattern = re.compile(re.escape(f"{_HEADS}{type_name}.") + r"(?:head_layer\.(\d+)\.)?weight")
    found = {int(match.group(1) or 0): name for name in tensors if (match := pattern.fullmatch(name))}
    if not found:
        raise bad_checkpoint(path, f"tensor {_HEADS}{type_name}.weight is missing; expected shape (width, 256)")
    width, _ = _matrix(tensors, found[max(found)], "(width, 256)", path)
    basis = f"{pca_prefix(type_name)}feat_to_data"
    stored = None
    if any(name.startswith(pca_prefix(type_name)) for name in tensors):
        stored, _ = _matrix(tensors, basis, "(components, coordinates)", path)
    return HeadContents(type_name, width, len(found), stored)


def _matrix(tensors: Mapping[str, Tensor], name: str, expected: str, path: Path) -> tuple[int, int]:
    if name not in tensors:
        raise bad_checkpoint(path, f"tensor {name} is missing; expected shape {expected}")
    shape = tuple(tensors[name].shape)
    if len(shape) != 2:
        raise bad_checkpoint(path, f"tensor {name} has shape {shape}; expected {expected}")
    return shape


def _present_day_name(name: str) -> str:
    for old, new in _OLD_NAMES.items():
        if name.endswith(f".pos_conv_embed.conv{old}"):
            return name.removesuffix(old) + new
    return name


def _what_failed(error: Exception) -> str:
    """The reason in one line; torch's own message advises to switch the protection off."""
    text = str(error)
    if match := re.search(r"GLOBAL ([\w.]+)", text):
        return f"holds an object of the Python type {match.group(1)}, which is not loaded; expected tensors only"
    if isinstance(error, UnpicklingError):
        return "is not a checkpoint, or a damaged one"
    first = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    return f"cannot be read, it is damaged or no checkpoint ({first})"
