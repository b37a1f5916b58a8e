"""What is written: the right values, on the right frames, into a new Action, and nothing of the user's is lost."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from tests.blender.conftest import ARKIT_51, animate, fcurves, keyed
from tests.client.fake_backend import made_up_values

pytestmark = pytest.mark.usefixtures("fake")


def test_every_channel_is_keyed_on_whole_frames(face, make_sound) -> None:
    assert animate(filepath=make_sound(1.0), frame_start=10) == {"FINISHED"}
    expected = made_up_values(24, 51)
    curves = keyed(face)
    assert set(curves) == set(ARKIT_51)
    for i, name in enumerate(ARKIT_51):
        assert curves[name][:, 0].tolist() == list(range(10, 34))
        np.testing.assert_allclose(curves[name][:, 1], expected[:, i], atol=1e-6)
    assert {point.interpolation for curve in fcurves(face.data.shape_keys) for point in curve.keyframe_points} == {
        "LINEAR"
    }


def test_mesh_moves_when_played(face, make_sound) -> None:
    animate(filepath=make_sound(1.0))
    expected = made_up_values(24, 51)
    for frame in (1, 8, 24):
        bpy.context.scene.frame_set(frame)
        mesh = face.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        heights = [vertex.co.z for vertex in mesh.vertices]
        np.testing.assert_allclose(heights, expected[frame - 1], atol=1e-5)


@pytest.mark.parametrize(("fps", "base", "frames"), [(24, 1.001, 48), (30, 1.001, 60), (25, 1.0, 50), (60, 1.0, 120)])
def test_motion_has_the_scenes_frame_rate(face, make_sound, fps, base, frames) -> None:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, base
    animate(filepath=make_sound(2.0))
    assert keyed(face)["jawOpen"][:, 0].tolist() == list(range(1, frames + 1))


def test_negative_start_frame(face, make_sound) -> None:
    animate(filepath=make_sound(1.0), frame_start=-20)
    assert keyed(face)["jawOpen"][[0, -1], 0].tolist() == [-20, 3]


def test_action_is_named_after_sound_and_object(face, make_sound) -> None:
    sound = make_sound(0.5)
    animate(filepath=sound)
    assert face.data.shape_keys.animation_data.action.name == f"{sound.stem} Face"


def test_previous_take_stays_by_being_a_take(face, make_sound, tmp_path) -> None:
    animate(filepath=make_sound(0.5))
    first = face.data.shape_keys.animation_data.action
    before = keyed(face)["jawOpen"]
    animate(filepath=make_sound(1.0))
    assert face.data.shape_keys.animation_data.action != first
    assert not first.use_fake_user
    path = str(tmp_path / "two takes.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    face = bpy.data.objects["Face"]
    face.unitalker.active = 0
    np.testing.assert_array_equal(keyed(face)["jawOpen"], before)


def test_action_of_the_artist_stays_in_the_file(face, make_sound) -> None:
    face.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    own = face.data.shape_keys.animation_data.action
    animate(filepath=make_sound(0.5))
    assert face.data.shape_keys.animation_data.action != own
    animate(filepath=make_sound(0.5))
    assert own.users == 2, "both takes know it"
    bpy.ops.unitalker.delete_take()
    bpy.ops.unitalker.delete_take()
    assert face.data.shape_keys.animation_data.action == own


def test_object_animation_and_other_shape_keys_stay(make_face, make_sound) -> None:
    face = make_face(keys=("jawOpen", "my own key"))
    face.keyframe_insert("location", frame=1)
    walk = face.animation_data.action
    face.data.shape_keys.key_blocks["my own key"].value = 0.7
    animate(filepath=make_sound(0.5))
    assert face.animation_data.action == walk
    assert set(keyed(face)) == {"jawOpen"}
    assert face.data.shape_keys.key_blocks["my own key"].value == pytest.approx(0.7)


def test_names_with_quotes_and_backslashes_are_keyed(make_face, make_sound) -> None:
    face = make_face(keys=('a"b\\c|jawOpen', "jaw_forward"))
    animate(filepath=make_sound(0.5))
    assert set(keyed(face)) == {'a"b\\c|jawOpen', "jaw_forward"}


def test_arguments_reach_the_backend(face, make_sound) -> None:
    animate(filepath=make_sound(0.5), intensity=0.5)
    np.testing.assert_allclose(keyed(face)["jawOpen"][:, 1], made_up_values(12, 51, 0.5)[:, ARKIT_51.index("jawOpen")])


def test_panel_settings_are_the_defaults(make_face, make_sound) -> None:
    chosen, _active = make_face("Chosen"), make_face("Active")
    settings = bpy.context.scene.unitalker
    settings.target, settings.filepath = chosen, str(make_sound(0.5))
    chosen.unitalker.direction.intensity = 0.25
    settings.frame_start, settings.extend_range = 100, False
    assert animate() == {"FINISHED"}
    assert keyed(chosen)["jawOpen"][0, 0] == 100
    assert keyed(chosen)["jawOpen"][:, 1].max() <= 0.25
    assert bpy.context.scene.frame_end == 250


def test_argument_wins_over_the_panel(make_face, make_sound) -> None:
    chosen, named = make_face("Chosen"), make_face("Named")
    settings = bpy.context.scene.unitalker
    settings.target, settings.frame_start = chosen, 100
    animate(filepath=make_sound(0.5), object="Named", frame_start=1)
    assert keyed(named)["jawOpen"][0, 0] == 1
    assert chosen.data.shape_keys.animation_data is None


def test_path_relative_to_the_blend_file(face, make_sound) -> None:
    sound = make_sound(0.5)
    bpy.ops.wm.save_as_mainfile(filepath=str(sound.with_name("face.blend")))
    assert animate(filepath=f"//{sound.name}") == {"FINISHED"}


def test_values_beyond_the_slider_are_cut_and_told(face, make_sound, warnings) -> None:
    animate(filepath=make_sound(0.5), intensity=2.0)
    assert keyed(face)["jawOpen"][:, 1].max() == 1.0
    assert any("slider" in text for text in warnings)


def test_wider_slider_lets_more_through(face, make_sound) -> None:
    face.data.shape_keys.key_blocks["jawOpen"].slider_max = 2.0
    animate(filepath=make_sound(1.0), intensity=2.0)
    assert keyed(face)["jawOpen"][:, 1].max() > 1.5


def test_muted_and_driven_keys_are_skipped_and_told(face, make_sound, warnings) -> None:
    blocks = face.data.shape_keys.key_blocks
    blocks["jawOpen"].mute = True
    blocks["mouthClose"].driver_add("value").driver.expression = "0.5"
    animate(filepath=make_sound(0.5))
    assert set(ARKIT_51) - set(keyed(face)) == {"jawOpen", "mouthClose"}
    assert "muted: jawOpen" in " ".join(warnings)
    assert "drivers move them: mouthClose" in " ".join(warnings)


def test_undo_takes_everything_back_in_one_step(face, make_sound) -> None:
    sound = make_sound(20.0)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.unitalker.animate("EXEC_DEFAULT", True, filepath=str(sound)) == {"FINISHED"}
    assert len(bpy.data.actions) == 1
    assert bpy.context.scene.frame_end == 480
    bpy.ops.ed.undo()
    face = bpy.data.objects["Face"]
    assert not face.data.shape_keys.animation_data or face.data.shape_keys.animation_data.action is None
    assert bpy.context.scene.frame_end == 250
    assert len(bpy.data.actions) == 0


def test_pinned_shape_key_is_told(face, make_sound, warnings) -> None:
    face.show_only_shape_key = True
    animate(filepath=make_sound(0.5))
    assert any("one shape key only" in text for text in warnings)


def test_keys_without_effect_are_told(face, make_sound, warnings) -> None:
    animate(filepath=make_sound(1.0), add_sound=False, intensity=0.3)
    assert warnings == []
    animation = face.data.shape_keys.animation_data
    track = animation.nla_tracks.new()
    track.strips.new("whisper", 1, animation.action)
    track.is_solo = True
    animate(filepath=make_sound(1.0), add_sound=False, intensity=1.0)
    assert any("do not follow" in text for text in warnings)


def test_nothing_to_warn_of_means_no_warning(face, make_sound, warnings) -> None:
    animate(filepath=make_sound(0.5), add_sound=False)
    assert warnings == []
    assert bpy.context.scene.frame_current == 1
