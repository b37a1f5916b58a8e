"""Each mistake gives one message that says what to do, and the file is as it was."""

from __future__ import annotations

import re
from collections.abc import Callable

import bpy
import pytest

from tests.blender.conftest import animate, everything, keyed

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def refuses() -> Callable[..., str]:
    """Runs Animate, which has to fail and change nothing; returns the message."""

    def run(**arguments: object) -> str:
        before = everything()
        with pytest.raises(RuntimeError) as caught:
            animate(**arguments)
        assert everything() == before
        return re.sub(r"\s+", " ", str(caught.value))

    return run


def test_nothing_selected(refuses, make_sound) -> None:
    assert "No object is selected. Select the mesh with the face" in refuses(filepath=make_sound(0.5))


def test_no_object_of_that_name(refuses, make_sound, face) -> None:
    message = refuses(filepath=make_sound(0.5), object="Nobody")
    assert "There is no object 'Nobody'" in message
    assert "Face" in message


def test_not_a_mesh_names_the_child_to_choose(refuses, make_sound, face) -> None:
    rig = bpy.data.objects.new("Rig", None)
    bpy.context.collection.objects.link(rig)
    face.parent = rig
    message = refuses(filepath=make_sound(0.5), object="Rig")
    assert "'Rig' is not a mesh. Choose the mesh with the face: Face." in message


@pytest.mark.parametrize("with_basis", [False, True])
def test_no_shape_keys(refuses, make_sound, make_face, with_basis) -> None:
    plain = make_face("Plain", ())
    if with_basis:
        plain.shape_key_add(name="Basis")
    assert "'Plain' has no shape keys. No mesh in the scene" in refuses(filepath=make_sound(0.5))
    make_face("Head")
    message = refuses(filepath=make_sound(0.5), object="Plain")
    assert "Choose a mesh that has shape keys: Head." in message


def test_none_recognised_says_what_was_looked_for(refuses, make_sound, make_face) -> None:
    make_face(keys=("smile", "frown"))
    message = refuses(filepath=make_sound(0.5))
    assert "None of the 2 shape keys of 'Face' (smile, frown)" in message
    assert "jawOpen" in message
    assert "Rename" in message


def test_head_without_weights(refuses, make_sound, face) -> None:
    assert "Choose a blendshape head" in refuses(filepath=make_sound(0.5), head="mesh_fake")


def test_absolute_shape_keys(refuses, make_sound, face) -> None:
    face.data.shape_keys.use_relative = False
    assert "Turn on Relative" in refuses(filepath=make_sound(0.5))


def test_all_keys_muted(refuses, make_sound, make_face) -> None:
    face = make_face(keys=("jawOpen",))
    face.data.shape_keys.key_blocks["jawOpen"].mute = True
    assert "muted: jawOpen" in refuses(filepath=make_sound(0.5))


def test_nla_tweak_mode(refuses, make_sound, face) -> None:
    animate(filepath=make_sound(0.5), add_sound=False)
    animation = face.data.shape_keys.animation_data
    animation.nla_tracks.new().strips.new("speech", 1, animation.action)
    animation.action = None
    animation.use_tweak_mode = True
    if animation.use_tweak_mode:
        assert "tweak mode" in refuses(filepath=make_sound(0.5))


def linked(path: str) -> bpy.types.Object:
    """The object Face of another file, linked into the open one."""
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.objects = ["Face"]
    face = target.objects[0]
    bpy.context.collection.objects.link(face)
    bpy.context.view_layer.objects.active = face
    return face


@pytest.fixture
def library(make_face, tmp_path) -> str:
    make_face()
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    return path


def test_linked_data(refuses, make_sound, library) -> None:
    linked(library)
    assert "are linked from another file" in refuses(filepath=make_sound(0.5))


def test_linked_data_made_local_can_be_animated(make_sound, library) -> None:
    face = linked(library)
    bpy.context.view_layer.objects.active = face
    local = face.make_local()
    local.data.make_local()
    bpy.context.view_layer.objects.active = local
    assert animate(filepath=make_sound(0.5)) == {"FINISHED"}


def test_library_override_of_the_mesh_can_be_animated_and_saved(make_sound, library, tmp_path) -> None:
    face = linked(library).override_create(remap_local_usages=True)
    face.data.override_create(remap_local_usages=True)
    assert animate(filepath=make_sound(0.5), object=face.name) == {"FINISHED"}
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    face = next(item for item in bpy.context.scene.objects if item.type == "MESH")
    assert len(keyed(face)) == 51


@pytest.mark.parametrize("name", ["missing.wav", "", "folder"])
def test_no_such_sound(refuses, face, tmp_path, name) -> None:
    (tmp_path / "folder").mkdir()
    message = refuses(filepath=tmp_path / name)
    assert "There is no sound file" in message
    assert "wav, flac, ogg or mp3" in message


def test_no_sound_chosen(refuses, face) -> None:
    assert "No sound file is chosen. Choose a wav" in refuses()


def test_sound_that_the_backend_refuses(refuses, face, make_sound, fake) -> None:
    fake("refuse")
    assert "This is not a sound file. Choose another." in refuses(filepath=make_sound(0.5))


def test_speech_beyond_the_last_frame(refuses, face, make_sound) -> None:
    assert "Choose an earlier Start Frame" in refuses(filepath=make_sound(0.5), frame_start=1_048_570)


def test_python_that_does_not_exist(refuses, face, make_sound, monkeypatch) -> None:
    monkeypatch.setenv("UNITALKER_PYTHON", "/no/such/python")
    message = refuses(filepath=make_sound(0.5))
    assert "There is no Python at /no/such/python, which UNITALKER_PYTHON names." in message


def test_no_python_at_all(refuses, face, make_sound, monkeypatch) -> None:
    monkeypatch.delenv("UNITALKER_PYTHON")
    message = refuses(filepath=make_sound(0.5))
    assert "No Python is set" in message
    assert "Preferences > Add-ons > UniTalker" in message


@pytest.mark.parametrize("mode", ["no_engines", "die_before_hello"])
def test_python_without_the_packages(refuses, face, make_sound, fake, mode) -> None:
    fake(mode)
    assert "-m pip install torch" in refuses(filepath=make_sound(0.5))


@pytest.mark.parametrize("mode", ["die_on_request", "die_midway", "die_before_result"])
def test_backend_that_dies(refuses, face, make_sound, fake, mode) -> None:
    fake(mode)
    assert "The backend stopped by itself (exit code 3)" in refuses(filepath=make_sound(0.5))
    fake("")
    assert animate(filepath=make_sound(0.5)) == {"FINISHED"}


@pytest.mark.parametrize("mode", ["nan", "truncated", "wrong_fps"])
def test_result_that_cannot_be_right(refuses, face, make_sound, fake, mode) -> None:
    fake(mode)
    assert "backend" in refuses(filepath=make_sound(0.5))


def test_failure_while_keys_are_written(refuses, face, make_sound, monkeypatch) -> None:
    animate(filepath=make_sound(0.5), add_sound=False)

    def fail(*_arguments: object) -> None:
        raise MemoryError("no memory for keys")

    monkeypatch.setattr("unitalker_blender.compat.assign_action", fail)
    assert "no memory for keys" in refuses(filepath=make_sound(1.0))
