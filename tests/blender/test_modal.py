"""The button in a window: timer, Escape, Cancel, and Blender that takes the scene away meanwhile.

In the background Blender never calls `modal`, so a stand-in for the window drives the operator's code here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from tests.blender.conftest import animate, everything, keyed
from unitalker_blender import animation_job, backend_session
from unitalker_blender.animate_options import AnimateOptions
from unitalker_blender.animation_job import AnimationJob
from unitalker_blender.operators import stepping
from unitalker_blender.scene.action_placement import Placement

LIMIT = 20.0  # seconds after which a run in these tests counts as hanging


class Manager:
    """Stands in for the window manager."""

    windows = ()

    def __init__(self) -> None:
        self.timers: list[object] = []

    def event_timer_add(self, _interval: float, window: object) -> object:
        self.timers.append(object())
        return self.timers[-1]

    def event_timer_remove(self, timer: object) -> None:
        self.timers.remove(timer)

    def modal_handler_add(self, _operator: object) -> None:
        pass


class Window(stepping.SteppingOperator):
    """Animate as a window runs it, with the events that the test sends."""

    def __init__(self, options: AnimateOptions) -> None:
        sidebar = SimpleNamespace(type="UI", x=100, y=0, width=50, height=100)
        self.manager = Manager()
        self.context: Any = SimpleNamespace(
            window_manager=self.manager, window=None, area=SimpleNamespace(regions=[sidebar])
        )
        self.options = options
        self.told: list[str] = []
        self.state = self.invoke(self.context, None)

    def make_job(self, _context: object) -> AnimationJob:
        return AnimationJob(bpy.context.scene, self.options, backend_session.get())

    def report(self, _level: set[str], text: str) -> None:
        self.told.append(text)

    def send(self, kind: str, x: int = 0) -> set[str]:
        event = SimpleNamespace(type=kind, value="PRESS", mouse_x=x, mouse_y=10)
        self.state = self.modal(self.context, event)
        return self.state

    def tick_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT
        while not done():
            assert time.monotonic() < deadline, self.told
            self.send("TIMER")
            time.sleep(0.01)

    def ended(self) -> bool:
        return self.state in ({"FINISHED"}, {"CANCELLED"})

    def until_the_end(self) -> set[str]:
        self.tick_until(self.ended)
        assert stepping.running() is None
        assert self.manager.timers == []
        return self.state

    def until_it_works(self) -> None:
        self.tick_until(lambda: stepping.running() is not None and stepping.running().fraction > 0.5)


@pytest.fixture
def window(face, make_sound, fake) -> Iterator[Callable[[], Window]]:
    opened: list[Window] = []

    def start(placement: Placement | None = None) -> Window:
        opened.append(Window(AnimateOptions(target="Face", audio=make_sound(0.5), placement=placement)))
        return opened[-1]

    yield start
    for each in opened:
        each.cancel(each.context)


def test_timer_brings_it_to_its_end(window, face) -> None:
    running = window()
    assert running.state == {"RUNNING_MODAL"}
    assert running.send("MOUSEMOVE") == {"PASS_THROUGH"}
    assert running.until_the_end() == {"FINISHED"}
    assert len(keyed(face)) == 51


def test_cancel_button_leaves_the_scene_as_it_was(window, fake) -> None:
    fake("slow")
    before = everything()
    running = window()
    running.until_it_works()
    assert bpy.ops.unitalker.cancel() == {"FINISHED"}
    assert running.until_the_end() == {"CANCELLED"}
    assert everything() == before
    assert running.told == ["Cancelled; nothing was changed"]


def test_escape_counts_over_the_sidebar_only(window, fake) -> None:
    fake("slow")
    running = window()
    running.until_it_works()
    assert running.send("ESC", x=20) == {"PASS_THROUGH"}
    running.send("TIMER")
    assert not running.ended()
    running.send("ESC", x=120)
    assert running.until_the_end() == {"CANCELLED"}


def test_one_at_a_time(window, fake, make_sound) -> None:
    fake("slow")
    window()
    with pytest.raises(RuntimeError, match="already at work"):
        animate(filepath=make_sound(0.5))
    with pytest.raises(RuntimeError, match="at work"):
        bpy.ops.unitalker.check_backend()


def test_nothing_to_cancel_says_so() -> None:
    with pytest.raises(RuntimeError, match="not at work"):
        bpy.ops.unitalker.cancel()


def test_backend_that_dies_is_told_and_all_is_tidy(window, fake) -> None:
    fake("die_midway")
    before = everything()
    running = window()
    assert running.until_the_end() == {"CANCELLED"}
    assert "stopped by itself" in running.told[0]
    assert everything() == before


def test_object_renamed_meanwhile_is_found(window, face) -> None:
    running = window()
    face.name = "Renamed"
    assert running.until_the_end() == {"FINISHED"}
    assert len(keyed(face)) == 51


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda: bpy.data.objects.remove(bpy.data.objects["Face"]), "was deleted"),
        (lambda: bpy.context.scene.collection.objects.unlink(bpy.data.objects["Face"]), "was deleted"),
        (lambda: bpy.data.objects["Face"].shape_key_clear(), "no shape keys"),
        (lambda: setattr(bpy.context.scene.render, "fps", 30), "frame rate"),
        (lambda: bpy.ops.wm.read_homefile(use_empty=True), "was deleted"),
    ],
)
def test_scene_changed_meanwhile_is_told(window, change, text) -> None:
    running = window()
    change()
    before = everything()
    assert running.until_the_end() == {"CANCELLED"}
    assert text in running.told[0]
    assert everything() == before


def test_long_sound_is_written_in_steps_that_do_not_block(window, face, monkeypatch) -> None:
    monkeypatch.setattr(animation_job, "_WRITING_BUDGET", 0.0)
    running = window()
    running.tick_until(writing)
    assert face.data.shape_keys.animation_data is None
    assert running.until_the_end() == {"FINISHED"}
    assert len(keyed(face)) == 51


def writing() -> bool:
    job = stepping.running()
    return job is not None and job.text == "Writing the keys"


@pytest.mark.parametrize("where", ["NEW_ACTION", "CURRENT_ACTION"])
def test_cancel_while_keys_are_written_takes_them_back(window, face, monkeypatch, where) -> None:
    monkeypatch.setattr(animation_job, "_WRITING_BUDGET", 0.0)
    face.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=3)
    bpy.context.scene.frame_set(1)
    before, keys = everything(), keyed(face)["jawOpen"].tolist()
    running = window(Placement(where=where))
    running.tick_until(writing)
    running.send("TIMER")
    bpy.ops.unitalker.cancel()
    assert running.until_the_end() == {"CANCELLED"}
    assert everything() == before
    assert {name: value.tolist() for name, value in keyed(face).items()} == {"jawOpen": keys}


@pytest.mark.parametrize("where", ["NEW_ACTION", "CURRENT_ACTION"])
def test_undo_while_keys_are_written_ends_the_job(window, face, monkeypatch, where) -> None:
    monkeypatch.setattr(animation_job, "_WRITING_BUDGET", 0.0)
    face.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=3)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.ed.undo_push(message="something else")
    before = everything()
    running = window(Placement(where=where))
    running.tick_until(writing)
    running.send("TIMER")
    bpy.ops.ed.undo()
    assert running.until_the_end() == {"CANCELLED"}
    assert "undone" in running.told[0]
    assert everything() == before
    assert len(keyed(bpy.data.objects["Face"])) == 1


def test_blender_ending_the_operator_ends_the_job(window, fake) -> None:
    fake("slow")
    running = window()
    running.until_it_works()
    running.cancel(running.context)
    assert stepping.running() is None
    assert running.manager.timers == []
    fake("")
    backend_session.close()
    assert window().until_the_end() == {"FINISHED"}


def test_problem_at_the_start_is_told_at_once(window, face) -> None:
    face.shape_key_clear()
    running = window()
    assert running.state == {"CANCELLED"}
    assert "no shape keys" in running.told[0]
    assert stepping.running() is None
