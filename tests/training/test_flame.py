"""FLAME: the short form of skinning equals the textbook's, and a pickle is never opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import UniTalkerError
from training.flame import FlameGeometry, jaw_rotation

VERTICES = 12
PARENTS = (-1, 0, 1, 1, 1)


@pytest.fixture(scope="module")
def flame() -> dict[str, np.ndarray]:
    """A random model of FLAME's form."""
    rng = np.random.default_rng(0)
    weights, regressor = rng.random((VERTICES, 5)), rng.random((5, VERTICES))
    return {
        "v_template": rng.normal(0, 0.1, (VERTICES, 3)),
        "shapedirs": rng.normal(0, 0.01, (VERTICES, 3, 400)),
        "posedirs": rng.normal(0, 0.01, (VERTICES, 3, 36)),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "weights": weights / weights.sum(1, keepdims=True),
    }


def rodrigues(axis_angle: np.ndarray) -> np.ndarray:
    angle = np.linalg.norm(axis_angle)
    if angle == 0:
        return np.eye(3)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def textbook_skinning(flame: dict[str, np.ndarray], parameters: np.ndarray) -> np.ndarray:
    """All five joints as a chain of 4 x 4 matrices, blended per vertex."""
    shaped = flame["v_template"] + flame["shapedirs"] @ parameters[:400]
    joints = flame["J_regressor"] @ shaped
    rotations = [rodrigues(parameters[400:403] if joint == 2 else np.zeros(3)) for joint in range(5)]
    pose = np.concatenate([(rotation - np.eye(3)).ravel() for rotation in rotations[1:]])
    posed = shaped + flame["posedirs"] @ pose
    world: list[np.ndarray] = []
    for joint, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    skinned = np.zeros_like(posed)
    for vertex in range(VERTICES):
        for joint in range(5):
            relative = np.append(posed[vertex] - joints[joint], 1)
            skinned[vertex] += flame["weights"][vertex, joint] * (world[joint] @ relative)[:3]
    return skinned


def test_equals_textbook_skinning(flame: dict[str, np.ndarray]) -> None:
    parameters = np.random.default_rng(1).normal(0, 0.5, (3, 413)).astype(np.float32)
    actual = FlameGeometry(flame)(torch.from_numpy(parameters)).numpy()
    expected = np.stack([textbook_skinning(flame, frame) for frame in parameters])
    np.testing.assert_allclose(actual, expected, atol=2e-6)


def test_batches_are_frames_side_by_side(flame: dict[str, np.ndarray]) -> None:
    geometry, parameters = FlameGeometry(flame), torch.randn(2, 3, 413, generator=torch.Generator().manual_seed(0))
    together = geometry(parameters)
    assert together.shape == (2, 3, VERTICES, 3)
    torch.testing.assert_close(together[1, 2], geometry(parameters[1, 2]))


def test_jaw_learns_from_a_closed_mouth(flame: dict[str, np.ndarray]) -> None:
    """At rest the rotation has no axis; the gradient exists all the same, or a zero head would never start."""
    parameters = torch.zeros(1, 413, requires_grad=True)
    FlameGeometry(flame)(parameters).square().sum().backward()
    assert torch.isfinite(parameters.grad).all()
    assert parameters.grad[:, 400:403].any()


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
@settings(max_examples=200, deadline=None)
def test_jaw_rotation_is_a_rotation_about_its_axis(axis_angle: list[float]) -> None:
    vector = torch.tensor(axis_angle)
    rotation = jaw_rotation(vector)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-5, rtol=0)
    assert torch.linalg.det(rotation) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(rotation @ vector, vector, atol=2e-5, rtol=0)


def test_file_round_trip(flame: dict[str, np.ndarray], tmp_path: Path) -> None:
    np.savez(tmp_path / "flame.npz", **flame)
    zero = FlameGeometry.load(tmp_path / "flame.npz")(torch.zeros(413))
    np.testing.assert_allclose(zero.numpy(), flame["v_template"], atol=1e-6)


def test_pickle_is_not_opened_and_the_hint_converts_it(flame: dict[str, np.ndarray], tmp_path: Path) -> None:
    """The user runs the hint's commands where FLAME is trusted; its result then loads."""
    path = tmp_path / "flame.pkl"
    path.write_bytes(b"not even a pickle: opening it would raise something else")
    with pytest.raises(UniTalkerError) as refusal:
        FlameGeometry.load(path)
    assert refusal.value.code == "flame.pickle"
    np.savez(tmp_path / "source.npz", **flame)
    write = "import pickle, numpy; pickle.dump(dict(numpy.load('source.npz')), open('flame.pkl', 'wb'))"
    convert = "import pickle, numpy; " + refusal.value.hint.split("you use FLAME: ")[1]
    for code in (write, convert):
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    FlameGeometry.load(tmp_path / "flame.npz")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("shapedirs", lambda x: x[..., :100], r"'shapedirs' has shape \(12, 3, 100\), expected \(12, 3, 400\)"),
        ("weights", lambda x: x[:-1], "'weights' has shape"),
        ("weights", lambda x: x * 2, "sum to 1"),
        ("kintree_table", lambda x: np.zeros_like(x), r"parents \(0, 0, 0, 0\)"),
    ],
)
def test_another_model_is_refused(flame: dict[str, np.ndarray], name: str, change: object, message: str) -> None:
    with pytest.raises(UniTalkerError, match=message):
        FlameGeometry(flame | {name: change(flame[name])})


def test_wrong_number_of_parameters_is_refused(flame: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="52 FLAME parameters, expected 413"):
        FlameGeometry(flame)(torch.zeros(1, 52))
