"""Lip weights from the mesh: closures close, rolled and rounded lips are seen, and labels become better."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend.errors import UniTalkerError
from training.datasets.official import OfficialDataSet
from training.lip_shape import DERIVED, LipFit, derived_weights, fit_lips, lip_shape, resting_lips
from training.lip_takes import derive_lips

NAMES = (*DERIVED, "mouthPucker")
REST = np.array([[0, 0.0, 0.02], [0, 0.0, 0.02], [0, -0.01, 0.02], [-0.025, 0, 0], [0.025, 0, 0]])
"""Metres; a mouth 5 cm wide."""


def lips(upper: float = 0.0, lower: float = 0.0, border: float | None = None) -> np.ndarray:
    """One frame of lips whose edges rise by so many metres; the lower border goes with its edge."""
    frame = REST.copy()
    frame[0, 1] += upper
    frame[1, 1] += lower
    frame[2, 1] += lower if border is None else border
    return frame


def weights_of(*frames: np.ndarray, jaw: float = 0.3, close: float = 0.05) -> dict[str, np.ndarray]:
    measured = np.full((len(frames), len(NAMES)), 0.01, np.float32)
    measured[:, NAMES.index("jawOpen")], measured[:, NAMES.index("mouthClose")] = jaw, close
    derived = derived_weights(measured, NAMES, lip_shape(np.stack(frames), REST), LipFit(1.2, 0.2))
    return {name: derived[:, i] for i, name in enumerate(NAMES)}


def test_lips_that_meet_are_closed_however_far_the_jaw_is_open() -> None:
    found = weights_of(lips(-0.002, -0.002), lips(0.0, -0.008))
    opening = found["jawOpen"] - found["mouthClose"]
    assert opening[0] == 0 and found["jawOpen"][0] == pytest.approx(0.3)
    assert opening[1] == pytest.approx(1.2 * (0.16 - 0.01), rel=1e-5)
    assert (found["mouthPucker"] == np.float32(0.01)).all()


def test_lips_further_apart_than_the_jaw_says_open_it() -> None:
    found = weights_of(lips(0.0, -0.02), jaw=0.1, close=0.0)
    assert found["jawOpen"][0] == pytest.approx(1.2 * 0.39, rel=1e-5) and found["mouthClose"][0] == 0


def test_a_lower_lip_at_the_teeth_is_rolled_and_one_that_follows_the_jaw_is_not() -> None:
    found = weights_of(lips(0.004, 0.0), lips(0.0, -0.004))
    assert found["mouthRollLower"][0] > 0.4 and found["mouthRollLower"][1] == 0
    assert found["mouthUpperUpLeft"][0] == found["mouthUpperUpRight"][0] == pytest.approx(0.08 / 0.09, rel=1e-5)


def test_lips_that_turn_out_are_a_funnel() -> None:
    found = weights_of(lips(0.0, 0.0, border=-0.004), lips())
    assert found["mouthFunnel"][0] == pytest.approx(0.08 / 0.18, rel=1e-5) and found["mouthFunnel"][1] == 0


def test_the_fit_finds_how_mesh_and_weights_go_together() -> None:
    shape = lip_shape(np.stack([lips(0.0, -0.001 * i) for i in range(20)]), REST)
    fit = fit_lips([shape], [1.7 * np.maximum(shape.gap - 0.01, 0)])
    assert fit.opening == pytest.approx(1.7) and 0.4 < fit.lowering < 0.6


def test_somebody_who_waits_with_an_open_mouth_rests_with_it_closed() -> None:
    waiting = np.stack([lips(0.0, -0.012)] * 70 + [lips()] * 30)
    np.testing.assert_allclose(resting_lips(waiting), REST)


@pytest.mark.parametrize(("weights", "mesh"), [("G1_grid_arkit", "G0_grid_mesh")])
def test_labels_of_real_takes_show_their_phones_better(weights: str, mesh: str, shared: Path, tmp_path: Path) -> None:
    found = derive_lips(
        _excerpt(shared / "bench" / weights, tmp_path / "weights", 120),
        _excerpt(shared / "bench" / mesh, tmp_path / "mesh", 120),
        tmp_path / "out",
        shared / "bench/audio_grid_s1/phones.json",
        lambda _: None,
    )
    assert found.measured > 60 and found.estimated > 60
    for name, least in {"AUC closure": 0.01, "AUC lip-teeth": 0.1, "AUC rounding": 0.01}.items():
        assert found.after[name].value > found.before[name].value + least, name
    assert found.agreement["mouthClose"] > 0.8 and found.agreement["mouthRollLower"] > 0.6
    written = OfficialDataSet(tmp_path / "out")
    assert len(written.clip_names("val")) == found.after["AUC closure"].recordings
    assert not any(rest.any() for rest in written.neutral.values())
    assert (tmp_path / "out" / "audio" / "phones.json").is_file()


def test_sets_that_do_not_belong_together_are_refused(tmp_path: Path, tiny_data: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"has no mouthUpperUpLeft, mouthUpperUpRight"):
        derive_lips(tiny_data / "weights", tiny_data / "mesh", tmp_path / "out", None, lambda _: None)
    with pytest.raises(UniTalkerError, match="has no jawOpen"):
        derive_lips(tiny_data / "mesh", tiny_data / "mesh", tmp_path / "out", None, lambda _: None)
    assert not (tmp_path / "out").exists()


def _excerpt(source: Path, folder: Path, clips: int) -> Path:
    """The first clips of a data set, with the files where they are."""
    folder.mkdir()
    for split in ("train", "val"):
        listed = json.loads((source / f"{split}.json").read_text("utf-8"))
        for entry in listed["data"]:
            entry |= {key: str((source / entry[key]).resolve()) for key in ("annot_path", "audio_path")}
        listed["data"] = listed["data"][:clips]
        (folder / f"{split}.json").write_text(json.dumps(listed), "utf-8")
    for name in ("annotation.json", "id_template.npy"):
        (folder / name).symlink_to(source / name)
    return folder
