"""Solving a character's own shapes from ARKit motion."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.annotation import Annotation, FaceMotion
from backend.audio import read_audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions, record
from backend.rig.conventions import arkit_names, load_convention
from backend.rig.drawings import HOLD
from backend.rig.nonnegative import solve_nonnegative
from backend.rig.solve import apply_rig, convention_channels
from backend.rig.spec import Rig

MODEL = Path(__file__).resolve().parents[2] / "assets/models/unitalker-s"
ARKIT = tuple(arkit_names().values())


def motion(fps: float = 25.0, frames: int = 50, **weights: float | np.ndarray) -> FaceMotion:
    """ARKit motion with these weights, the rest of the face at rest."""
    values = np.zeros((frames, len(ARKIT)), np.float32)
    for name, weight in weights.items():
        values[:, ARKIT.index(name)] = weight
    return FaceMotion(values, fps, annotation(ARKIT, fps))


def annotation(names: tuple[str, ...], fps: float = 25.0) -> Annotation:
    return Annotation(type_name="test", kind="blendshapes", dim=len(names), fps=fps, unit="weight", names=names)


def rig(*rows: dict, convention: str | None = None) -> Rig:
    return Rig.model_validate({"convention": convention, "targets": list(rows)})


def values(result: FaceMotion, target: str) -> np.ndarray:
    return result.values[:, result.annotation.names.index(target)]


# --- rows --------------------------------------------------------------------------------------------------------


def test_gain_offset_and_limits() -> None:
    result = apply_rig(
        motion(jawOpen=0.5),
        rig(
            {"target": "a", "source": "jawOpen", "gain": 0.5, "offset": 0.1},
            {"target": "b", "source": "JAWOPEN", "gain": 4},
            {"target": "c", "source": "jawOpen", "gain": -2, "minimum": -0.3, "maximum": 0.2},
        ),
    )
    assert result.annotation.names == ("a", "b", "c")
    np.testing.assert_allclose(result.values[0], [0.35, 1.0, -0.3], rtol=1e-6)
    assert result.values.dtype == np.float32


def test_rows_of_one_target_add_up() -> None:
    result = apply_rig(
        motion(eyeBlinkLeft=0.8, eyeBlinkRight=0.4),
        rig(
            {"target": "blink", "source": "eyeBlinkLeft", "gain": 0.5},
            {"target": "blink", "source": "eyeBlinkRight", "gain": 0.5},
        ),
    )
    assert result.annotation.names == ("blink",)
    np.testing.assert_allclose(result.values, 0.6, rtol=1e-6)


def test_channels_of_the_layers_are_sources() -> None:
    base = motion(jawOpen=0.5)
    names = (*ARKIT, "headPitch")
    nodding = FaceMotion(np.hstack([base.values, np.full((50, 1), -0.2, np.float32)]), 25.0, annotation(names))
    row = {"target": "bone", "source": "headPitch", "gain": 1.5, "minimum": -3.2, "maximum": 3.2}
    np.testing.assert_allclose(apply_rig(nodding, rig(row)).values, -0.3, rtol=1e-6)
    with_jaw = rig(row, {"target": "jaw", "source": "jawOpen"})
    assert apply_rig(base, with_jaw).annotation.names == ("jaw",), "a layer that is off moves nothing"


def test_a_head_without_the_tongue_leaves_it_out() -> None:
    names = tuple(name for name in ARKIT if name != "tongueOut")
    head = FaceMotion(np.zeros((3, 51), np.float32), 25.0, annotation(names))
    rows = rig({"target": "t", "source": "tongueOut"}, {"target": "j", "source": "jawOpen"})
    assert apply_rig(head, rows).annotation.names == ("j",)


def test_heads_in_another_spelling_of_case() -> None:
    head = FaceMotion(np.full((3, 1), 0.5, np.float32), 25.0, annotation(("JawOpen",)))
    result = apply_rig(head, rig({"target": "A", "source": "aa"}, convention="vrm"))
    assert values(result, "A")[0] > 0.8


def test_a_source_that_nobody_has_is_named() -> None:
    with pytest.raises(UniTalkerError, match="'Key 1' is to follow 'jawOpne'") as caught:
        apply_rig(motion(), rig({"target": "Key 1", "source": "jawOpne"}))
    assert caught.value.code == "rig.unknown_source"


def test_a_head_that_is_no_face_is_refused() -> None:
    head = FaceMotion(np.zeros((3, 2), np.float32), 25.0, annotation(("mouth_stretch_c", "brow_raise_c")))
    for request in (
        rig({"target": "a", "source": "aa"}, convention="vrm"),
        rig({"target": "a", "source": "jawOpen"}),
    ):
        with pytest.raises(UniTalkerError, match="Choose a head with ARKit") as caught:
            apply_rig(head, request)
        assert caught.value.code == "rig.not_arkit"


@pytest.mark.parametrize(
    "bad",
    [
        {"targets": []},
        {"targets": [{"target": "", "source": "jawOpen"}]},
        {"targets": [{"target": "a", "source": "jawOpen", "gain": float("nan")}]},
        {"targets": [{"target": "a", "source": "jawOpen", "minimum": 1, "maximum": 0}]},
        {"targets": [{"target": "a", "source": "jawOpen"}], "convention": "../../etc/passwd"},
        {"targets": [{"target": "a", "source": "jawOpen", "scale": 1}]},
    ],
)
def test_nonsense_is_refused(bad: dict) -> None:
    with pytest.raises(ValidationError):
        Rig.model_validate(bad)


# --- visemes and vowels ------------------------------------------------------------------------------------------


def test_vowels_of_a_vrm_character() -> None:
    rows = [{"target": name, "source": name} for name in ("aa", "ih", "ou", "ee", "oh", "blink")]
    speaking = motion(jawOpen=np.linspace(0, 0.5, 50, dtype=np.float32), eyeBlinkLeft=1.0, eyeBlinkRight=0.5)
    result = apply_rig(speaking, rig(*rows, convention="vrm"))
    aa = values(result, "aa")
    assert aa[0] == 0
    assert aa[-1] > 0.9
    assert (np.diff(aa) >= 0).all()
    assert max(values(result, name).max() for name in ("ih", "ou", "ee", "oh")) < 0.1
    np.testing.assert_allclose(values(result, "blink"), 0.75)


def test_closed_lips_stay_closed() -> None:
    """A lowered jaw whose lips are held together is no open mouth."""
    open_, closed = (
        convention_channels(motion(jawOpen=0.3, mouthClose=close), load_convention("oculus")) for close in (0, 0.3)
    )
    vowels = ("aa", "E", "ih", "oh", "ou")
    assert sum(closed[name][0] for name in vowels) < 0.5 * sum(open_[name][0] for name in vowels)


def test_a_round_mouth_is_round() -> None:
    solved = convention_channels(motion(mouthPucker=0.6), load_convention("oculus"))
    assert max(solved, key=lambda name: float(solved[name][0])) == "ou"


@pytest.mark.parametrize("name", ["oculus", "vrm", "mmd", "microsoft", "cc_visemes"])
def test_weights_never_tear_a_face(name: str) -> None:
    rng = np.random.default_rng(1)
    wild = FaceMotion(rng.random((200, len(ARKIT)), np.float32), 25.0, annotation(ARKIT))
    convention = load_convention(name)
    solved = convention_channels(wild, convention)
    total = np.sum([solved[key] for key, channel in convention.channels.items() if channel.pose], axis=0)
    assert total.max() <= 1 + 1e-9
    assert min(values.min() for values in solved.values()) >= 0


def test_mouth_drawings_one_at_a_time() -> None:
    jaw = np.zeros(100, np.float32)
    jaw[20:60] = 0.5
    jaw[80] = 0.5  # one frame: too short to be drawn
    solved = convention_channels(motion(frames=100, jawOpen=jaw), load_convention("preston_blair"))
    shown = np.array([max(solved, key=lambda name: solved[name][i]) for i in range(100)])
    np.testing.assert_array_equal(np.sum(list(solved.values()), axis=0), 1)
    assert set(shown[21:58]) == {"AI"}
    assert set(shown[:18]) == {"rest"}
    runs = np.diff(np.flatnonzero(np.r_[True, shown[1:] != shown[:-1], True]))
    assert runs.min() >= round(HOLD * 25)


def phones_of(path: Path) -> list[tuple[str, float, float]]:
    """Phone, begin and end of an aligned recording."""
    words = json.loads(path.with_suffix(".phone.json").read_text(encoding="utf-8"))["w"]
    return [(phone["t"], phone["b"], phone["b"] + phone["d"]) for word in words for phone in word["w"]]


@pytest.mark.parametrize(("name", "closed"), [("preston_blair", "MBP"), ("rhubarb", "A")])
def test_drawings_of_real_speech_shut_the_lips_in_p_b_and_m_and_rest_in_silence(
    shared: Path, name: str, closed: str
) -> None:
    if not (MODEL / "model.json").is_file():
        pytest.skip("needs the bundled model")
    engine = TorchEngine(load_bundle(MODEL))
    labials, silences, drawings = [], [], set()
    for path in sorted((shared / "speech/librivox").glob("*.wav")):
        motion = record(engine, read_audio(path), AnimateOptions()).raw
        solved = convention_channels(motion, load_convention(name))
        shown = np.array(list(solved))[np.stack(list(solved.values())).argmax(axis=0)]
        drawings |= set(shown)
        for phone, begin, end in phones_of(path):
            frames = shown[max(0, round((begin - 0.06) * motion.fps)) : round((end + 0.06) * motion.fps) + 1]
            if phone in ("P", "B", "M"):
                labials.append(closed in frames)
            if phone == "SIL":
                silences.append(
                    closed not in shown[round((begin + 0.1) * motion.fps) : round((end - 0.1) * motion.fps)]
                )
    assert len(labials) > 20
    assert np.mean(labials) > 0.8
    assert all(silences)
    assert len(drawings) >= 6


def exhaustive(gram: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """The minimum over every choice of which unknowns are zero."""
    best, lowest = np.zeros(len(gram)), 0.0
    for choice in product([False, True], repeat=len(gram)):
        free = np.array(choice, bool)
        x = np.zeros(len(gram))
        if free.any():
            x[free] = np.linalg.solve(gram[np.ix_(free, free)], moment[free])
        value = x @ gram @ x / 2 - moment @ x
        if (x >= 0).all() and value < lowest:
            best, lowest = x, value
    return best


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0.001, 1.0))
def test_non_negative_least_squares_is_exact(seed: int, unknowns: int, ridge: float) -> None:
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(unknowns + 2, unknowns))
    gram = basis.T @ basis + ridge * np.eye(unknowns)
    moments = rng.normal(size=(unknowns, 30)) * 10.0 ** rng.integers(-3, 4)
    solved = solve_nonnegative(gram, moments)
    expected = np.stack([exhaustive(gram, moment) for moment in moments.T], axis=1)
    np.testing.assert_allclose(solved, expected, rtol=1e-6, atol=1e-7 * np.abs(moments).max())


def test_nothing_to_solve() -> None:
    assert solve_nonnegative(np.eye(3), np.zeros((3, 4))).tolist() == np.zeros((3, 4)).tolist()
    assert solve_nonnegative(np.eye(3), np.zeros((3, 0))).shape == (3, 0)


# --- a real head -------------------------------------------------------------------------------------------------


def test_visemes_of_a_real_head_follow_its_arkit_shapes(shared: Path) -> None:
    """The viseme shapes of a MakeHuman head, mixed, bring the lips near to where its ARKit shapes bring them."""
    from assets.heads.measure_lips import lip_gap, lip_vertices, read_shapes

    rest, shapes = read_shapes(shared / "heads/makehuman_head_arkit_visemes.glb")
    lips, gap = lip_vertices(shapes), lip_gap(rest, shapes)
    convention = load_convention("oculus")
    names = {key: channel.names[0] for key, channel in convention.channels.items() if channel.pose}
    # Half-open vowels, a round mouth, a closure: what speech is made of.
    said: list[dict[str, float]] = [
        {"jawOpen": 0.25},
        {"jawOpen": 0.35, "mouthLowerDownLeft": 0.1, "mouthLowerDownRight": 0.1},
        {"jawOpen": 0.15, "mouthPucker": 0.4},
        {"jawOpen": 0.1, "mouthClose": 0.1, "mouthRollUpper": 0.3},
    ]
    for frame in said:
        solved = convention_channels(motion(frames=1, **frame), convention)
        visemes = {name: float(solved[key][0]) for key, name in names.items()}
        wanted, got = (sum(weight * shapes[name][lips] for name, weight in face.items()) for face in (frame, visemes))
        assert np.linalg.norm(wanted - got) < 0.5 * np.linalg.norm(wanted), frame
        apart, given_ = (sum(weight * gap[name] for name, weight in face.items()) for face in (frame, visemes))
        assert abs(apart - given_) < 0.05 * gap["jawOpen"], f"{frame}: {1000 * (given_ - apart):.1f} mm too far apart"
