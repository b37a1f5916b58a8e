"""Heads that people use, and the real backend where there is one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender.conftest import REPOSITORY, animate, keyed
from unitalker_blender.scene.rig_resolution import detected
from unitalker_blender.scene.target import has_shape_keys

MODEL = REPOSITORY / "assets/models/unitalker-s/model.safetensors"

needs_model = pytest.mark.skipif(
    not (MODEL.exists() and os.environ.get("UNITALKER_PYTHON")),
    reason="needs assets/models/unitalker-s and UNITALKER_PYTHON",
)


def load(path: Path) -> bpy.types.Object:
    """Import a glTF file; its mesh with shape keys becomes the active object."""
    bpy.ops.import_scene.gltf(filepath=str(path))
    face = max((item for item in bpy.data.objects if has_shape_keys(item)), key=lambda item: len(item.data.vertices))
    bpy.context.view_layer.objects.active = face
    return face


@pytest.mark.parametrize(
    ("name", "convention", "count"),
    [
        ("makehuman_head_arkit_visemes.glb", "arkit52", 51),  # and tongueOut, which heads may lack
        ("ict_head_arkit.glb", "arkit52", 51),
        ("ict_face_native_names.glb", "ict", 53),
        ("godette_named.glb", "vrm", 5),
    ],
)
def test_shapes_of_a_head_are_recognised(heads, name, convention, count) -> None:
    detection = detected(load(heads / name), REPOSITORY / "assets")
    assert (detection.convention.name, detection.found, detection.share) == (convention, count, 1.0)


def test_both_halves_of_a_shape_are_keyed(heads, fake, make_sound) -> None:
    face = load(heads / "ict_face_native_names.glb")
    animate(filepath=make_sound(0.5))
    curves = keyed(face)
    np.testing.assert_array_equal(curves["browInnerUp_L"], curves["browInnerUp_R"])
    assert "cheekRaiser_L" not in curves


def mouth_travel(face: bpy.types.Object, frames: range) -> np.ndarray:
    """How far the vertices that jawOpen moves most are from their place in the first frame, per frame, in metres."""
    blocks = face.data.shape_keys.key_blocks
    count = len(face.data.vertices)
    basis, opened = np.empty(3 * count, np.float32), np.empty(3 * count, np.float32)
    blocks[0].data.foreach_get("co", basis)
    blocks["jawOpen"].data.foreach_get("co", opened)
    moved = np.linalg.norm((opened - basis).reshape(-1, 3), axis=1)
    chin = np.argsort(moved)[-20:]
    positions = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        mesh = face.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        current = np.empty(3 * count, np.float32)
        mesh.vertices.foreach_get("co", current)
        positions.append(current.reshape(-1, 3)[chin])
    return np.linalg.norm(np.array(positions) - positions[0], axis=2).mean(axis=1) / moved[chin].mean()


@needs_model
@pytest.mark.parametrize("name", ["makehuman_head_arkit_visemes.glb", "ict_head_arkit.glb"])
def test_real_speech_moves_a_real_head(heads, shared, name) -> None:
    face = load(heads / name)
    assert animate(filepath=shared / "speech/jfk_16k.wav") == {"FINISHED"}
    curves = keyed(face)
    assert len(curves) >= 51
    assert all(np.isfinite(curve).all() for curve in curves.values())
    # jfk_16k.wav lasts 11.0 s; the scene plays 24 frames per second.
    assert len(curves["jawOpen"]) == 264
    travel = mouth_travel(face, range(1, 265, 3))
    assert travel.max() > 0.2


@needs_model
def test_real_backend_refuses_a_text_file(face, tmp_path) -> None:
    text = tmp_path / "notes.wav"
    text.write_text(json.dumps({"this": "is not sound"}))
    with pytest.raises(RuntimeError, match=r"notes\.wav"):
        animate(filepath=text)
    assert face.data.shape_keys.animation_data is None
