"""Sliders that act on what is animated already, and leave alone what somebody has made of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest

from tests.blender.conftest import REPOSITORY, animate, everything, fcurves, keyed
from tests.blender.test_real_heads import load, needs_model
from unitalker_blender import backend_session, live_direction, take_actions
from unitalker_blender.operators import stepping
from unitalker_blender.settings import direction as directions

LIMIT = 20.0  # seconds after which a run in these tests counts as hanging


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Blender with a window: the timer is registered; call the fixture to let it run until it is done."""
    registered: list[Callable[[], float | None]] = []
    timers = bpy.app.timers

    class App:
        background = False
        handlers = bpy.app.handlers

        class timers:  # noqa: N801
            register = staticmethod(lambda function, first_interval: registered.append(function))
            is_registered = staticmethod(lambda function: function in registered)

    assert timers
    fake_bpy = type("Bpy", (), {"app": App, "context": bpy.context, "data": bpy.data, "types": bpy.types})
    monkeypatch.setattr(live_direction, "bpy", fake_bpy)

    def run() -> None:
        deadline = time.monotonic() + LIMIT
        while registered:
            assert time.monotonic() < deadline
            interval = registered[0]()
            if interval is None:
                registered.pop(0)
            else:
                time.sleep(min(interval, 0.01))

    return run


def jaw_peak(face: bpy.types.Object) -> float:
    return float(keyed(face)["jawOpen"][:, 1].max())


@pytest.fixture
def spoken(fake, face, make_sound) -> bpy.types.Object:
    """A face with one take at full intensity."""
    animate(filepath=make_sound(1.0), add_sound=False)
    return face


def test_slider_moves_the_keys_of_the_same_action(spoken, window) -> None:
    action = spoken.data.shape_keys.animation_data.action
    spoken.unitalker.direction.intensity = 0.5
    assert jaw_peak(spoken) > 0.9
    window()
    assert jaw_peak(spoken) == pytest.approx(0.5, abs=0.01)
    assert spoken.data.shape_keys.animation_data.action == action
    assert len(bpy.data.actions) == 1


def test_latest_value_wins(spoken, window) -> None:
    for value in (0.9, 0.2, 0.7, 0.4):
        spoken.unitalker.direction.intensity = value
    window()
    assert jaw_peak(spoken) == pytest.approx(0.4, abs=0.01)


def test_slider_moved_while_an_older_one_is_acted_on(spoken, window, monkeypatch) -> None:
    start = live_direction._start

    def move_again(uid: int) -> None:
        start(uid)
        if spoken.unitalker.direction.intensity != 0.25:
            spoken.unitalker.direction.intensity = 0.25

    monkeypatch.setattr(live_direction, "_start", move_again)
    spoken.unitalker.direction.intensity = 0.5
    window()
    assert jaw_peak(spoken) == pytest.approx(0.25, abs=0.01)


def test_nothing_happens_by_itself_when_live_is_off(spoken, window) -> None:
    spoken.unitalker.direction.live = False
    spoken.unitalker.direction.intensity = 0.5
    window()
    assert jaw_peak(spoken) > 0.9
    assert bpy.ops.unitalker.update() == {"FINISHED"}
    assert jaw_peak(spoken) == pytest.approx(0.5, abs=0.01)


def test_preset_sets_the_sliders_and_the_keys(spoken, window) -> None:
    spoken.unitalker.direction.intensity = 0.5
    window()
    bpy.ops.unitalker.preset(name="neutral")
    window()
    assert jaw_peak(spoken) > 0.9
    assert spoken.unitalker.takes[0].preset == "neutral"


def test_keys_edited_by_hand_are_kept_and_told_and_the_others_follow(spoken, window) -> None:
    curve = next(curve for curve in fcurves(spoken.data.shape_keys) if "jawOpen" in curve.data_path)
    curve.keyframe_points[5].co.y = 0.123
    spoken.unitalker.direction.intensity = 0.5
    window()
    assert keyed(spoken)["jawOpen"][5, 1] == pytest.approx(0.123)
    assert keyed(spoken)["mouthClose"][:, 1].max() == pytest.approx(0.5, abs=0.01)
    assert "1 curves were edited by hand" in live_direction.problem(spoken)
    assert "jawOpen" in live_direction.problem(spoken)
    assert spoken.unitalker.takes[0].edited == 1


