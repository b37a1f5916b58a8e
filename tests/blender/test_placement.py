"""Where keys go and how many there are, and that what the artist has there stays."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from tests.blender.conftest import ARKIT_51, animate, everything, fcurves, keyed
from tests.client.fake_backend import made_up_values

pytestmark = pytest.mark.usefixtures("fake")

JAW = ARKIT_51.index("jawOpen")


def jaw(face: bpy.types.Object, frames: range) -> np.ndarray:
    """The jaw as Blender plays it."""
    values = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        values.append(face.data.shape_keys.key_blocks["jawOpen"].value)
    return np.array(values)


def key_jaw(face: bpy.types.Object, keys: dict[int, float]) -> bpy.types.Action:
    """The artist's own keys."""
    block = face.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in keys.items():
        block.value = value
        block.keyframe_insert("value", frame=frame)
    return face.data.shape_keys.animation_data.action


def curve_of(face: bpy.types.Object, name: str) -> bpy.types.FCurve:
    path = face.data.shape_keys.key_blocks[name].path_from_id("value")
    return next(curve for curve in fcurves(face.data.shape_keys) if curve.data_path == path)


def test_range_of_the_current_action_is_replaced_and_the_rest_stays(face, make_sound) -> None:
    action = key_jaw(face, {1: 0.1, 20: 0.9, 100: 0.3, 120: 0.4})
    curve = curve_of(face, "jawOpen")
    curve.keyframe_points[2].interpolation = "CONSTANT"
    curve.keyframe_points[3].handle_left_type = "FREE"
    curve.keyframe_points[3].handle_left = (111.0, 0.75)
    animate(filepath=make_sound(1.0), frame_start=10, where="CURRENT_ACTION", add_sound=False)
    assert face.data.shape_keys.animation_data.action == action
    keys = keyed(face)["jawOpen"]
    assert keys[:, 0].tolist() == [1, *range(10, 34), 100, 120]
    np.testing.assert_allclose(keys[1:25, 1], made_up_values(24, 51)[:, JAW], atol=1e-6)
    curve = curve_of(face, "jawOpen")
    assert curve.keyframe_points[25].interpolation == "CONSTANT"
    assert tuple(curve.keyframe_points[26].handle_left) == (111.0, 0.75)


def test_only_the_span_is_written_and_blended_at_both_ends(face, make_sound) -> None:
    key_jaw(face, {1: 0.0, 60: 0.0})
    animate(
        filepath=make_sound(2.0), where="CURRENT_ACTION", use_span=True, span_start=11, span_end=30, blend=4,
        add_sound=False,
    )  # fmt: skip
    keys = keyed(face)["jawOpen"]
    assert keys[:, 0].tolist() == [1, *range(11, 31), 60]
    new = made_up_values(48, 51)[10:30, JAW]
    np.testing.assert_allclose(keys[1:5, 1], new[:4] * [0.2, 0.4, 0.6, 0.8], atol=1e-5)
    np.testing.assert_allclose(keys[5:17, 1], new[4:16], atol=1e-5)
    np.testing.assert_allclose(keys[17:21, 1], new[16:] * [0.8, 0.6, 0.4, 0.2], atol=1e-5)


def test_named_action_is_made_once_and_then_written_into(face, make_sound) -> None:
    animate(filepath=make_sound(0.5), where="NAMED_ACTION", action="Speech", add_sound=False)
    animate(filepath=make_sound(1.0), frame_start=100, where="NAMED_ACTION", action="Speech", add_sound=False)
    assert [action.name for action in bpy.data.actions] == ["Speech"]
    assert keyed(face)["jawOpen"][:, 0].tolist() == [*range(1, 13), *range(100, 124)]


def test_two_faces_share_a_named_action_where_blender_can(make_face, make_sound) -> None:
    one, two = make_face("One"), make_face("Two")
    animate(filepath=make_sound(0.5), object="One", where="NAMED_ACTION", action="Talk", add_sound=False)
    before = keyed(one)["jawOpen"]
    animate(filepath=make_sound(1.0), object="Two", where="NAMED_ACTION", action="Talk", add_sound=False)
    if hasattr(bpy.data.actions[0], "slots"):
        np.testing.assert_array_equal(keyed(one)["jawOpen"], before)
        assert len(keyed(two)["jawOpen"]) == 24


def test_action_of_another_kind_is_refused_or_gets_a_slot_of_its_own(face, make_sound) -> None:
    face.keyframe_insert("location", frame=1)
    walk = face.animation_data.action
    if hasattr(walk, "slots"):
        animate(filepath=make_sound(0.5), where="NAMED_ACTION", action=walk.name)
        assert len(walk.slots) == 2
    else:
        before = everything()
        with pytest.raises(RuntimeError, match="another kind of data"):
            animate(filepath=make_sound(0.5), where="NAMED_ACTION", action=walk.name)
        assert everything() == before
    assert face.animation_data.action == walk


