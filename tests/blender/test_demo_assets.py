"""The head and the voice that the demo ships."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from unitalker_blender.scene.rig_resolution import detected

ASSETS = Path(__file__).resolve().parents[2] / "assets"


@pytest.fixture
def head() -> bpy.types.Object:
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(ASSETS / "heads" / "makehuman_head.glb"))
    (mesh,) = set(bpy.data.objects) - before
    return mesh


def coordinates(head: bpy.types.Object, name: str) -> np.ndarray:
    block = head.data.shape_keys.key_blocks[name]
    flat = np.empty(len(block.data) * 3, np.float32)
    block.data.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def test_the_head_has_every_arkit_shape_and_each_moves_something(head: bpy.types.Object) -> None:
    detection = detected(head, ASSETS)
    assert detection.convention.name == "arkit52"
    assert len(detection.keys) == 52
    basis = coordinates(head, "Basis")
    still = [
        block.name
        for block in head.data.shape_keys.key_blocks[1:]
        if np.abs(coordinates(head, block.name) - basis).max() < 1e-4
    ]
    assert not still


def test_the_head_wears_its_textures(head: bpy.types.Object) -> None:
    """Each material brings an image inside the file, and the skin's texture is not one flat colour."""
    images = {
        slot.material.name: [node.image for node in slot.material.node_tree.nodes if node.type == "TEX_IMAGE"]
        for slot in head.material_slots
    }
    assert {name.split(".")[0] for name in images} == {"skin", "eyes", "teeth", "tongue"}
    assert all(len(found) == 1 and found[0].packed_file for found in images.values())
    (skin,) = next(found for name, found in images.items() if name.startswith("skin"))
    pixels = np.empty(len(skin.pixels), np.float32)
    skin.pixels.foreach_get(pixels)
    assert pixels.reshape(-1, 4)[:, :3].std(0).min() > 0.02


def test_mouth_close_seals_the_lips_of_the_open_jaw(head: bpy.types.Object) -> None:
    """What ARKit means by mouthClose: at the weight of jawOpen the lips touch."""
    basis, jaw = coordinates(head, "Basis"), coordinates(head, "jawOpen")
    close = coordinates(head, "mouthClose") - basis
    middle = (np.abs(basis[:, 0]) < 0.0005) & (-basis[:, 1] > 0.15)
    drop = (jaw - basis)[:, 2]
    lower = np.flatnonzero(middle & (drop < -0.025))
    upper = np.flatnonzero(middle & (drop > -0.008))
    lower = lower[np.argmax(basis[lower, 2])]
    upper = upper[np.argmin(basis[upper, 2])]
    opened = jaw[upper, 2] - jaw[lower, 2]
    sealed = opened + close[upper, 2] - close[lower, 2]
    rest = basis[upper, 2] - basis[lower, 2]
    assert opened - rest > 0.02
    assert abs(sealed - rest) < 0.05 * (opened - rest)


def test_words_and_phones_of_the_sample_voice_follow_each_other() -> None:
    words = json.loads((ASSETS / "audio" / "demo_voice.json").read_text("utf-8"))["words"]
    times = [time for word in words for phone in word["phones"] for time in (phone["start"], phone["end"])]
    assert times == sorted(times)
    assert {phone["phone"] for word in words for phone in word["phones"]} >= {"p", "b", "m", "f", "v", "u"}
