"""Vertices as shapes and weights: close to the truth, and saying how close."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.annotation import Annotation, FaceMotion
from backend.audio import read_audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import Cancelled
from backend.inference import AnimateOptions, record
from backend.motion.direction import Direction
from backend.motion.perform import perform
from backend.vertex_components import VertexComponents, find_components, write_components

HEAD = "mediapipe_468_vertices"


def silent(done: int, total: int) -> None:
    """Nobody watches."""


def mesh_of(values: np.ndarray) -> FaceMotion:
    annotation = Annotation(type_name="mesh", kind="vertices", dim=values.shape[1], fps=25, unit="m")
    return FaceMotion(np.ascontiguousarray(values, np.float32), 25.0, annotation)


def farthest(found: VertexComponents, motion: FaceMotion) -> float:
    distance = (found.rest + found.weights @ found.shapes - motion.values).reshape(len(motion.values), -1, 3)
    return float(np.linalg.norm(distance, axis=2).max())


@given(
    frames=st.integers(1, 60),
    vertices=st.integers(1, 40),
    rank=st.integers(0, 6),
    most=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_the_error_that_is_said_is_the_error(frames: int, vertices: int, rank: int, most: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(0, 0.1, 3 * vertices) + random.normal(0, 0.02, (frames, rank)) @ random.normal(
        0, 1, (rank, 3 * vertices)
    )
    motion = mesh_of(values)
    found = find_components(motion, values.mean(0), most, 0.0, silent)
    assert found.shapes.shape == (found.weights.shape[1], 3 * vertices)
    assert 1 <= len(found.shapes) <= most
    assert np.abs(found.weights).max() <= 1 + 1e-6
    assert farthest(found, motion) == pytest.approx(found.largest_error, abs=2e-6)
    if most > min(rank, frames):
        assert found.largest_error < 1e-5


def test_a_real_voice_needs_few_shapes_for_a_tenth_of_a_millimetre(bundled_model: Path, shared: Path) -> None:
    take = record(
        TorchEngine(load_bundle(bundled_model)),
        read_audio(shared / "speech" / "jfk_16k.wav"),
        AnimateOptions(head=HEAD),
    )
    motion = perform(take, Direction(intensity=1.3), 24.0)
    assert take.rest is not None
    found = find_components(motion, take.rest, 64, 1e-4, silent)
    assert farthest(found, motion) == pytest.approx(found.largest_error, rel=0.01)
    assert found.largest_error <= 1e-4
    assert len(found.shapes) <= 32
    # The most that shape keys can do with few of them is told as well.
    few = find_components(motion, take.rest, 4, 1e-4, silent)
    assert len(few.shapes) == 4
    assert few.largest_error > few.mean_error > found.mean_error


def test_long_takes_can_be_cancelled() -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        find_components(mesh_of(np.random.default_rng(0).normal(0, 1, (600, 30))), None, 4, 0.0, stop)


def test_a_face_that_does_not_move_is_a_shape_that_does_nothing() -> None:
    found = find_components(mesh_of(np.ones((5, 9))), None, 4, 1e-4, silent)
    assert (found.shapes.shape, found.largest_error) == ((1, 9), 0.0)
    assert np.array_equal(found.weights, np.zeros((5, 1)))


def test_the_file_is_what_the_protocol_says(tmp_path: Path) -> None:
    motion = mesh_of(np.random.default_rng(0).normal(0, 0.1, (7, 12)))
    found = find_components(motion, None, 4, 0.0, silent)
    write_components(found, motion, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as data:
        assert sorted(data) == ["annotation", "fps", "rest", "shapes", "triangles", "weights"]
        assert {data[name].dtype for name in ("rest", "shapes", "weights")} == {np.dtype(np.float32)}
        assert data["triangles"].shape == (0, 3)
