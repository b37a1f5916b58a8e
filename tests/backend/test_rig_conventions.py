"""The files of assets/rigs: one schema, and facts that contradict nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.errors import UniTalkerError
from backend.rig.conventions import ARKIT, RIGS, arkit_names, convention_names, lip_metric, load_convention
from backend.rig.poses import solve_poses

ALL = convention_names()


def test_every_family_of_heads_is_there() -> None:
    assert set(ALL) >= {
        "arkit52",
        "ict",
        "oculus",
        "microsoft",
        "vrm",
        "mmd",
        "cc_standard",
        "cc4_extended",
        "cc5",
        "cc_visemes",
        "metahuman",
        "facs",
        "preston_blair",
    }


@pytest.mark.parametrize("name", ALL)
def test_a_convention_is_made_of_arkit_shapes(name: str) -> None:
    convention = load_convention(name)
    known = set(arkit_names().values())
    assert convention.convention == name
    for channel in convention.channels.values():
        assert not (channel.sum and channel.pose)
        assert set(channel.sum) | set(channel.pose) <= known
        assert set(channel.unless) <= set(convention.channels)
        assert all(0 < weight <= 1 for weight in (*channel.sum.values(), *channel.pose.values()))


@pytest.mark.parametrize("name", ALL)
def test_the_mouth_opens(name: str) -> None:
    opens = [
        channel
        for channel in load_convention(name).channels.values()
        if "jawOpen" in channel.sum or channel.pose.get("jawOpen", 0) >= 0.4
    ]
    assert opens


@pytest.mark.parametrize("name", [name for name in ALL if load_convention(name).method == "least squares"])
def test_poses_can_be_told_apart(name: str) -> None:
    """A pose alone is solved as itself: the published tables of poses, which repeat each other, would not pass."""
    convention = load_convention(name)
    poses = {key: channel.pose for key, channel in convention.channels.items() if channel.pose}
    for key, pose in poses.items():
        arkit = {shape: np.full(1, 0.7 * weight) for shape, weight in pose.items()}
        solved = solve_poses(convention, arkit, 1)
        assert solved[key] == pytest.approx(0.7, abs=1e-6)
        assert sum(float(values[0]) for values in solved.values()) == pytest.approx(0.7, abs=1e-6)


def test_arkit_shapes_are_themselves() -> None:
    for name, channel in load_convention(ARKIT).channels.items():
        assert channel.sum == {name: 1.0}


def test_lip_metric_is_a_metric_on_mouth_shapes() -> None:
    shapes, matrix = lip_metric()
    assert set(shapes) <= set(arkit_names().values())
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0
    # Lips that the jaw opens and mouthClose closes move less than by the jaw alone.
    together = np.isin(shapes, ["jawOpen", "mouthClose"]).astype(float)
    alone = np.isin(shapes, ["jawOpen"]).astype(float)
    assert together @ matrix @ together < 0.5 * (alone @ matrix @ alone)


def test_lip_metric_is_the_one_of_the_sample_head() -> None:
    from assets.heads.measure_lips import HEAD, read_shapes
    from assets.heads.measure_lips import lip_metric as measure

    channels, matrix = measure(*read_shapes(HEAD))
    stored = json.loads((RIGS / "lip_metric.json").read_text())
    assert stored["channels"] == channels
    np.testing.assert_allclose(stored["matrix"], matrix, atol=6e-4)


def test_unknown_convention_is_named() -> None:
    with pytest.raises(UniTalkerError, match="'faceit'") as caught:
        load_convention("faceit")
    assert caught.value.code == "rig.unknown_convention"
    assert "arkit52" in caught.value.hint
