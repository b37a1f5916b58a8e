"""Bones of head, jaw and eyes: found by name, turned the right way whatever way they lie."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from unitalker_blender.scene.rig_bones import bone_rows, face_axes, find_bones
from unitalker_blender.scene.rotations import quaternions

RIGS = Path(__file__).resolve().parents[2] / "assets/rigs"
WORLD = np.eye(3)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Hips", "Head", "LeftEye", "RightEye"], {"head": "Head", "leftEye": "LeftEye", "rightEye": "RightEye"}),
        (["J_Bip_C_Head", "J_Adj_L_FaceEye"], {"head": "J_Bip_C_Head", "leftEye": "J_Adj_L_FaceEye"}),
        (["CC_Base_Head", "CC_Base_JawRoot"], {"head": "CC_Base_Head", "jaw": "CC_Base_JawRoot"}),
        (["spine", "jaw_master", "eye.L", "eye.R"], {"jaw": "jaw_master", "leftEye": "eye.L", "rightEye": "eye.R"}),
        (["mixamorig:Head"], {"head": "mixamorig:Head"}),
        (["頭", "左目"], {"head": "頭", "leftEye": "左目"}),
        (["Bone", "headband"], {}),
    ],
)
def test_bones_in_use_are_found(names: list[str], expected: dict[str, str]) -> None:
    assert find_bones(names, RIGS) == expected


def turned(rows, rest: np.ndarray, point: np.ndarray, source: str, value: float) -> np.ndarray:
    """Where a bone that lies as `rest` takes a point when `source` is at `value`."""
    row = next(row for row in rows if row.source == source)
    axis = rest["xyz".index(row.channel[-1])]
    angle = row.gain * value
    return (
        point * math.cos(angle)
        + np.cross(axis, point) * math.sin(angle)
        + axis * (axis @ point) * (1 - math.cos(angle))
    )


RESTS = [
    WORLD,
    np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float),  # a bone upwards, as in most armatures
    np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], float),
]


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("front", [(0, -1, 0), (0, 1, 0), (1, 0, 0)])
def test_faces_turn_the_right_way(rest: np.ndarray, front: tuple[float, ...]) -> None:
    axes = face_axes(front)
    ahead, up = np.array(front, float), np.array([0.0, 0.0, 1.0])
    own_left = np.cross(up, ahead)
    jaw = bone_rows("jaw", "jaw", rest, axes, mute=False)
    assert turned(jaw, rest, ahead, "jawOpen", 1.0)[2] < -0.2, "the chin drops"
    head = bone_rows("head", "head", rest, axes, mute=False)
    assert turned(head, rest, ahead, "headPitch", 0.3)[2] < -0.2, "positive pitch looks down"
    assert turned(head, rest, ahead, "headYaw", 0.3) @ own_left > 0.2, "positive yaw looks to its own left"
    assert turned(head, rest, up, "headRoll", 0.3) @ own_left < -0.2, "positive roll leans to its own right"
    eye = bone_rows("leftEye", "eye", rest, axes, mute=False)
    assert turned(eye, rest, ahead, "eyeLookOutLeft", 1.0) @ own_left > 0.2
    assert turned(eye, rest, ahead, "eyeLookUpLeft", 1.0)[2] > 0.2


def test_quaternions_are_the_rotations_and_do_not_jump() -> None:
    rng = np.random.default_rng(3)
    angles = np.cumsum(rng.normal(scale=0.4, size=(200, 3)), axis=0)
    turned_by = quaternions(angles)
    np.testing.assert_allclose(np.linalg.norm(turned_by, axis=1), 1, rtol=1e-6)
    assert ((turned_by[1:] * turned_by[:-1]).sum(axis=1) > 0).all()
    for (x, y, z), (w, *vector) in zip(angles[:20], turned_by[:20].astype(float), strict=True):
        matrix = _about(2, z) @ _about(1, y) @ _about(0, x)
        v = np.array(vector)
        point = np.array([0.3, -0.5, 0.8])
        rotated = point + 2 * np.cross(v, np.cross(v, point) + w * point)
        np.testing.assert_allclose(rotated, matrix @ point, atol=1e-5)


def _about(axis: int, angle: float) -> np.ndarray:
    matrix = np.eye(3)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[a, a] = matrix[b, b] = math.cos(angle)
    matrix[a, b], matrix[b, a] = -math.sin(angle), math.sin(angle)
    return matrix
