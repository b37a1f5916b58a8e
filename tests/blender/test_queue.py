"""Several characters and sounds, one after the other; what fails does not stop the rest."""

from __future__ import annotations

import bpy
import pytest

from tests.blender.conftest import everything, keyed
from tests.blender.test_modal import Window
from unitalker_blender.animate_options import AnimateOptions
from unitalker_blender.operators import stepping
from unitalker_blender.operators.queue import _make_item_job
from unitalker_blender.queue_job import QueueJob

pytestmark = pytest.mark.usefixtures("fake")


def enqueue(face: bpy.types.Object, sound: object, frame_start: int = 1) -> None:
    settings = bpy.context.scene.unitalker
    settings.target, settings.filepath, settings.frame_start = face, str(sound), frame_start
    assert bpy.ops.unitalker.queue_add() == {"FINISHED"}


def states() -> list[str]:
    return [item.state for item in bpy.context.scene.unitalker.queue]


class QueueWindow(Window):
    """The queue as a window runs it."""

    def __init__(self) -> None:
        super().__init__(AnimateOptions(target="", audio=None))

    def make_job(self, _context: object) -> QueueJob:
        return QueueJob(bpy.context.scene, _make_item_job)


def test_everything_that_waits_is_animated_with_its_own_sound_and_frame(make_face, make_sound) -> None:
    one, two = make_face("One"), make_face("Two")
    enqueue(one, make_sound(0.5), 10)
    enqueue(two, make_sound(1.0), 100)
    assert bpy.ops.unitalker.queue_run() == {"FINISHED"}
    assert keyed(one)["jawOpen"][[0, -1], 0].tolist() == [10, 21]
    assert keyed(two)["jawOpen"][[0, -1], 0].tolist() == [100, 123]
    assert states() == ["DONE", "DONE"]
    with pytest.raises(RuntimeError, match="Nothing waits"):
        bpy.ops.unitalker.queue_run()


def test_failures_are_collected_and_the_rest_is_done(make_face, make_sound) -> None:
    one, gone, two = make_face("One"), make_face("Gone"), make_face("Two")
    lost = make_sound(0.7)
    enqueue(one, lost)
    enqueue(gone, make_sound(0.5))
    enqueue(two, make_sound(0.5))
    lost.unlink()
    bpy.data.objects.remove(gone)
    assert bpy.ops.unitalker.queue_run() == {"FINISHED"}
    assert states() == ["FAILED", "FAILED", "DONE"]
    assert len(keyed(two)) == 51
    told = [message.text for message in stepping.messages()]
    assert "There is no sound file" in told[0]
    assert "is gone" in told[1]


def test_cancel_keeps_what_is_done(make_face, make_sound, fake) -> None:
    one, two = make_face("One"), make_face("Two")
    enqueue(one, make_sound(0.5))
    enqueue(two, make_sound(0.5))
    window = QueueWindow()
    window.tick_until(lambda: states()[0] == "DONE")
    bpy.ops.unitalker.cancel()
    assert window.until_the_end() == {"FINISHED"}
    assert "1 of 1 animated" in window.told[-1]
    assert states() == ["DONE", "WAITING"]
    assert two.data.shape_keys.animation_data is None


def test_cancel_of_the_first_changes_nothing(make_face, make_sound, fake) -> None:
    fake("slow")
    enqueue(make_face("One"), make_sound(0.5))
    before = everything()
    window = QueueWindow()
    window.until_it_works()
    bpy.ops.unitalker.cancel()
    assert window.until_the_end() == {"CANCELLED"}
    assert everything() == before
    assert states() == ["WAITING"]


def test_queue_changed_meanwhile_is_told(make_face, make_sound, fake) -> None:
    fake("slow")
    enqueue(make_face("One"), make_sound(0.5))
    window = QueueWindow()
    window.until_it_works()
    bpy.context.scene.unitalker.queue.clear()
    assert window.until_the_end() == {"CANCELLED"}
    assert "queue was changed" in window.told[-1]


def test_entries_can_be_taken_out(make_face, make_sound) -> None:
    for name in ("One", "Two"):
        enqueue(make_face(name), make_sound(0.5))
    bpy.context.scene.unitalker.queue_active = 0
    bpy.ops.unitalker.queue_remove()
    assert [item.target.name for item in bpy.context.scene.unitalker.queue] == ["Two"]
    bpy.ops.unitalker.queue_remove()
    with pytest.raises(RuntimeError, match="Nothing is selected"):
        bpy.ops.unitalker.queue_remove()
