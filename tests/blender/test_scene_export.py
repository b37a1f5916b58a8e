"""Scenes out of Blender and back: curves and timing survive, whatever the format."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest

from tests.blender.conftest import REPOSITORY, everything, keyed
from unitalker_blender import headless
from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.scene.scene_export import export_scene

FPS, FIRST, SCENE_START = 25, 11, 5
"""The face is keyed from frame 11 on, in a scene that starts at frame 5."""

HEAD = REPOSITORY / "assets" / "heads" / "makehuman_head.glb"


def fbx_import(filepath: str) -> Any:
    # From 4.5 on there is a second importer, which reads what the first one fails on.
    return (bpy.ops.wm.fbx_import if bpy.app.version >= (4, 5, 0) else bpy.ops.import_scene.fbx)(filepath=filepath)


IMPORTERS: dict[str, Callable[..., Any]] = {
    ".glb": lambda filepath: bpy.ops.import_scene.gltf(filepath=filepath),
    ".gltf": lambda filepath: bpy.ops.import_scene.gltf(filepath=filepath),
    ".usd": lambda filepath: bpy.ops.wm.usd_import(filepath=filepath),
    ".usda": lambda filepath: bpy.ops.wm.usd_import(filepath=filepath),
    ".usdc": lambda filepath: bpy.ops.wm.usd_import(filepath=filepath),
    ".usdz": lambda filepath: bpy.ops.wm.usd_import(filepath=filepath),
    ".fbx": fbx_import,
    ".abc": lambda filepath: bpy.ops.wm.alembic_import(filepath=filepath, as_background_job=False),
}

# A .glb begins at 0 where the scene begins; the FBX importers put time 0 at frame 1.
SHIFT = {".glb": -SCENE_START, ".gltf": -SCENE_START, ".fbx": 1}


@pytest.fixture
def speaking_head() -> dict[str, np.ndarray]:
    """The bundled head in the open file, keyed; its weights by shape key, one a frame from `FIRST` on."""
    bpy.ops.import_scene.gltf(filepath=str(HEAD))
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = FPS, SCENE_START, 60
    key = the_mesh().data.shape_keys
    curves = {name: np.abs(np.sin(np.arange(45) / rate)) for name, rate in (("jawOpen", 3.0), ("mouthPucker", 5.0))}
    for name, values in curves.items():
        for frame, value in enumerate(values):
            key.key_blocks[name].value = value
            key.key_blocks[name].keyframe_insert("value", frame=FIRST + frame)
    return curves


def the_mesh() -> bpy.types.Object:
    (mesh,) = [item for item in bpy.context.scene.objects if item.type == "MESH"]
    return mesh


def positions() -> np.ndarray:
    mesh = the_mesh().evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


@pytest.mark.parametrize("suffix", IMPORTERS)
def test_curves_and_timing_come_back(speaking_head, tmp_path, suffix) -> None:
    frames = [FIRST, FIRST + 4, FIRST + 9, FIRST + 44]
    expected = {}
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        expected[frame] = positions()
    export_scene(bpy.context.scene, tmp_path / f"head{suffix}")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FPS
    IMPORTERS[suffix](filepath=str(tmp_path / f"head{suffix}"))
    for frame in frames:
        bpy.context.scene.frame_set(frame + SHIFT.get(suffix, 0))
        assert np.allclose(positions(), expected[frame], atol=2e-5), frame
        if suffix != ".abc":
            blocks = the_mesh().data.shape_keys.key_blocks
            for name, values in speaking_head.items():
                assert blocks[name].value == pytest.approx(values[frame - FIRST], abs=1e-4)


def test_only_one_animation_is_in_a_glb_whatever_other_actions_there_are(speaking_head, tmp_path) -> None:
    spare = bpy.data.actions.new("an older take")
    spare.use_fake_user = True
    export_scene(bpy.context.scene, tmp_path / "head.glb")
    assert (tmp_path / "head.glb").read_bytes().count(b'"samplers":[{"input"') <= 1
    assert b"an older take" not in (tmp_path / "head.glb").read_bytes()


def test_exporting_leaves_the_scene_as_it_was(speaking_head, tmp_path) -> None:
    bpy.context.scene.frame_set(FIRST + 3)
    before = everything()
    for suffix in IMPORTERS:
        export_scene(bpy.context.scene, tmp_path / f"head{suffix}")
    assert everything() == before
    assert not list(tmp_path.glob(".unitalker-*"))


def test_a_second_export_replaces_the_first(speaking_head, tmp_path) -> None:
    outputs = [tmp_path / "head.gltf", tmp_path / "head.usdc"]
    for output in outputs:
        export_scene(bpy.context.scene, output)
    beside = sorted(path.name for path in tmp_path.iterdir())
    for output in outputs:
        output.write_text("an old one")
        export_scene(bpy.context.scene, output)
        assert output.read_bytes() != b"an old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == beside


def test_textures_replace_no_file_of_somebody_else(speaking_head, tmp_path) -> None:
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "skin.jpg").write_text("mine")
    with pytest.raises(UniTalkerError, match=r"skin\.jpg, which is another file"):
        export_scene(bpy.context.scene, tmp_path / "head.usdc")
    assert (tmp_path / "textures" / "skin.jpg").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["textures"]


@pytest.mark.parametrize(("suffix", "option"), [(".abc", "alembic"), (".usdc", "usd")])
def test_a_blender_without_a_writer_says_so(face, tmp_path, monkeypatch, suffix, option) -> None:
    class Without:
        alembic = usd = True

    setattr(Without, option, False)
    monkeypatch.setattr("unitalker_blender.scene.scene_export._build_options", lambda: Without)
    with pytest.raises(UniTalkerError, match="built without") as caught:
        export_scene(bpy.context.scene, tmp_path / f"head{suffix}")
    assert caught.value.code == "output.no_writer"


def test_animated_by_command_and_exported(fake, make_sound, tmp_path, capsys, awkward) -> None:
    bpy.ops.import_scene.gltf(filepath=str(HEAD))
    bpy.context.scene.render.fps = FPS
    output = awkward / "speaking.glb"
    arguments = ["--audio", str(make_sound(2.0)), "--frame-start", "11", "--output", str(output)]
    assert headless.run(["animate", *arguments]) == 0
    assert "starts at 0.400 s" in capsys.readouterr().out
    weights = keyed(the_mesh())["jawOpen"]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FPS
    bpy.ops.import_scene.gltf(filepath=str(output))
    for frame, value in weights[:: len(weights) // 7]:
        bpy.context.scene.frame_set(int(frame) - 1)
        assert the_mesh().data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(value, abs=1e-4)


def test_the_open_file_is_exported_by_command(speaking_head, tmp_path, capsys) -> None:
    assert headless.run(["export", "--output", str(tmp_path / "head.usdc")]) == 0
    assert (tmp_path / "head.usdc").is_file()
    assert headless.run(["export", "--output", str(tmp_path / "head.docx")]) == 1
    assert "has to end in .blend" in capsys.readouterr().err
    assert headless.run(["export"]) == 2


def test_a_full_or_closed_folder_leaves_nothing(speaking_head, tmp_path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    shutil.rmtree(folder)
    with pytest.raises(UniTalkerError, match="there is no folder"):
        export_scene(bpy.context.scene, folder / "head.glb")
    assert list(tmp_path.iterdir()) == []