def test_edited_keys_go_into_a_take_of_their_own_or_are_overwritten(spoken) -> None:
    curve = next(curve for curve in fcurves(spoken.data.shape_keys) if "jawOpen" in curve.data_path)
    curve.keyframe_points[5].co.y = 0.123
    spoken.unitalker.direction.intensity = 0.5
    bpy.ops.unitalker.update(edited="NEW_TAKE")
    assert len(spoken.unitalker.takes) == 2
    assert jaw_peak(spoken) == pytest.approx(0.5, abs=0.01)
    spoken.unitalker.active = 0
    assert keyed(spoken)["jawOpen"][5, 1] == pytest.approx(0.123)
    bpy.ops.unitalker.update(edited="OVERWRITE")
    assert keyed(spoken)["jawOpen"][5, 1] != pytest.approx(0.123)
    assert take_actions.edited_curves(spoken, spoken.unitalker.takes[0]) == ()


def test_artists_other_curves_and_keys_outside_stay(spoken, window, make_face) -> None:
    key = spoken.data.shape_keys
    key.key_blocks["jawOpen"].value = 0.7
    key.key_blocks["jawOpen"].keyframe_insert("value", frame=100)
    spoken.keyframe_insert("location", frame=1)
    before = keyed(spoken)["jawOpen"][-1].tolist()
    spoken.unitalker.direction.intensity = 0.5
    window()
    assert keyed(spoken)["jawOpen"][-1].tolist() == before
    assert keyed(spoken)["jawOpen"][:24, 1].max() == pytest.approx(0.5, abs=0.01)
    assert live_direction.problem(spoken) == ""


def test_take_that_is_not_kept_any_more_is_told(face, make_sound, fake, window) -> None:
    fake("forgetful")
    animate(filepath=make_sound(1.0), add_sound=False)
    before = everything()
    face.unitalker.direction.intensity = 0.5
    window()
    assert "take" in live_direction.problem(face)
    assert "again" in live_direction.problem(face)
    assert everything() == before
    assert bpy.ops.unitalker.dismiss() == {"FINISHED"}
    assert live_direction.problem(face) == ""


def test_changed_frame_rate_is_told(spoken) -> None:
    bpy.context.scene.render.fps = 30
    with pytest.raises(RuntimeError, match="made at 24 frames per second, the scene has 30"):
        bpy.ops.unitalker.update()


def test_death_of_the_backend_is_told_and_the_next_touch_starts_it_again(spoken, window, fake) -> None:
    backend_session.close()
    fake("die_on_request")
    spoken.unitalker.direction.intensity = 0.5
    window()
    assert "stopped by itself" in live_direction.problem(spoken)
    assert jaw_peak(spoken) > 0.9


def test_object_deleted_meanwhile_is_no_error(spoken, window) -> None:
    spoken.unitalker.direction.intensity = 0.5
    bpy.data.objects.remove(spoken)
    window()
    assert not live_direction.is_busy()


def test_animate_goes_first_and_the_slider_follows(spoken, window, make_sound) -> None:
    spoken.unitalker.direction.intensity = 0.5
    live_direction._touched = {spoken.session_uid: 0.0}
    live_direction._tick()
    assert live_direction.is_busy()
    animate(filepath=make_sound(2.0), add_sound=False)
    assert stepping.running() is None
    window()
    assert jaw_peak(spoken) == pytest.approx(0.5, abs=0.01)


def test_undo_brings_keys_and_sliders_together_again(spoken, window) -> None:
    bpy.ops.ed.undo_push(message="animated")
    spoken.unitalker.direction.intensity = 0.5
    bpy.ops.ed.undo_push(message="slider")
    window()
    bpy.data.objects["Face"].unitalker.direction.intensity = 0.25
    bpy.ops.ed.undo_push(message="slider")
    window()
    bpy.ops.ed.undo()
    face = bpy.data.objects["Face"]
    assert face.unitalker.direction.intensity == 0.5
    live_direction.after_undo(bpy.context.scene)
    window()
    assert jaw_peak(face) == pytest.approx(0.5, abs=0.01)
    assert live_direction.is_followed(face)


def test_regenerated_frames_only_are_new(spoken) -> None:
    before = keyed(spoken)["jawOpen"].copy()
    spoken.unitalker.direction.intensity = 0.5
    bpy.context.scene.use_preview_range = True
    bpy.context.scene.frame_preview_start, bpy.context.scene.frame_preview_end = 8, 16
    assert bpy.ops.unitalker.regenerate(blend=2, seed=5) == {"FINISHED"}
    after = keyed(spoken)["jawOpen"]
    np.testing.assert_array_equal(after[:7], before[:7])
    np.testing.assert_array_equal(after[16:], before[16:])
    np.testing.assert_allclose(after[9:14, 1], before[9:14, 1] * 0.5, atol=1e-5)
    assert json.loads(spoken.unitalker.takes[0].passages) == [[8, 16, 2, 5]]
    assert take_actions.edited_curves(spoken, spoken.unitalker.takes[0]) == ()
    bpy.ops.unitalker.update()
    np.testing.assert_allclose(keyed(spoken)["jawOpen"][:, 1], before[:, 1] * 0.5, atol=1e-5)


