"""Motion files through the backend process: takes like any other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.annotation import Annotation, FaceMotion
from backend.export import write_motion
from backend.official_release import released_annotations

Start = Callable[..., Any]

NAMES = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker")
WEIGHTS = Annotation(type_name="weights", kind="blendshapes", dim=4, fps=60, unit="weight", names=NAMES)


@pytest.fixture
def backend(start_backend: Start) -> Any:
    process = start_backend()
    assert process.event()["type"] == "hello"
    return process


@pytest.fixture
def take() -> FaceMotion:
    return FaceMotion(np.random.default_rng(0).uniform(0, 1, (121, 4)).astype(np.float32), 60.0, WEIGHTS)


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as data:
        return dict(data)


def order(kind: str, tmp_path: Path, **more: Any) -> dict[str, Any]:
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in more.items()}
    return {"type": kind, "id": 1, "output": str(tmp_path / "out.npz"), **plain}


@pytest.mark.parametrize("suffix", ["csv", "json", "npz"])
def test_an_imported_take_is_directed_like_any_other(
    backend: Any, take: FaceMotion, tmp_path: Path, murmur: Path, suffix: str
) -> None:
    write_motion(take, tmp_path / f"take.{suffix}")
    backend.send(**order("import", tmp_path, motion=tmp_path / f"take.{suffix}", audio=murmur, fps=24.0))
    result = backend.ending(1)
    assert (result["type"], result["fps"], result["frames"]) == ("result", 24.0, 48)
    straight = read(tmp_path / "out.npz")
    jaw = straight["values"][:, straight["names"].tolist().index("jawOpen")]
    assert np.allclose(jaw[::2], take.values[::5, 0][:24], atol=1e-5)
    rows = [{"target": "Open", "source": "jawOpen", "gain": 0.5}]
    again = {"take": result["take"], "fps": 24.0, "rig": {"convention": None, "targets": rows}}
    backend.send(**order("remap", tmp_path, **again))
    assert backend.ending(1)["type"] == "result"
    mapped = read(tmp_path / "out.npz")
    assert mapped["names"].tolist() == ["Open"]
    assert np.allclose(mapped["values"][:, 0], jaw / 2, atol=1e-6)


def test_vertices_come_back_as_shapes_and_weights(backend: Any, tmp_path: Path, murmur: Path) -> None:
    backend.send(**order("animate", tmp_path, audio=murmur, model="tiny", head="mesh"))
    made = backend.ending(1)
    values = read(tmp_path / "out.npz")["values"]
    backend.send(**order("components", tmp_path, take=made["take"], most=8, tolerance=1e-5))
    result = backend.ending(1)
    assert result["quality"]["largest_error_mm"] <= 0.01
    found = read(tmp_path / "out.npz")
    assert len(found["shapes"]) == result["quality"]["components"] == 4  # the model has 3, and a mean
    assert np.allclose(found["rest"] + found["weights"] @ found["shapes"], values, atol=1e-5)


def test_weights_have_no_components(backend: Any, tmp_path: Path, murmur: Path) -> None:
    backend.send(**order("animate", tmp_path, audio=murmur, model="tiny"))
    backend.send(**order("components", tmp_path, take=backend.ending(1)["take"]))
    assert backend.ending(1)["code"] == "take.no_vertices"
    backend.send(**order("components", tmp_path, take="0" * 32))
    assert backend.ending(1)["code"] == "take.missing"


def test_results_in_the_official_form_are_imported_by_entry(backend: Any, tmp_path: Path) -> None:
    flame = released_annotations()["FLAME_5023_vertices"]
    vertices = np.random.default_rng(0).normal(0, 0.05, (4, flame.dim // 3, 3)).astype(np.float32)
    np.savez(tmp_path / "results.npz", **{"hello.wav/D1": vertices, "hello.wav/D0": vertices[:, :10]})
    request = order("import", tmp_path, motion=tmp_path / "results.npz")
    backend.send(**request)
    error = backend.ending(1)
    assert (error["code"], "hello.wav/D1" in error["hint"]) == ("motion.unreadable", True)
    backend.send(**request | {"entry": "hello.wav/D1"})
    result = backend.ending(1)
    assert (result["head"], result["fps"], result["frames"]) == ("FLAME_5023_vertices", 30.0, 4)
    assert np.array_equal(read(tmp_path / "out.npz")["values"], vertices.reshape(4, -1))


def test_bad_files_end_the_job_and_not_the_backend(backend: Any, take: FaceMotion, tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text("Dear reader,")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "pickled.npz", np.array([{"D0": 1}], dtype=object))
    for name, text in (
        ("text.csv", "no header"),
        ("cut.npz", "damaged"),
        ("pickled.npz", "pickled"),
        ("no.csv", "no file"),
    ):
        backend.send(**order("import", tmp_path, motion=tmp_path / name))
        error = backend.ending(1)
        assert error["code"].startswith("motion."), name
        assert text in error["message"]
    assert not (tmp_path / "out.npz").exists()
    write_motion(take, tmp_path / "good.npz")
    backend.send(**order("import", tmp_path, motion=tmp_path / "good.npz"))
    assert backend.ending(1)["type"] == "result"


def test_a_take_outlives_its_file(backend: Any, take: FaceMotion, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_motion(take, tmp_path / "in" / "take.npz")
    backend.send(**order("import", tmp_path, motion=tmp_path / "in" / "take.npz"))
    made = backend.ending(1)
    shutil.rmtree(tmp_path / "in")
    backend.send(**order("remap", tmp_path, take=made["take"], direction={"intensity": 0.0}))
    assert backend.ending(1)["type"] == "result"
    assert not read(tmp_path / "out.npz")["values"].any()
