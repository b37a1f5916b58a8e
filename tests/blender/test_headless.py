"""`blender -b face.blend --command unitalker animate ...`, by the function that Blender calls."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from tests.blender.conftest import keyed, sound_strips
from unitalker_blender import headless

pytestmark = pytest.mark.usefixtures("fake")


def run(*arguments: object) -> int:
    return headless.run(["animate", *map(str, arguments)])


def open_result(path: Path) -> bpy.types.Object:
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.data.objects["Face"]


def test_saves_a_file_that_speaks(face, make_sound, awkward) -> None:
    output = awkward / "out.blend"
    assert run("--audio", make_sound(20.0), "--object", "Face", "--output", output) == 0
    assert len(keyed(open_result(output))) == 51
    assert bpy.context.scene.frame_end == 480
    assert len(sound_strips()) == bpy.app.build_options.audaspace


def test_all_settings_are_options(face, make_sound, tmp_path) -> None:
    output = tmp_path / "out.blend"
    options = "--model fake --head arkit_fake --identity someone --intensity 0.5 --smoothing 0.1 --frame-start 100"
    more = "--no-sound --keep-range --device cpu --identity-b pivot --preset neutral --engine auto --blend 3"
    keys = (
        "--where named_action --action Talk --density nth --key-step 2 --interpolation bezier --span 100 300 --blend 3"
    )
    direction = ["--direction", '{"articulation": 1.5}']
    sound = make_sound(20.0)
    assert run("--audio", sound, "--output", output, *options.split(), *more.split(), *keys.split(), *direction) == 0
    assert face.unitalker.direction.articulation == 1.5
    curve = keyed(open_result(output))["jawOpen"]
    assert curve[:, 0].tolist() == list(range(100, 301, 2))
    assert curve[:, 1].max() <= 0.5
    assert bpy.context.scene.frame_end == 250
    assert sound_strips() == []


def test_only_face_is_found_without_its_name(make_face, make_sound, tmp_path) -> None:
    make_face()
    make_face("Cloth", ("wind",))
    make_face("Cube", ())
    output = tmp_path / "out.blend"
    assert run("--audio", make_sound(0.5), "--output", output) == 0
    assert len(keyed(open_result(output))) == 51


def test_two_faces_without_an_active_one_have_to_be_named(make_face, make_sound, tmp_path, capsys) -> None:
    make_face("One")
    make_face("Two")
    bpy.context.view_layer.objects.active = None
    assert run("--audio", make_sound(0.5), "--output", tmp_path / "out.blend") == 1
    assert "No object is selected" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("missing/out.blend", "there is no folder"),
        ("out.docx", "has to end in .blend, .glb"),
        ("folder.blend", "it is a folder"),
    ],
)
def test_output_that_cannot_be_written_is_told_before_the_work(
    face, make_sound, tmp_path, capsys, output, text
) -> None:
    (tmp_path / "folder.blend").mkdir()
    assert run("--audio", make_sound(0.5), "--output", tmp_path / output) == 1
    assert text in capsys.readouterr().err
    assert face.data.shape_keys.animation_data is None


@pytest.mark.parametrize("mode", ["die_midway", "no_engines", "refuse"])
def test_failure_has_an_exit_code_and_leaves_no_file(face, make_sound, tmp_path, capsys, fake, mode) -> None:
    fake(mode)
    output = tmp_path / "out.blend"
    assert run("--audio", make_sound(0.5), "--output", output) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.glob("out*")) == []


def test_wrong_arguments_have_their_own_exit_code(capsys) -> None:
    assert run("--audio", "voice.wav") == 2
    assert "--output" in capsys.readouterr().err
    assert headless.run(["--help"]) == 0
    assert headless.run([]) == 2