def test_regenerate_says_what_to_select(spoken) -> None:
    with pytest.raises(RuntimeError, match="No frames are selected"):
        bpy.ops.unitalker.regenerate()
    for frame in (500, 600):
        bpy.context.scene.timeline_markers.new(str(frame), frame=frame).select = True
    with pytest.raises(RuntimeError, match="500 to 600 are not in the take"):
        bpy.ops.unitalker.regenerate()


def test_decimated_take_follows_with_other_keys(face, make_sound, fake, window) -> None:
    animate(filepath=make_sound(2.0), density="DECIMATED", key_error=0.01, add_sound=False)
    face.unitalker.direction.intensity = 0.5
    window()
    assert jaw_peak(face) == pytest.approx(0.5, abs=0.02)
    assert len(keyed(face)["jawOpen"]) < 48


@needs_model
def test_real_backend_knows_every_slider(heads, shared) -> None:
    face = load(heads / "makehuman_head_arkit_visemes.glb")
    animate(filepath=shared / "speech/jfk_16k.wav", add_sound=False, preset="neutral")
    before = keyed(face)["eyeBlinkLeft"][:, 1]
    direction = face.unitalker.direction
    direction.blinks.on, direction.gaze.on, direction.head.on, direction.breathing.on = True, True, True, True
    direction.blinks.rate, direction.articulation, direction.regions.brows = 60.0, 1.5, 0.0
    direction.emotions.happy.weight = 0.5
    assert bpy.ops.unitalker.update() == {"FINISHED"}
    assert len(face.unitalker.takes) == 1
    assert keyed(face)["eyeBlinkLeft"][:, 1].max() > 0.9 > before.max(), "the layer blinks, the network does not"
    direction.emotions.sad.weight = 0.0
    direction.emotions.sad.keyframe_insert("weight", frame=1)
    direction.emotions.sad.weight = 1.0
    direction.emotions.sad.keyframe_insert("weight", frame=200)
    assert bpy.ops.unitalker.update() == {"FINISHED"}
    sent = json.loads(face.unitalker.takes[0].direction)["emotions"]
    assert [pose["emotion"] for pose in sent] == ["happy", "sad"]
    assert sent[1]["weight"][0] == [0.0, 0.0]
    assert sent[1]["weight"][-1] == pytest.approx([199 / 24, 1.0], abs=1e-3)


def allowed(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, tuple[Any, float | None, float | None]]:
    """Field → default, least and greatest value; fields of parts by a dotted path."""
    found = {}
    for name, field in schema["properties"].items():
        reference = field.get("$ref") or next((part["$ref"] for part in field.get("allOf", ()) if "$ref" in part), "")
        if reference:
            part = allowed(definitions[reference.rpartition("/")[2]], definitions)
            found |= {f"{name}.{inner}": value for inner, value in part.items()}
        else:
            found[name] = (field.get("default"), field.get("minimum"), field.get("maximum"))
    return found


@needs_model
def test_sliders_have_the_ranges_and_neutral_values_of_the_backend() -> None:
    program = "import json, backend.motion.direction as d; print(json.dumps(d.Direction.model_json_schema()))"
    python = os.environ["UNITALKER_PYTHON"]
    printed = subprocess.run([python, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    schema = json.loads(printed.stdout)
    fields = allowed(schema, schema["$defs"])
    del fields["emotions"]
    bpy.ops.object.empty_add()
    for path, (default, low, high) in fields.items():
        group, _, name = f"direction.{path}".rpartition(".")
        prop = bpy.context.object.unitalker.path_resolve(group).bl_rna.properties[name]
        assert prop.default == pytest.approx(default), path
        if low is not None:
            assert (prop.hard_min, prop.hard_max) == (pytest.approx(low), pytest.approx(high)), path
    pose = schema["$defs"]["EmotionPose"]["properties"]
    assert tuple(schema["$defs"]["EmotionPose"]["properties"]["emotion"]["enum"]) == directions.EMOTIONS
    for name in ("mouth", "eyes", "brows"):
        prop = bpy.context.object.unitalker.direction.emotions.happy.bl_rna.properties[name]
        assert prop.default == pytest.approx(pose[name]["default"])
