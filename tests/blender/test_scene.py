"""Sound strip, frame range and playback: what Animate changes besides keys, and what it leaves alone."""

from __future__ import annotations

import bpy
import pytest

from tests.blender.conftest import animate, everything, sound_strips

pytestmark = pytest.mark.usefixtures("fake")

needs_sound = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="this bpy is built without sound")


@needs_sound
def test_sound_begins_where_the_face_begins(face, make_sound) -> None:
    sound = make_sound(1.0)
    animate(filepath=sound, frame_start=15)
    (strip,) = sound_strips()
    assert (strip.frame_start, strip.frame_final_duration, strip.channel) == (15, 24, 1)
    assert strip.sound.filepath == str(sound)


@needs_sound
def test_sound_goes_to_a_free_channel(face, make_sound) -> None:
    animate(filepath=make_sound(1.0), frame_start=1)
    animate(filepath=make_sound(1.5), frame_start=10)
    animate(filepath=make_sound(0.5), frame_start=100)
    assert sorted((strip.frame_start, strip.channel) for strip in sound_strips()) == [(1, 1), (10, 2), (100, 1)]


@needs_sound
def test_same_sound_is_not_doubled(face, make_sound) -> None:
    sound = make_sound(1.0)
    animate(filepath=sound)
    animate(filepath=sound, intensity=0.5)
    assert len(sound_strips()) == 1


@needs_sound
def test_playback_follows_the_sound(face, make_sound) -> None:
    assert bpy.context.scene.sync_mode == "NONE"
    animate(filepath=make_sound(0.5))
    assert bpy.context.scene.sync_mode == "AUDIO_SYNC"


@needs_sound
def test_users_choice_of_frame_dropping_stays(face, make_sound) -> None:
    bpy.context.scene.sync_mode = "FRAME_DROP"
    animate(filepath=make_sound(0.5))
    assert bpy.context.scene.sync_mode == "FRAME_DROP"


@pytest.mark.skipif(bpy.app.build_options.audaspace, reason="this bpy is built with sound")
def test_blender_without_sound_says_so_and_animates(face, make_sound, warnings) -> None:
    assert animate(filepath=make_sound(0.5)) == {"FINISHED"}
    assert any("without sound" in text for text in warnings)
    assert sound_strips() == []


def test_no_sound_when_not_asked(face, make_sound) -> None:
    animate(filepath=make_sound(0.5), add_sound=False)
    assert sound_strips() == []
    assert bpy.context.scene.sync_mode == "NONE"


@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [
        (1, 1.0, (1, 250)),
        (1, 20.0, (1, 480)),
        (240, 1.0, (1, 263)),
        (0, 1.0, (0, 250)),
        (-20, 1.0, (0, 250)),
    ],
)
def test_range_is_extended_and_never_shrinks(face, make_sound, start, seconds, expected) -> None:
    scene = bpy.context.scene
    animate(filepath=make_sound(seconds), frame_start=start)
    assert (scene.frame_start, scene.frame_end) == expected


def test_range_stays_when_not_asked(face, make_sound) -> None:
    animate(filepath=make_sound(20.0), extend_range=False)
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (1, 250)


def test_frame_that_the_user_looks_at_stays(face, make_sound) -> None:
    bpy.context.scene.frame_set(7, subframe=0.25)
    animate(filepath=make_sound(1.0))
    assert bpy.context.scene.frame_current_final == 7.25


def test_file_saved_after_animating_opens_with_it(face, make_sound, tmp_path) -> None:
    animate(filepath=make_sound(1.0), extend_range=False)
    before = everything()
    path = str(tmp_path / "speaking.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert everything() == before
