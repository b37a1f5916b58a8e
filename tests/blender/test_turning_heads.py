"""Bones and objects turn the way the layers mean: seen on the evaluated vertices of heads, not on curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix, Vector

from tests.blender.conftest import REPOSITORY, animate
from tests.blender.test_real_heads import load

pytestmark = pytest.mark.usefixtures("fake")

SAMPLE = REPOSITORY / "assets/heads/makehuman_head.glb"


@dataclass(frozen=True)
class Landmarks:
    """Of a face in world space, metres."""

    mouth: Vector
    left_eye: Vector
    right_eye: Vector

    @property
    def left(self) -> Vector:
        """To the face's own left."""
        return (self.left_eye - self.right_eye).normalized()


def moved_most(face: bpy.types.Object, name: str) -> np.ndarray:
    """Vertices that a shape key moves most."""
    key = face.data.shape_keys
    rest, moved = (np.empty(3 * len(face.data.vertices), np.float32) for _ in range(2))
    key.reference_key.data.foreach_get("co", rest)
    key.key_blocks[name].data.foreach_get("co", moved)
    travel = np.linalg.norm((moved - rest).reshape(-1, 3), axis=1)
    return np.flatnonzero(travel > travel.max() / 2)


def landmarks(face: bpy.types.Object, frame: int, keys: tuple[str, str, str]) -> Landmarks:
    """Where mouth and eyes are in a frame, by the vertices that the shape keys `keys` move."""
    bpy.context.scene.frame_set(frame)
    evaluated = face.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", places)
    middles = [places.reshape(-1, 3)[moved_most(face, name)].mean(axis=0) for name in keys]
    return Landmarks(*(evaluated.matrix_world @ Vector(middle.tolist()) for middle in middles))


def check_turn(source: str, before: Landmarks, after: Landmarks) -> None:
    """Down, to the own left, to the own right shoulder: of a positive angle."""
    left = before.left
    front = left.cross((0, 0, 1))
    mouth = after.mouth - before.mouth
    lifted = (after.left_eye - before.left_eye) - (after.right_eye - before.right_eye)
    match source:
        case "headPitch":
            assert mouth.z < -0.01
            assert abs(mouth.dot(left)) < -0.2 * mouth.z
        case "headYaw":
            assert mouth.dot(left) > 0.01
            assert lifted.dot(front) < -0.01  # the left eye goes back, the right one forward
        case "headRoll":
            assert lifted.z > 0.01
            brow = (after.left_eye - before.left_eye + after.right_eye - before.right_eye) / 2
            assert (brow - mouth).dot(left) < -0.003  # the top of the head goes to the right of the chin


def only(face: bpy.types.Object, source: str) -> None:
    """Mute the other rows, of the shape keys too."""
    for row in face.unitalker_mapping.rows:
        row.mute = row.source != source


@pytest.mark.parametrize("source", ["headPitch", "headYaw", "headRoll"])
@pytest.mark.parametrize("turned", [0, 90, 180])
def test_the_head_bone_of_a_real_character_turns_the_right_way(heads, make_sound, source: str, turned: int) -> None:
    face = load(heads / "godette_named.glb")
    face.parent.matrix_world = Matrix.Rotation(math.radians(turned), 4, "Z") @ face.parent.matrix_world
    bpy.context.view_layer.update()
    assert bpy.ops.unitalker.mapping_bones() == {"FINISHED"}
    only(face, source)
    animate(filepath=make_sound(0.5), add_sound=False)
    keys = ("ah", "blink_left", "blink_right")
    # The fake's angle is 0 on the first frame and most, a radian, on the ninth.
    check_turn(source, landmarks(face, 1, keys), landmarks(face, 5, keys))


@pytest.fixture
def with_bones() -> bpy.types.Object:
    """The sample head, bound to bones for head, jaw and left eye that point three ways and are rolled."""
    face = load(SAMPLE)
    face.shape_key_add(name="still", from_mix=False)
    bpy.ops.object.armature_add()
    armature = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    middle = Vector(np.mean([face.matrix_world @ Vector(corner) for corner in face.bound_box], axis=0).tolist())
    bones[0].name = "head"
    for name, along, roll in (
        ("head", (0, 0, 0.1), 2.0),
        ("jaw", (0, -0.1, 0), math.pi / 2),
        ("eye.L", (0, 0.1, 0), 3),
    ):
        bone = bones[name] if name in bones else bones.new(name)
        bone.head, bone.tail, bone.roll = middle, middle + Vector(along), roll
    bones["head"].roll = math.pi / 2
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.objects.active = face
    return face


def bind(face: bpy.types.Object, bone: str) -> None:
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    group = face.vertex_groups.new(name=bone)
    group.add(range(len(face.data.vertices)), 1.0, "REPLACE")
    face.modifiers.new("Armature", "ARMATURE").object = armature


@pytest.mark.parametrize(
    ("bone", "source", "axis", "sign"),
    [
        ("head", "headPitch", "z", -1),
        ("head", "headYaw", "left", 1),
        ("jaw", "jawOpen", "z", -1),
        ("eye.L", "eyeLookDownLeft", "z", -1),
        ("eye.L", "eyeLookUpLeft", "z", 1),
        ("eye.L", "eyeLookOutLeft", "left", 1),
        ("eye.L", "eyeLookInLeft", "left", -1),
    ],
)
def test_bones_of_any_roll_turn_the_right_way(with_bones, make_sound, bone, source, axis, sign) -> None:
    face = with_bones
    bind(face, bone)
    assert bpy.ops.unitalker.mapping_bones() == {"FINISHED"}
    for row in face.unitalker_mapping.rows:
        row.mute = not (row.kind == "BONE" and row.source == source)
    animate(filepath=make_sound(0.7), add_sound=False)
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    keys = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
    armature.data.pose_position = "REST"
    rest = landmarks(face, 1, keys)
    armature.data.pose_position = "POSE"
    travel = [landmarks(face, frame, keys).mouth - rest.mouth for frame in range(1, 17)]
    along = [sign * (move.z if axis == "z" else move.dot(rest.left)) for move in travel]
    assert max(along) > 0.01
    assert min(along) > -0.001


def test_an_empty_as_the_head_turns_in_the_axes_of_its_parent(make_sound) -> None:
    face = load(SAMPLE)
    empty = bpy.data.objects.new("Head control", None)
    bpy.context.collection.objects.link(empty)
    middle = np.mean([face.matrix_world @ Vector(corner) for corner in face.bound_box], axis=0)
    empty.location, empty.rotation_euler = middle.tolist(), Euler((0.3, 0.2, 0.1))
    bpy.context.view_layer.update()
    face.parent, face.matrix_parent_inverse = empty, empty.matrix_world.inverted()
    mapping = face.unitalker_mapping
    mapping.use_rows = True
    row = mapping.rows.add()
    row.kind, row.object, row.source, row.channel = "OBJECT", empty, "headPitch", "rotation_x"
    animate(filepath=make_sound(0.5), add_sound=False)
    keys = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
    check_turn("headPitch", landmarks(face, 1, keys), landmarks(face, 5, keys))
