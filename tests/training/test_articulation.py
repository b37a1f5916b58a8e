"""Articulation scores: a mouth that speaks clearly scores 1, one that does not move with the words about a half."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from training.articulation import BILABIAL, LABIODENTAL, OPEN, ROUNDED, Phone, articulation, opening_in, read_phones

NAMES = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthRollLower", "mouthLowerDownLeft")
ARKIT = Annotation(type_name="arkit", kind="blendshapes", dim=6, fps=100, unit="weight", names=NAMES)
SOUNDS = ["M", "AA", "T", "UW", "F", "IY", "K", "OW", "V", "AE", "P", "S", "SIL"] * 6


def phones() -> list[Phone]:
    return [Phone(0.4 * number, 0.4 * (number + 1), label) for number, label in enumerate(SOUNDS)]


def motion_of(spoken: list[Phone]) -> FaceMotion:
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
    return FaceMotion(values, 100, ARKIT)


def test_clear_speech_scores_one_and_rests_in_pauses() -> None:
    scores = articulation([(motion_of(phones()), phones())])
    assert scores.mean == 1
    assert scores.silence < 0.05
    assert scores.range == pytest.approx(0.6, abs=0.05)


def test_motion_that_has_nothing_to_do_with_the_words_scores_a_half() -> None:
    rng = np.random.default_rng(0)
    recordings = [
        (FaceMotion(rng.random((round(100 * phones()[-1].end), 6), np.float32), 100, ARKIT), phones())
        for _ in range(20)
    ]
    assert articulation(recordings).mean == pytest.approx(0.5, abs=0.08)


def test_an_open_mouth_in_pauses_is_seen() -> None:
    spoken = phones()
    motion = motion_of(spoken)
    pauses = [(phone.start, phone.end) for phone in spoken if phone.is_silence]
    closed = opening_in(motion, pauses)
    values = motion.values.copy()
    for start, end in pauses:
        values[round(100 * start) : round(100 * end), :2] = (0.4, 0)
    assert opening_in(FaceMotion(values, 100, ARKIT), pauses) > closed + 0.5


def test_phone_files_of_both_kinds_are_read(tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text(json.dumps({"a": [[0, 0.5, "SIL", "<sil>"], [0.5, 0.7, "AA1", "are"]]}))
    assert [phone.label for phone in read_phones(tmp_path / "phones.json")["a"]] == ["SIL", "AA"]
    aligned = {"w": [{"t": "are", "w": [{"b": 0.5, "d": 0.2, "t": "AA"}]}]}
    (tmp_path / "b.phone.json").write_text(json.dumps(aligned))
    assert read_phones(tmp_path / "b.phone.json")["b"] == [Phone(0.5, 0.7, "AA")]


def test_what_holds_no_phones_is_named(tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text("[1, 2]")
    with pytest.raises(UniTalkerError, match=r"phones\.json"):
        read_phones(tmp_path / "phones.json")