def test_linked_action_is_refused(face, make_sound, tmp_path) -> None:
    action = key_jaw(face, {1: 0.5})
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {action}, fake_user=True)
    with bpy.data.libraries.load(path, link=True) as (source, target):
        target.actions = source.actions
    face.data.shape_keys.animation_data.action = target.actions[0]
    before = everything()
    with pytest.raises(RuntimeError, match="linked from another file"):
        animate(filepath=make_sound(0.5), where="CURRENT_ACTION")
    assert everything() == before


def test_nla_track_plays_and_leaves_the_assigned_action(face, make_sound) -> None:
    animate(filepath=make_sound(1.0), frame_start=50, where="NLA_TRACK", add_sound=False)
    animation = face.data.shape_keys.animation_data
    assert animation.action is None
    (strip,) = animation.nla_tracks[0].strips
    assert (strip.frame_start, strip.frame_end) == (50, 73)
    np.testing.assert_allclose(jaw(face, range(50, 73)), made_up_values(24, 51)[:23, JAW], atol=1e-5)


def test_every_nth_frame_has_a_key(face, make_sound) -> None:
    animate(filepath=make_sound(1.0), density="NTH", key_step=5)
    assert keyed(face)["jawOpen"][:, 0].tolist() == [1, 6, 11, 16, 21, 24]


@pytest.mark.parametrize("interpolation", ["LINEAR", "BEZIER"])
@pytest.mark.parametrize("error", [0.002, 0.03])
def test_decimated_curve_stays_within_the_error_as_blender_evaluates_it(face, make_sound, interpolation, error) -> None:
    animate(
        filepath=make_sound(10.0), density="DECIMATED", key_error=error, interpolation=interpolation, add_sound=False
    )
    expected = made_up_values(240, 51)
    for i, name in enumerate(ARKIT_51[:5]):
        curve = curve_of(face, name)
        played = [curve.evaluate(frame) for frame in range(1, 241)]
        assert np.abs(played - expected[:, i]).max() <= error + 1e-6
    assert len(keyed(face)["jawOpen"]) < 240


def test_bezier_keys_do_not_overshoot(face, make_sound) -> None:
    animate(filepath=make_sound(2.0), density="NTH", key_step=4, interpolation="BEZIER")
    curve = curve_of(face, "jawOpen")
    assert {point.handle_left_type for point in curve.keyframe_points} == {"AUTO_CLAMPED"}
    played = [curve.evaluate(frame / 4) for frame in range(4, 4 * 48)]
    values = keyed(face)["jawOpen"][:, 1]
    assert min(played) >= values.min() - 1e-6
    assert max(played) <= values.max() + 1e-6


def test_playback_does_not_depend_on_where_the_keys_are(make_face, make_sound) -> None:
    for where in ("NEW_ACTION", "CURRENT_ACTION", "NLA_TRACK"):
        face = make_face(where)
        animate(filepath=make_sound(1.0), object=where, where=where, add_sound=False)
        np.testing.assert_allclose(jaw(face, range(1, 24)), made_up_values(24, 51)[:23, JAW], atol=1e-5)


def test_failure_puts_an_action_back_that_was_half_written(face, make_sound, monkeypatch) -> None:
    key_jaw(face, {1: 0.1, 20: 0.9})
    curve_of(face, "jawOpen").keyframe_points[0].interpolation = "CONSTANT"
    bpy.context.scene.frame_set(1)
    before, keys = everything(), keyed(face)
    writes = iter(range(1000))

    def fail(*arguments: object) -> None:
        if next(writes) > 30:
            raise MemoryError("no memory for keys")
        replace(*arguments)

    from unitalker_blender.scene import curve_keys

    replace = curve_keys.replace
    monkeypatch.setattr(curve_keys, "replace", fail)
    with pytest.raises(RuntimeError, match="no memory for keys"):
        animate(filepath=make_sound(1.0), where="CURRENT_ACTION")
    assert everything() == before
    assert {name: value.tolist() for name, value in keyed(face).items()} == {"jawOpen": keys["jawOpen"].tolist()}
    assert curve_of(face, "jawOpen").keyframe_points[0].interpolation == "CONSTANT"


def test_names_of_quotes_and_63_bytes_of_japanese(make_face, make_sound) -> None:
    name = "あ" * 20 + "\"'"
    make_face(name)
    assert animate(filepath=make_sound(0.5), object=name, add_sound=False) == {"FINISHED"}
    face = bpy.data.objects[name]
    assert len(keyed(face)) == 51
    assert bpy.ops.unitalker.update(object=name) == {"FINISHED"}
