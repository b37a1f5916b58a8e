"""The read-out says what an eye would see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.annotation import Annotation, FaceMotion
from backend.motion.quality import measure_quality
from backend.prosody import Prosody

CLOSURES = np.array([0.48, 0.96, 1.44, 1.92])


def opening(fps: float = 25.0) -> np.ndarray:
    """Closed every 0.48 s, open between, slightly open in the pause."""
    time = np.arange(round(4 * fps)) / fps
    return np.where(time < 3, 0.4 * np.abs(np.sin(np.pi * time / 0.48)), 0.08)


def voice(opened: np.ndarray | None = None) -> Prosody:
    """Silent in the fourth second; as loud as a mouth is open, 25 times a second, or always the same."""
    heard = np.zeros(100) if opened is None else opened
    seconds = len(heard) / 25
    times = np.arange(round(50 * seconds)) / 50
    loudness = -60 + 50 * np.interp(times, np.arange(len(heard)) / 25, heard)
    flat = np.zeros(len(times), np.float32)
    return Prosody(loudness.astype(np.float32), flat, flat, np.array([[3.0, 4.0]], np.float32), seconds)


def syllables(seconds: int) -> np.ndarray:
    """Openings of different heights, 25 times a second."""
    heights = np.random.default_rng(0).uniform(0.3, 1, seconds * 3)
    time = np.arange(25 * seconds) / 25
    return heights[(time * 3).astype(int)] * np.abs(np.sin(np.pi * time * 3))


def measured(make_motion, track: np.ndarray, fps: float = 25.0) -> dict[str, float]:
    return measure_quality(make_motion(fps, jawOpen=track), CLOSURES, voice())


def test_closures_silence_range_and_jitter_of_a_known_mouth(make_motion) -> None:
    numbers = measured(make_motion, opening())
    assert numbers["closure"] == 1.0
    assert numbers["silence"] == pytest.approx(0.08 / 0.4, abs=0.03)
    assert numbers["range"] == pytest.approx(0.4, abs=0.05)
    assert numbers["jitter"] < 0.06


def test_lips_that_stay_apart_and_a_trembling_jaw_are_seen(make_motion) -> None:
    track = opening()
    assert measured(make_motion, track + 0.1)["closure"] == 0.0
    tremble = track + 0.02 * (-1.0) ** np.arange(len(track))
    assert measured(make_motion, tremble)["jitter"] > 3 * measured(make_motion, track)["jitter"]


@pytest.mark.parametrize("late", [-0.12, 0.0, 0.08])
def test_a_mouth_that_is_late_is_found_to_be(make_motion, late: float) -> None:
    track = syllables(8)
    numbers = measure_quality(
        make_motion(25, jawOpen=0.5 * np.roll(track, round(25 * late))), CLOSURES, voice(opened=track)
    )
    assert numbers["offset"] == pytest.approx(1000 * late, abs=15)


def test_a_few_syllables_tell_no_offset(make_motion) -> None:
    track = syllables(4)
    assert "offset" not in measure_quality(make_motion(25, jawOpen=0.5 * track), CLOSURES, voice(opened=track))


def test_a_mouth_that_does_not_follow_the_voice_has_no_offset(make_motion) -> None:
    assert "offset" not in measured(make_motion, opening())


def test_what_cannot_be_measured_is_left_out(make_motion) -> None:
    short = make_motion(12.0, jawOpen=opening(12.0))
    assert measure_quality(short, np.zeros(0), replace(voice(), pauses=np.zeros((0, 2)))).keys() == {"range"}
    mesh = Annotation(type_name="mesh", kind="vertices", dim=3, fps=25, unit="m")
    assert measure_quality(FaceMotion(np.zeros((9, 3), np.float32), 25, mesh), CLOSURES, voice()) == {}
