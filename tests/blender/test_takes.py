"""Takes: each performance can be gone back to, copied and thrown away, and nothing else is."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest

from tests.blender.conftest import animate, everything, keyed

pytestmark = pytest.mark.usefixtures("fake")


def names(face: bpy.types.Object) -> list[str]:
    return [take.name for take in face.unitalker.takes]


def jaw_peak(face: bpy.types.Object) -> float:
    return float(keyed(face)["jawOpen"][:, 1].max())


def test_take_tells_what_it_is(face, make_sound) -> None:
    sound = make_sound(1.0)
    animate(filepath=sound, frame_start=5, identity="someone", intensity=0.5)
    (take,) = face.unitalker.takes
    assert (take.name, take.audio, take.head, take.identity) == (sound.stem, str(sound), "arkit_fake", "someone")
    assert (take.frame_start, take.span_start, take.span_end) == (5, 5, 28)
    assert "frames 5 to 28" in take.summary
    assert json.loads(take.quality)["range"] == pytest.approx(0.5, abs=0.01)
    assert take.actions[0].action == face.data.shape_keys.animation_data.action


def test_switching_plays_the_other_take_with_its_sliders(face, make_sound) -> None:
    animate(filepath=make_sound(1.0), intensity=0.5)
    animate(filepath=make_sound(1.0), intensity=0.25)
    assert jaw_peak(face) == pytest.approx(0.25, abs=0.01)
    face.unitalker.active = 0
    assert jaw_peak(face) == pytest.approx(0.5, abs=0.01)
    assert face.unitalker.direction.intensity == 0.5
    face.unitalker.active = 1
    assert face.unitalker.direction.intensity == 0.25


def test_same_sound_again_makes_a_take_or_replaces_one(face, make_sound) -> None:
    sound = make_sound(2.0)
    animate(filepath=sound, intensity=0.5)
    action = face.data.shape_keys.animation_data.action
    animate(filepath=sound, intensity=0.25, frame_start=30, again="UPDATE_TAKE")
    assert len(face.unitalker.takes) == len(bpy.data.actions) == 1
    assert face.data.shape_keys.animation_data.action == action
    assert keyed(face)["jawOpen"][[0, -1], 0].tolist() == [30, 77]
    animate(filepath=sound, intensity=0.1)
    assert names(face) == [sound.stem, f"{sound.stem} 2"]


def test_take_edited_by_hand_is_not_replaced(face, make_sound, warnings) -> None:
    sound = make_sound(1.0)
    animate(filepath=sound, add_sound=False)
    edited = face.data.shape_keys.animation_data.action
    face.data.shape_keys.key_blocks["jawOpen"].value = 0.123
    face.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=7)
    animate(filepath=sound, add_sound=False, again="UPDATE_TAKE")
    assert len(face.unitalker.takes) == 2
    assert face.unitalker.takes[0].actions[0].action == edited
    assert any("edited by hand" in text for text in warnings)
    face.unitalker.active = 0
    assert keyed(face)["jawOpen"][6, 1] == pytest.approx(0.123)


def test_duplicate_is_independent(face, make_sound) -> None:
    animate(filepath=make_sound(1.0), intensity=0.5)
    original = face.data.shape_keys.animation_data.action
    assert bpy.ops.unitalker.duplicate_take() == {"FINISHED"}
    assert face.data.shape_keys.animation_data.action != original
    face.unitalker.direction.intensity = 0.25
    assert bpy.ops.unitalker.update() == {"FINISHED"}
    assert jaw_peak(face) == pytest.approx(0.25, abs=0.01)
    face.unitalker.active = 0
    assert jaw_peak(face) == pytest.approx(0.5, abs=0.01)


def test_delete_takes_the_action_along_and_plays_the_next(face, make_sound) -> None:
    for intensity in (0.2, 0.4, 0.6):
        animate(filepath=make_sound(1.0), intensity=intensity)
    face.unitalker.active = 1
    assert bpy.ops.unitalker.delete_take() == {"FINISHED"}
    assert len(face.unitalker.takes) == len(bpy.data.actions) == 2
    assert jaw_peak(face) == pytest.approx(0.6, abs=0.01)
    bpy.ops.unitalker.delete_take()
    bpy.ops.unitalker.delete_take()
    assert len(bpy.data.actions) == 0
    assert face.unitalker.active == -1
    assert [block.name for block in list(face.data.shape_keys.key_blocks)[1:] if block.value] == []
    with pytest.raises(RuntimeError, match="There is no take"):
        bpy.ops.unitalker.delete_take()


def test_delete_leaves_the_artists_action(face, make_sound) -> None:
    face.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=200)
    own = face.data.shape_keys.animation_data.action
    animate(filepath=make_sound(1.0), where="CURRENT_ACTION")
    bpy.ops.unitalker.delete_take()
    assert face.data.shape_keys.animation_data.action == own
    assert keyed(face)["jawOpen"][-1, 0] == 200


def test_nla_takes_of_the_same_time_are_heard_one_at_a_time(face, make_sound) -> None:
    for intensity in (0.5, 0.25):
        animate(filepath=make_sound(1.0), where="NLA_TRACK", intensity=intensity, add_sound=False)
    tracks = face.data.shape_keys.animation_data.nla_tracks
    assert [track.mute for track in tracks] == [True, False]
    face.unitalker.active = 0
    assert [track.mute for track in tracks] == [False, True]
    bpy.ops.unitalker.duplicate_take()
    assert [track.mute for track in tracks] == [True, True, False]
    bpy.ops.unitalker.delete_take()
    assert len(tracks) == 2
    assert sorted(track.mute for track in tracks) == [False, True]


def test_nla_takes_of_other_times_go_on(face, make_sound) -> None:
    for start in (1, 100):
        animate(filepath=make_sound(1.0), where="NLA_TRACK", frame_start=start, add_sound=False)
    face.unitalker.active = 0
    assert not any(track.mute for track in face.data.shape_keys.animation_data.nla_tracks)


def test_takes_survive_saving_and_renaming(face, make_sound, tmp_path) -> None:
    animate(filepath=make_sound(1.0), intensity=0.5)
    animate(filepath=make_sound(1.0), intensity=0.25)
    face.name = "Renamed"
    path = str(tmp_path / "takes.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    face = bpy.data.objects["Renamed"]
    face.unitalker.active = 0
    assert jaw_peak(face) == pytest.approx(0.5, abs=0.01)


def test_take_whose_action_was_removed_says_so(face, make_sound) -> None:
    animate(filepath=make_sound(0.5))
    bpy.data.actions.remove(face.data.shape_keys.animation_data.action)
    with pytest.raises(RuntimeError, match=r"Action of the take .* was removed"):
        bpy.ops.unitalker.update()
    bpy.ops.unitalker.delete_take()
    assert names(face) == []


def test_undo_takes_the_take_back(face, make_sound) -> None:
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.unitalker.animate("EXEC_DEFAULT", True, filepath=str(make_sound(1.0)))
    assert len(bpy.data.objects["Face"].unitalker.takes) == 1
    bpy.ops.ed.undo()
    assert names(bpy.data.objects["Face"]) == []


def test_failed_run_makes_no_take(face, make_sound, fake) -> None:
    animate(filepath=make_sound(0.5))
    before = everything(), names(face)
    fake("nan")
    bpy.ops.unitalker.check_backend.poll()
    from unitalker_blender import backend_session

    backend_session.close()
    with pytest.raises(RuntimeError):
        animate(filepath=make_sound(1.0))
    assert (everything(), names(face)) == before


def test_widening_lets_through_what_was_cut(face, make_sound) -> None:
    animate(filepath=make_sound(1.0), intensity=1.5)
    (take,) = face.unitalker.takes
    assert jaw_peak(face) == 1.0
    assert bpy.ops.unitalker.widen_ranges() == {"FINISHED"}
    bpy.ops.unitalker.update()
    assert jaw_peak(face) > 1.4
    assert json.loads(take.beyond) == {}
    np.testing.assert_allclose(face.data.shape_keys.key_blocks["jawOpen"].slider_max, 1.5, atol=0.02)


def test_widening_acts_on_all_meshes_of_the_character(make_face, fake, make_sound) -> None:
    face, teeth = make_face("Face"), make_face("Teeth", ("jawOpen", "other"))
    bpy.context.view_layer.objects.active = face
    face.data.shape_keys.key_blocks["jawOpen"].slider_max = 2.0
    animate(filepath=make_sound(1.0), intensity=1.5)
    assert jaw_peak(teeth) == 1.0
    assert bpy.ops.unitalker.widen_ranges() == {"FINISHED"}
    bpy.ops.unitalker.update()
    assert jaw_peak(teeth) > 1.4
    assert jaw_peak(teeth) == pytest.approx(jaw_peak(face))
    assert teeth.data.shape_keys.key_blocks["other"].slider_max == 1.0
