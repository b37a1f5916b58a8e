"""Motion files onto shape keys: named, mapped and directed as a spoken sound is."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from tests.blender.conftest import ARKIT_51, everything, keyed, sound_strips
from tests.blender.test_real_heads import load, needs_model
from unitalker_blender import headless, takes
from unitalker_blender.operators import stepping

FPS = 24


def import_motion(**arguments: Any) -> set[str]:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}
    return bpy.ops.unitalker.import_motion(**plain)


def live_link_take(path: Path, frames: int = 120, rate: int = 60) -> np.ndarray:
    """Write a take as the app does, at 60 frames a second; its weights, in the order of `ARKIT_51`."""
    weights = np.random.default_rng(0).uniform(0, 0.9, (frames, 51)).round(6)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in ARKIT_51)])
        for index, row in enumerate(weights):
            seconds, frame = divmod(index, rate)
            writer.writerow([f"14:03:{seconds:02}:{frame:02}.000", 51, *row])
    return weights


@pytest.fixture
def scene_at_24() -> None:
    bpy.context.scene.render.fps = FPS


@needs_model
@pytest.mark.usefixtures("scene_at_24")
@pytest.mark.parametrize(
    "head", ["ict_head_arkit.glb", "ict_face_native_names.glb", "makehuman_head_arkit_visemes.glb"]
)
def test_a_recorded_take_lands_on_real_heads_as_it_was_recorded(heads, tmp_path, head) -> None:
    face = load(heads / head)
    recorded = live_link_take(tmp_path / "MySlate_1_iPhone.csv")
    assert import_motion(motion=tmp_path / "MySlate_1_iPhone.csv", frame_start=11) == {"FINISHED"}
    curves = keyed(face)
    names = {name.lower().replace("_", "") for name in curves}
    assert {"jawopen", "mouthpucker"} <= names
    jaw = next(curve for name, curve in curves.items() if name.lower().replace("_", "") == "jawopen")
    assert (jaw[0, 0], len(jaw)) == (11, 48)
    # Every second frame at 24 falls on a fifth frame at 60.
    assert np.allclose(jaw[::2, 1], recorded[::5, ARKIT_51.index("jawOpen")], atol=1e-5)
    assert takes.active(face).head == "live_link_face"


@needs_model
@pytest.mark.usefixtures("scene_at_24")
def test_what_was_imported_is_directed(make_face, tmp_path, make_sound) -> None:
    face = make_face()
    recorded = live_link_take(tmp_path / "take.csv")
    direction = json.dumps({"intensity": 0.5})
    import_motion(motion=tmp_path / "take.csv", motion_sound=make_sound(2.0), direction=direction)
    jaw = keyed(face)["jawOpen"][::2, 1]
    assert np.allclose(jaw, recorded[::5, ARKIT_51.index("jawOpen")] / 2, atol=1e-5)
    assert len(sound_strips()) == bpy.app.build_options.audaspace


@needs_model
@pytest.mark.usefixtures("scene_at_24")
@pytest.mark.parametrize(
    ("content", "text"),
    [("Dear reader,", "no header and rows"), ("Timecode,JawOpen\n00:00:00:00,nan\n", "nan"), ("Foot\n1\n", "Timecode")],
)
def test_a_bad_file_is_said_and_changes_nothing(face, tmp_path, content, text) -> None:
    (tmp_path / "bad.csv").write_text(content)
    before = everything()
    with pytest.raises(RuntimeError, match=text):
        import_motion(motion=tmp_path / "bad.csv")
    assert everything() == before


@pytest.mark.usefixtures("fake")
def test_a_file_that_is_not_there_and_none_at_all_are_said(face, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="There is no motion file"):
        import_motion(motion=tmp_path / "gone.csv")
    with pytest.raises(RuntimeError, match="No motion file is chosen"):
        import_motion()


@pytest.mark.usefixtures("fake")
def test_vertices_in_a_file_are_no_weights_but_move_a_mesh(face, tmp_path) -> None:
    (tmp_path / "mesh.npz").touch()
    with pytest.raises(RuntimeError, match="press Animate Vertices"):
        import_motion(motion=tmp_path / "mesh.npz")
    arguments = {"motion": str(tmp_path / "mesh.npz"), "new_mesh": True, "add_sound": False}
    assert bpy.ops.unitalker.animate_vertices(**arguments) == {"FINISHED"}
    assert len(keyed(bpy.data.objects["UniTalker Face"])) == 3


@pytest.mark.usefixtures("fake")
def test_panel_settings_are_used_where_no_argument_is_given(face, tmp_path) -> None:
    (tmp_path / "take.csv").touch()
    bpy.context.scene.unitalker_interchange.motion = str(tmp_path / "take.csv")
    assert import_motion() == {"FINISHED"}
    assert takes.active(face).name == "take"
    assert sound_strips() == []


@pytest.mark.usefixtures("fake")
def test_a_motion_file_by_command(face, tmp_path, capsys) -> None:
    (tmp_path / "take.csv").touch()
    output = tmp_path / "out.blend"
    assert headless.run(["animate", "--motion", str(tmp_path / "take.csv"), "--output", str(output)]) == 0
    assert len(keyed(face)) == 51
    assert headless.run(["animate", "--output", str(output)]) == 1
    assert "--motion" in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
def test_importing_can_be_cancelled(face, fake, tmp_path) -> None:
    fake("slow")
    (tmp_path / "take.csv").touch()
    from unitalker_blender import animate_settings, backend_session
    from unitalker_blender.animation_job import AnimationJob

    options = animate_settings.options(bpy.context, {"motion": str(tmp_path / "take.csv"), "motion_sound": ""})
    job = AnimationJob(bpy.context.scene, options, backend_session.get())
    while job.fraction == 0:
        job.step(0.1)
    job.cancel()
    while not job.step(0.1):
        pass
    assert job.cancelled
    job.close()
    assert takes.active(face) is None
    assert stepping.running() is None


@needs_model
@pytest.mark.usefixtures("scene_at_24")
def test_a_head_of_vowels_speaks_a_recorded_take(heads, tmp_path) -> None:
    face = load(heads / "godette_named.glb")
    live_link_take(tmp_path / "take.csv")
    import_motion(motion=tmp_path / "take.csv")
    curves = keyed(face)
    assert {"ah", "ih", "uu", "ee", "oh", "blink_left"} <= set(curves)
    assert all(np.ptp(curves[name][:, 1]) > 0.1 for name in ("ah", "uu", "blink_left"))
