"""MetaHuman curves as an Unreal curve table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export import check_format, write_motion
from backend.rig.conventions import arkit_names

ARKIT = tuple(arkit_names().values())[:51]


def head(names: tuple[str, ...]) -> Annotation:
    return Annotation(type_name="test", kind="blendshapes", dim=len(names), fps=30.0, unit="weight", names=names)


def table(path: Path) -> dict[str, list[float]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row[0]: [float(value) for value in row[1:]] for row in csv.reader(file)}


def test_curves_of_a_take(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((90, 51), np.float32)
    path = tmp_path / "take.metahuman.csv"
    write_motion(FaceMotion(values, 30.0, head(ARKIT)), path)
    curves = table(path)
    np.testing.assert_allclose(curves.pop("Name"), np.arange(90) / 30, atol=1e-5)
    assert all(name.startswith("CTRL_expressions_") for name in curves)
    jaw, close = values[:, ARKIT.index("jawOpen")], values[:, ARKIT.index("mouthClose")]
    np.testing.assert_allclose(curves["CTRL_expressions_jawOpen"], jaw, atol=1e-5)
    for corner in ("UL", "UR", "DL", "DR"):
        together = curves[f"CTRL_expressions_mouthLipsTogether{corner}"]
        np.testing.assert_allclose(together, np.minimum(close, jaw), atol=1e-5)
    # What looks in with the left eye looks right.
    look = values[:, ARKIT.index("eyeLookInLeft")]
    np.testing.assert_allclose(curves["CTRL_expressions_eyeLookRightL"], look, atol=1e-5)


def test_other_heads_are_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match="MetaHuman curves") as caught:
        check_format(tmp_path / "take.metahuman.csv", head(("mouth_stretch_c", "jaw_thrust_c")))
    assert caught.value.code == "output.unwritable"
