"""Measures without ground truth: they say of known mouths what is known, and tell real motion from spoilt motion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.annotation import Annotation, FaceMotion
from backend.bundle_manifest import find_bundle
from backend.catalogue import DEFAULT_MODEL
from backend.engine import load_engine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions
from training.motion_measures.catalogue import MEASURES
from training.motion_measures.controls import CONTROLS
from training.motion_measures.folders import animated, find_sounds
from training.motion_measures.lips import find_lips
from training.motion_measures.measuring import Reading, measure
from training.motion_measures.phones import (
    BILABIAL,
    LABIODENTAL,
    OPEN,
    ROUNDED,
    Phone,
    pauses_of,
    phones_in,
    read_phones,
)
from training.motion_measures.recording import LIP_CHANNELS, Mouth, Recording, Voice, hear, mouth_of
from training.motion_measures.separation import BEGIN, END, Separation, markdown_of, separate, write_tables
from training.motion_measures.takes import read_root, read_takes

ARKIT = Annotation(type_name="arkit", kind="blendshapes", dim=6, fps=100, unit="weight", names=LIP_CHANNELS)
SOUNDS = ["M", "AA", "T", "UW", "F", "IY", "K", "OW", "V", "AE", "P", "S", "SIL"] * 6
QUIET = Voice(np.zeros(0), np.zeros(0), np.zeros((0, 2)))

EVERY_SHIFT = {"late", "early", "swapped"}
DETECTED = {
    "closures": {"early", "frozen", "smoothed"},
    "near closures": {*EVERY_SHIFT, "frozen", "smoothed"},
    "false closures": EVERY_SHIFT,
    "AUC closure": {*EVERY_SHIFT, "frozen"},
    "AUC rounding": {"late", "swapped", "frozen", "smoothed"},
    "AUC open vowels": {"late", "swapped", "frozen"},
    "vowel order": {*EVERY_SHIFT, "frozen"},
    "open in silence": {"swapped", "frozen"},
    "motion in silence": {"swapped", "smoothed", "jittered"},
    "offset (ms)": {"late", "early"},
    "sound r": {"swapped", "smoothed"},
    "jerk (Hz)": {"smoothed", "jittered"},
    "above 10 Hz": {"smoothed", "jittered"},
    "range": {"frozen", "smoothed"},
}
"""On one man's weights with phones; lip-teeth is not among them, since MediaPipe does not see it."""


def phones() -> tuple[Phone, ...]:
    return tuple(Phone(0.4 * number, 0.4 * (number + 1), label) for number, label in enumerate(SOUNDS))


def weights_of(spoken: tuple[Phone, ...]) -> np.ndarray:
    """A mouth that takes exactly the position of each phone in its middle and is half open between."""
    values = np.full((round(100 * spoken[-1].end), 6), 0.0, np.float32)
    values[:, 0] = 0.3
    for phone in spoken:
        middle = slice(round(100 * (phone.start + 0.1)), round(100 * (phone.end - 0.1)))
        values[middle, 0] = 0.6 if phone.label in OPEN else 0.3
        if phone.label in BILABIAL or phone.is_silence:
            values[middle, 0] = 0.02
            values[middle, 1] = 0.02
        values[middle, 2] = 0.5 * (phone.label in ROUNDED)
        values[middle, 4] = 0.4 * (phone.label in LABIODENTAL)
    return values


def spoken(values: np.ndarray) -> Recording:
    voice = Voice(np.zeros(2), np.zeros(2), pauses_of(phones()), phones())
    return Recording("known", mouth_of(FaceMotion(values.astype(np.float32), 100, ARKIT)), 100, voice)


def value_of(opening: np.ndarray, fps: float, name: str) -> float:
    return measure([Recording("one", Mouth(opening), fps, QUIET)])[name].value


def test_a_mouth_that_speaks_clearly_scores_what_is_perfect() -> None:
    readings = {name: reading.value for name, reading in measure([spoken(weights_of(phones()))]).items()}
    for perfect in ("closures", "near closures", "AUC closure", "AUC rounding", "AUC lip-teeth", "AUC open vowels"):
        assert readings[perfect] == 1, perfect
    assert readings["false closures"] == 0
    assert readings["open in silence"] < 0.05
    assert readings["vowel order"] > 0.6
    assert readings["range"] == pytest.approx(0.6, abs=0.05)


def test_motion_that_has_nothing_to_do_with_the_words_scores_a_half() -> None:
    rng = np.random.default_rng(0)
    readings = measure([spoken(rng.random((round(100 * phones()[-1].end), 6))) for _ in range(20)])
    for name in ("AUC closure", "AUC rounding", "AUC lip-teeth", "AUC open vowels"):
        assert readings[name].value == pytest.approx(0.5, abs=0.08), name
    assert readings["vowel order"].value == pytest.approx(0, abs=0.1)


def test_a_shut_mouth_does_not_win() -> None:
    shut = measure([spoken(0.01 * weights_of(phones()) + 0.6 * (np.arange(6) == 1))])
    assert shut["closures"].value == 1
    assert shut["false closures"].value == 1


