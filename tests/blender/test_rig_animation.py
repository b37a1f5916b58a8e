"""Speech reaches every kind of control: shape keys of several meshes, visemes and vowels, bones, objects."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest

from tests.blender.conftest import animate, keyed
from tests.blender.test_real_heads import load, needs_model
from tests.blender.test_rig import enabled, put  # noqa: F401
from unitalker_blender import compat
from unitalker_blender.scene.rig_resolution import Destination

VISEMES = tuple(
    f"viseme_{name}" for name in ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U"]
)


def curves_of(item: bpy.types.Object) -> dict[tuple[str, int], np.ndarray]:
    """(path, index) → values of the keys, of an object's Action."""
    animation = item.animation_data
    found = {}
    for curve in compat.action_fcurves(animation.action, compat.assigned_slot(animation)):
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", points)
        found[curve.data_path, curve.array_index] = points[1::2]
    return found


@pytest.fixture
def rigged(make_face) -> tuple[bpy.types.Object, bpy.types.Object]:
    """A face on an armature with bones for head and jaw, which already moves."""
    face = make_face("Face")
    bpy.ops.object.armature_add()
    armature = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    bones[0].name = "Head"
    jaw = bones.new("jaw")
    jaw.head, jaw.tail = (0, 0, 1), (0, -1, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.location.x = 0.5
    armature.keyframe_insert("location", frame=1)
    face.parent = armature
    bpy.context.view_layer.objects.active = face
    return face, armature


# --- real speech -------------------------------------------------------------------------------------------------


@needs_model
@pytest.mark.parametrize(
    ("name", "opens", "count"),
    [
        ("ict_face_native_names.glb", "jawOpen", 53),
        ("godette_vrm0.vrm", "ah", 11),
        ("godette_named.glb", "ah", 11),
    ],
)
def test_heads_of_other_families_speak_without_a_setting(heads, shared, enabled, name, opens, count) -> None:  # noqa: F811
    face = load(heads / name)
    animate(filepath=shared / "speech/jfk_16k.wav")
    curves = keyed(face)
    assert len(curves) == count
    mouth = curves[opens][:, 1]
    assert mouth.max() > 0.3
    assert mouth.min() < 0.02
    assert mouth.std() > 0.05


@needs_model
def test_visemes_of_a_head_that_has_nothing_else(make_face, shared) -> None:
    face = make_face("Face", VISEMES)
    animate(filepath=shared / "speech/jfk_16k.wav")
    curves = keyed(face)
    assert set(curves) == {f"viseme_{name}" for name in ["PP", "FF", "TH", "CH", "SS", "aa", "E", "I", "O", "U"]}
    total = np.sum([points[:, 1] for points in curves.values()], axis=0)
    assert total.max() <= 1 + 1e-5
    assert curves["viseme_aa"][:, 1].max() > 0.4


# --- several meshes ----------------------------------------------------------------------------------------------


def test_teeth_move_with_the_face(make_face, fake, make_sound) -> None:
    face, teeth = make_face("Face"), make_face("Teeth", ("jawOpen", "other"))
    bpy.context.view_layer.objects.active = face
    animate(filepath=make_sound(0.5))
    np.testing.assert_array_equal(keyed(teeth)["jawOpen"], keyed(face)["jawOpen"])
    assert set(keyed(teeth)) == {"jawOpen"}


def test_meshes_that_are_turned_off_stay_still(make_face, fake, make_sound) -> None:
    face, teeth = make_face("Face"), make_face("Teeth", ("jawOpen",))
    bpy.context.view_layer.objects.active = face
    teeth.unitalker_mapping.include = False
    animate(filepath=make_sound(0.5))
    assert teeth.data.shape_keys.animation_data is None


def test_all_of_a_part_muted_is_a_remark(make_face, fake, make_sound, warnings) -> None:
    face, teeth = make_face("Face"), make_face("Teeth", ("jawOpen",))
    bpy.context.view_layer.objects.active = face
    teeth.data.shape_keys.key_blocks["jawOpen"].mute = True
    animate(filepath=make_sound(0.5))
    assert "jawOpen" in keyed(face)
    assert any("muted" in warning for warning in warnings)


def test_visemes_left_on_beside_arkit_shapes_are_told(make_face, fake, make_sound, warnings) -> None:
    from tests.blender.conftest import ARKIT_51

    face = make_face("Face", (*ARKIT_51, *VISEMES, "frown of the artist"))
    blocks = face.data.shape_keys.key_blocks
    for block in blocks:
        block.value = 0  # Blender 5 turns new ones on
    blocks["viseme_aa"].value, blocks["frown of the artist"].value = 0.5, 1.0
    blocks["viseme_O"].value, blocks["viseme_O"].mute = 0.5, True
    animate(filepath=make_sound(0.5))
    (told,) = [warning for warning in warnings if "deform" in warning]
    assert "viseme_aa (0.5);" in told
    blocks["viseme_aa"].value = 0
    warnings.clear()
    animate(filepath=make_sound(0.5))
    assert not [warning for warning in warnings if "deform" in warning]


# --- bones and objects -------------------------------------------------------------------------------------------


def test_bones_turn_and_the_body_goes_on(rigged, fake, make_sound) -> None:
    face, armature = rigged
    before = armature.animation_data.action
    bpy.ops.unitalker.mapping_bones()
    rows = {(row.target, row.source): row for row in face.unitalker_mapping.rows}
    assert rows["jaw", "jawOpen"].mute, "the shape key opens the mouth already"
    rows["jaw", "jawOpen"].mute = False
    animate(filepath=make_sound(0.5))
    curves = curves_of(armature)
    assert armature.animation_data.action != before
    assert before.use_fake_user or before.users
    assert ("location", 0) in curves, "what moved before still does"
    turned = np.stack([curves['pose.bones["jaw"].rotation_quaternion', i] for i in range(4)], axis=1)
    angle = 2 * np.arccos(np.clip(turned[:, 0], -1, 1))
    np.testing.assert_allclose(angle, math.radians(20) * keyed(face)["jawOpen"][:, 1], atol=1e-4)


def test_another_take_begins_from_the_body_and_deleting_gives_it_back(rigged, fake, make_sound) -> None:
    _face, armature = rigged
    walk = armature.animation_data.action
    bpy.ops.unitalker.mapping_bones()
    next(row for row in rigged[0].unitalker_mapping.rows if row.target == "jaw").mute = False
    for seconds in (2.0, 0.5):
        animate(filepath=make_sound(seconds))
    curves = curves_of(armature)
    assert len(curves['pose.bones["jaw"].rotation_quaternion', 0]) == 12
    assert ("location", 0) in curves
    bpy.ops.unitalker.delete_take()
    bpy.ops.unitalker.delete_take()
    assert armature.animation_data.action == walk
    assert tuple(armature.pose.bones["jaw"].rotation_quaternion) == (1, 0, 0, 0)


def test_a_bone_with_euler_angles_gets_one_curve(rigged, fake, make_sound) -> None:
    face, armature = rigged
    armature.pose.bones["jaw"].rotation_mode = "XYZ"
    mapping = face.unitalker_mapping
    bpy.ops.unitalker.mapping_fill()
    row = mapping.rows.add()
    row.kind, row.target, row.source, row.channel, row.angle = "BONE", "jaw", "jawOpen", "rotation_x", -0.5
    animate(filepath=make_sound(0.5))
    turned = curves_of(armature)['pose.bones["jaw"].rotation_euler', 0]
    np.testing.assert_allclose(turned, -0.5 * keyed(face)["jawOpen"][:, 1], atol=1e-6)


def test_an_empty_moves_from_where_it_is(make_face, fake, make_sound) -> None:
    face = make_face("Face")
    empty = bpy.data.objects.new("Eye target", None)
    bpy.context.collection.objects.link(empty)
    empty.location = (1, 2, 3)
    bpy.ops.unitalker.mapping_fill()
    row = face.unitalker_mapping.rows.add()
    row.kind, row.object, row.source, row.channel, row.gain = "OBJECT", empty, "eyeLookUpLeft", "location_z", 0.1
    animate(filepath=make_sound(0.5))
    assert ("delta_location", 2) in curves_of(empty)
    assert tuple(empty.location) == (1, 2, 3)


def test_a_driven_bone_is_left_alone(rigged, fake, make_sound, warnings) -> None:
    face, armature = rigged
    jaw = armature.pose.bones["jaw"]
    jaw.rotation_mode = "XYZ"
    jaw.driver_add("rotation_euler", 0)
    bpy.ops.unitalker.mapping_fill()
    row = face.unitalker_mapping.rows.add()
    row.kind, row.target, row.source, row.channel = "BONE", "jaw", "jawOpen", "rotation_x"
    animate(filepath=make_sound(0.5))
    assert any("drivers" in warning and "jaw" in warning for warning in warnings)


def test_a_mapping_of_ones_own(make_face, fake, make_sound) -> None:
    face = make_face("Face", ("口" * 21, 'say "aa"', "third"))
    mapping = face.unitalker_mapping
    mapping.use_rows = True
    for name, gain in (("口" * 21, 0.5), ('say "aa"', 0.25)):
        row = mapping.rows.add()
        row.target, row.source, row.gain = name, "jawOpen", gain
    animate(filepath=make_sound(0.5))
    curves = keyed(face)
    assert set(curves) == {"口" * 21, 'say "aa"'}
    np.testing.assert_allclose(curves["口" * 21][:, 1], 2 * curves['say "aa"'][:, 1], rtol=1e-5)


def test_a_renamed_key_is_a_remark(face) -> None:
    assert Destination.parse("jawOpen") is None
    place = Destination("BONE", 12, "rotation_x", "a|b")
    assert Destination.parse(str(place)) == place
