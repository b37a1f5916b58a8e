"""Where a sound may come from besides a file dialogue: the sequencer, a Speaker, a file dropped onto the viewport."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from tests.blender.conftest import animate, keyed
from unitalker_blender import compat
from unitalker_blender.operators.sound import UNITALKER_FH_sound

pytestmark = pytest.mark.usefixtures("fake")

needs_sound = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="this bpy is built without sound")


def speaker(sound: Path, frame: float) -> bpy.types.Object:
    """A Speaker that plays a sound from `frame` on."""
    data = bpy.data.speakers.new("Loud")
    data.sound = bpy.data.sounds.load(str(sound))
    item = bpy.data.objects.new("Loud", data)
    bpy.context.collection.objects.link(item)
    return item


@needs_sound
def test_strip_gives_sound_and_start_frame(face, make_sound) -> None:
    strip = compat.sequencer_strips(bpy.context.scene).new_sound("line 1", str(make_sound(2.0)), 1, 40)
    assert animate(strip="line 1") == {"FINISHED"}
    assert keyed(face)["jawOpen"][[0, -1], 0].tolist() == [40, 87]
    strip.frame_offset_start = 10
    animate(strip="line 1")
    assert keyed(face)["jawOpen"][0, 0] == 40
    assert len(compat.sequencer_strips(bpy.context.scene)) == 1


@needs_sound
def test_panel_takes_a_strips_sound(face, make_sound) -> None:
    sound = make_sound(1.0)
    compat.sequencer_strips(bpy.context.scene).new_sound("line 1", str(sound), 1, -12)
    assert bpy.ops.unitalker.take_sound(source="STRIP", name="line 1") == {"FINISHED"}
    settings = bpy.context.scene.unitalker
    assert (settings.filepath, settings.frame_start) == (str(sound), -12)


def test_speaker_gives_its_sound(face, make_sound) -> None:
    speaker(make_sound(1.0), 1)
    bpy.context.scene.frame_start = 7
    assert animate(speaker="Loud", add_sound=False) == {"FINISHED"}
    assert keyed(face)["jawOpen"][0, 0] == 7


def test_sound_that_is_packed_has_no_file(face, make_sound) -> None:
    item = speaker(make_sound(1.0), 1)
    item.data.sound.pack()
    with pytest.raises(RuntimeError, match="packed into this file"):
        animate(speaker="Loud")


@pytest.mark.parametrize(("argument", "text"), [("strip", "no sound strip 'none'"), ("speaker", "no Speaker 'none'")])
def test_source_that_is_not_there(face, argument, text) -> None:
    with pytest.raises(RuntimeError, match=text):
        animate(**{argument: "none"})


def drop(*paths: Path) -> set[str]:
    return bpy.ops.unitalker.drop_sound(directory=str(paths[0].parent), files=[{"name": path.name} for path in paths])


def test_dropped_sound_is_the_one_that_is_spoken(face, make_sound) -> None:
    sound = make_sound(1.0)
    assert drop(sound) == {"FINISHED"}
    assert animate() == {"FINISHED"}
    assert face.unitalker.takes[0].audio == str(sound)


def test_several_dropped_sounds_are_queued(face, make_sound) -> None:
    drop(make_sound(0.5), make_sound(1.0))
    assert [item.target for item in bpy.context.scene.unitalker.queue] == [face, face]
    assert bpy.ops.unitalker.queue_run() == {"FINISHED"}
    assert len(face.unitalker.takes) == 2


def test_other_files_are_not_taken(face, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="Drop a wav"):
        drop(tmp_path / "notes.txt")
    assert bpy.context.scene.unitalker.filepath == ""
    assert ".txt" not in UNITALKER_FH_sound.bl_file_extensions
