"""A small world to train in: two people, two annotation types, an encoder of random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from training.config import Recipe, parse_recipe
from training.whisper_source import WhisperEncoderWeights, save_encoder

RATE = 16000
ARKIT = ["jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthLowerDownLeft", "mouthRollLower", "browInnerUp"]
PEOPLE = ["ann", "bob"]


def write_data_set(folder: Path, annotation: dict[str, Any], motions: dict[str, tuple[int, np.ndarray]]) -> None:
    """Writes the official layout; `motions` by clip: identity and (T, D). The sound is loud where the motion is."""
    (folder / "clips").mkdir(parents=True)
    (folder / "annotation.json").write_text(json.dumps(annotation))
    np.save(folder / "id_template.npy", np.zeros((len(PEOPLE), annotation["dim"]), np.float32))
    entries = []
    for name, (identity, motion) in motions.items():
        np.save(folder / f"clips/{name}.npy", motion.astype(np.float32))
        soundfile.write(folder / f"clips/{name}.flac", sound_of(motion, annotation["fps"]), RATE)
        entries.append(
            {
                "annot_path": f"clips/{name}.npy",
                "audio_path": f"clips/{name}.flac",
                "id": identity,
                "annot_type": annotation["annot_type"],
                "dataset": "T0",
                "fps": annotation["fps"],
            }
        )
    for split, data in (("train", entries), ("val", entries[:2]), ("test", entries[-2:])):
        (folder / f"{split}.json").write_text(json.dumps({"info": {"id_list": PEOPLE}, "data": data}))


def sound_of(motion: np.ndarray, fps: float) -> np.ndarray:
    """Noise with the loudness of the first channel."""
    samples = round(len(motion) / fps * RATE)
    envelope = np.interp(np.arange(samples) / RATE, np.arange(len(motion)) / fps, np.abs(motion[:, 0]))
    noise = np.random.default_rng(0).standard_normal(samples)
    return (0.3 * envelope * noise + 1e-4 * noise).astype(np.float32)


def speaking(frames: int, channels: int, seed: int) -> np.ndarray:
    """(frames, channels) that opens and closes three times a second, still in the first and last quarter."""
    rng = np.random.default_rng(seed)
    times = np.arange(frames) / 25
    motion = 0.5 * np.abs(np.sin(3 * np.pi * times))[:, None] * rng.uniform(0.3, 1, channels)
    motion[: frames // 4] = 0
    motion[-frames // 4 :] = 0
    return motion


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``weights`` (7 ARKit channels, 25 fps) and ``mesh`` (12 vertices, 30 fps)."""
    root = tmp_path_factory.mktemp("data")
    weights = {"annot_type": "tiny_weight", "fps": 25, "kind": "blendshapes", "dim": 7, "names": ARKIT}
    mesh = {"annot_type": "tiny_vertices", "fps": 30, "kind": "vertices", "dim": 36}
    write_data_set(root / "weights", weights, {f"w{n}": (n % 2, speaking(60, 7, n)) for n in range(8)})
    write_data_set(root / "mesh", mesh, {f"m{n}": (n % 2, 0.01 * speaking(72, 36, n)) for n in range(4)})
    return root


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper encoder file of two layers and 64 channels."""
    torch.manual_seed(0)
    config = {
        "d_model": 64,
        "encoder_layers": 2,
        "encoder_attention_heads": 1,
        "encoder_ffn_dim": 64,
        "num_mel_bins": 80,
        "max_source_positions": 1500,
    }
    state = WhisperEncoder(WhisperConfig(**config)).state_dict()
    path = tmp_path_factory.mktemp("encoder") / "tiny.safetensors"
    save_encoder(WhisperEncoderWeights({name: array.numpy() for name, array in state.items()}, config), path)
    return path


@pytest.fixture(scope="session")
def tiny_recipe(tiny_encoder: Path) -> Recipe:
    return parse_recipe(yaml.safe_load(recipe_text(tiny_encoder)), "tiny")


def recipe_text(encoder: Path) -> str:
    return f"""
name: tiny
licence: CC0-1.0
data:
  - {{name: W, folder: weights, clean_passes: 1, augmented_passes: 1}}
  - {{name: M, folder: mesh}}
encoder: {{source: ["{encoder.as_posix()}"], layers: 2, final_layer_norm: true}}
decoder: {{width: 16, identity_width: 4}}
heads:
  tiny_weight: {{title: Tiny weights}}
  tiny_vertices: {{title: Tiny mesh, components: 4}}
joining: {{seconds: [4, 6]}}
warm_up:
  epochs: 6
  batch: 2
  crop_seconds: 4
  optimiser: {{kind: adamw, learning_rate: 5.0e-3, schedule: one_cycle}}
joint: {{epochs: 1, batch: 2, crop_seconds: 2, first_layer: 1}}
"""