def test_an_open_mouth_in_pauses_is_seen() -> None:
    values = weights_of(phones())
    for phone in phones():
        if phone.is_silence:
            values[round(100 * phone.start) : round(100 * phone.end), :2] = (0.4, 0)
    assert measure([spoken(values)])["open in silence"].value > 0.5


def test_what_is_not_known_is_left_out() -> None:
    unheard = measure([Recording("one", Mouth(np.zeros(10)), 25, QUIET)])
    assert set(unheard) == {"range"}


@given(st.floats(-0.2, 0.2), st.floats(0.2, 5), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_an_offset_is_found_whatever_the_size_of_the_mouth(late: float, size: float, seed: int) -> None:
    """Syllables of random height, of which the mouth opens with the loudness, but later."""
    heights = np.random.default_rng(seed).uniform(0.2, 1, 60)
    times = np.arange(0, 12, 0.01)

    def syllables(time: np.ndarray) -> np.ndarray:
        inside = np.clip(time, 0, 11.99)
        return heights[(inside * 4).astype(int)] * np.sin(np.pi * inside * 4) ** 2

    frames = np.arange(360) / 30
    voice = Voice(-60 + 40 * syllables(times), times, np.zeros((0, 2)))
    recording = Recording("one", Mouth(size * syllables(frames - late)), 30, voice)
    readings = measure([recording])
    assert readings["offset (ms)"].value == pytest.approx(1000 * late, abs=12)
    assert readings["sound r"].value > 0.8


@given(st.floats(0.5, 4), st.floats(1e-3, 1e3), st.floats(-1, 1), st.sampled_from([50.0, 60.0, 100.0]))
@settings(max_examples=30, deadline=None)
def test_the_jerk_of_a_sine_is_its_frequency(hertz: float, size: float, base: float, fps: float) -> None:
    wave = base + size * np.sin(2 * np.pi * hertz * np.arange(4 * int(fps)) / fps)
    assert value_of(wave, fps, "jerk (Hz)") == pytest.approx(hertz, rel=0.05)


@given(st.floats(1, 9), st.floats(11.5, 14), st.floats(0.05, 1), st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_the_share_above_ten_hertz_is_that_of_the_speeds(slow: float, fast: float, ratio: float, size: float) -> None:
    times = np.arange(600) / 30
    wave = size * (np.sin(2 * np.pi * slow * times) + ratio * np.sin(2 * np.pi * fast * times))
    # A difference of frames lets through 2 sin(pi f / fps) of a sine.
    powers = [np.sin(np.pi * hertz / 30) ** 2 * height**2 for hertz, height in ((slow, 1), (fast, ratio))]
    assert value_of(wave, 30, "above 10 Hz") == pytest.approx(powers[1] / sum(powers), abs=0.02)


@given(st.floats(0.1, 10), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_shares_do_not_depend_on_the_unit_of_the_opening(scale: float, seed: int) -> None:
    values = weights_of(phones()) * np.random.default_rng(seed).uniform(0.5, 1, (520 * 6, 6))[: 40 * 78]
    before, after = measure([spoken(values)]), measure([spoken(scale * values)])
    for name in before.keys() - {"range"}:
        assert after[name].value == pytest.approx(before[name].value, rel=1e-3, abs=1e-3), name
    assert after["range"].value == pytest.approx(scale * before["range"].value, rel=1e-4)


@pytest.fixture(scope="module")
def separations(shared: Path) -> dict[str, dict[str, Separation]]:
    """Of real motion: weights and vertices of one man with known phones, weights of nine others."""
    bench = shared / "bench"
    lips = np.load(bench / "G0_grid_mesh/lip_idx.npy")
    takes = {
        "weights": read_takes(bench / "G1_grid_arkit", ["val"]),
        "vertices": read_takes(bench / "G0_grid_mesh", ["val"], lips),
        "people": read_takes(bench / "G3_grid_speakers", ["train", "val", "test"]),
    }
    return {name: {one.measure.name: one for one in separate(found)} for name, found in takes.items()}


@pytest.mark.parametrize("name", DETECTED)
def test_each_measure_tells_real_motion_from_spoilt_motion(
    name: str, separations: dict[str, dict[str, Separation]]
) -> None:
    assert set(separations["weights"][name].detected) >= DETECTED[name]


def test_every_measure_is_shown_to_separate() -> None:
    assert {one.name for one in MEASURES} == DETECTED.keys() | {"AUC lip-teeth"}


@pytest.mark.parametrize(
    ("name", "controls"),
    [
        ("near closures", {"swapped", "frozen", "smoothed"}),
        ("AUC closure", {*EVERY_SHIFT, "frozen"}),
        ("AUC open vowels", {"late", "swapped"}),
        ("vowel order", {"late", "swapped", "frozen"}),
        ("open in silence", {"frozen"}),
        ("offset (ms)", {"late", "early"}),
        ("sound r", {"swapped"}),
        ("jerk (Hz)", {"smoothed", "jittered"}),
        ("range", {"frozen", "smoothed"}),
    ],
)
def test_the_gap_between_the_lips_of_a_mesh_says_the_same(
    name: str, controls: set[str], separations: dict[str, dict[str, Separation]]
) -> None:
    assert set(separations["vertices"][name].detected) >= controls


def test_people_whose_phones_are_not_known_are_measured_without(
    separations: dict[str, dict[str, Separation]],
) -> None:
    people = separations["people"]
    assert people.keys() == {one.name for one in MEASURES if not one.needs_phones}
    assert {"late", "early"} <= set(people["offset (ms)"].detected)
    assert "swapped" in people["sound r"].detected
    assert {"smoothed", "jittered"} <= set(people["jerk (Hz)"].detected)


def test_real_closures_lie_below_what_counts_as_nearly_closed(separations: dict[str, dict[str, Separation]]) -> None:
    """Nine of ten real p, b and m; and of real open vowels hardly any: the limits fit what people do."""
    weights = separations["weights"]
    assert weights["near closures"].truth.value > 0.88
    assert weights["false closures"].truth.value < 0.03
    assert abs(weights["offset (ms)"].truth.value) < 30


def test_lip_to_teeth_is_seen_where_there_is_any(shared: Path) -> None:
    """Real takes do not have it, the bundled model does; its motion to another sentence does not."""
    folder = shared / "bench/audio_grid_s1"
    engine = load_engine(find_bundle(DEFAULT_MODEL), "auto", "cpu")
    takes = list(animated(engine, find_sounds(folder)[::30], phones_in(folder), AnimateOptions()))
    (found,) = [one for one in separate(takes) if one.measure.name == "AUC lip-teeth"]
    assert set(found.detected) >= {"late", "swapped"}


def test_the_gap_of_a_mesh_is_that_of_its_inner_lips(shared: Path) -> None:
    """Vertices 13 and 14 of MediaPipe's mesh are the middles of the inner lips; nobody told `find_lips`."""
    folder = shared / "bench/G4_grid_speakers_mesh"
    lips = np.load(shared / "bench/G0_grid_mesh/lip_idx.npy")
    for take in read_takes(folder, ["val"], lips):
        shapes = take.motion.values.reshape(len(take.motion.values), -1, 3) + take.face
        gap = (shapes[:, 13] - shapes[:, 14])[:, 1]
        np.testing.assert_allclose(mouth_of(take.motion, take.face, take.lips).opening, gap, atol=3e-3)
        turned = find_lips(np.roll(take.motion.values.reshape(shapes.shape), 1, -1), np.roll(take.face, 1, -1), lips)
        np.testing.assert_allclose(turned.gap(np.roll(shapes, 1, -1)), take.recording.mouth.opening, atol=1e-6)


def test_pauses_of_real_speech_are_heard(shared: Path) -> None:
    """The speaker of a 3 s take is silent before the first and after the last word."""
    take = read_takes(shared / "bench/G1_grid_arkit", ["val"])[0]
    heard = hear(np.zeros(32000, np.float32))
    assert len(take.voice.pauses) >= 2 and take.voice.phones
    assert heard.pauses.tolist() == [[0, 2]]


def test_phone_files_of_both_kinds_are_read(tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text(json.dumps({"a": [[0, 0.5, "SIL", "<sil>"], [0.5, 0.7, "AA1", "are"]]}))
    aligned = {"w": [{"t": "are", "w": [{"b": 0.5, "d": 0.2, "t": "AA"}]}]}
    (tmp_path / "b.phone.json").write_text(json.dumps(aligned))
    found = phones_in(tmp_path)
    assert [phone.label for phone in found["a"]] == ["SIL", "AA"]
    assert found["b"] == [Phone(0.5, 0.7, "AA")]


def test_what_holds_no_phones_is_named(tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text("[1, 2]")
    with pytest.raises(UniTalkerError, match=r"phones\.json"):
        read_phones(tmp_path / "phones.json")


def test_tables_go_between_the_marks_of_a_document(tmp_path: Path) -> None:
    document = tmp_path / "measures.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    sine = next(one for one in MEASURES if one.name == "jerk (Hz)")
    table = markdown_of("T", [Separation(sine, Reading(3, 2.9, 3.1, 5), {"late": Reading(5, 4.9, 5.1, 5)})])
    write_tables(document, [table])
    text = document.read_text()
    assert "old" not in text and text.startswith("before") and text.endswith("after\n")
    assert "| jerk (Hz) | 3 (2.9 to 3.1) | **5** |" in text
    assert len(text.split("| jerk (Hz) ")[1].splitlines()[0].split("|")) == len(CONTROLS) + 3
    with pytest.raises(UniTalkerError, match="no lines"):
        write_tables(tmp_path / "other.md", [table])


def test_a_folder_without_data_sets_is_named(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"no data set in the official layout in .*nowhere"):
        read_root(tmp_path / "nowhere")
