"""Loudness, pitch and pauses of made-up and of real voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.audio import SAMPLE_RATE, read_audio
from backend.motion.phrasing import accents, phrase_ends, phrase_starts
from backend.prosody import FRAMES_PER_SECOND, SILENCE_LEVEL, analyse

ROOT = Path(__file__).resolve().parents[2]


def hum(frequency: float, seconds: float, level: float = 0.2) -> np.ndarray:
    """A buzzing tone with overtones, as a voice has."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * k * frequency * time) / k for k in range(1, 6))
    return (level * tone).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(frequency=st.floats(75, 390))
def test_pitch_is_measured_within_a_quarter_tone(frequency: float) -> None:
    pitch = analyse(hum(frequency, 0.6)).pitch[5:-5]
    assert (pitch > 0).all()
    assert np.abs(12 * np.log2(pitch / frequency)).max() < 0.5


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    assert (analyse(noise).pitch > 0).mean() < 0.05


@pytest.mark.parametrize("decibels", [-20.0, -6.0])
def test_twice_as_loud_is_six_decibels_and_full_scale_is_the_reference(decibels: float) -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    sine = (10 ** (decibels / 20) * np.sqrt(2) * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    assert np.median(analyse(sine).loudness) == pytest.approx(decibels, abs=0.5)


def test_pauses_are_where_nobody_speaks() -> None:
    sound = np.concatenate([np.zeros(8000), hum(120, 1.0), np.zeros(12000), hum(150, 1.0), np.zeros(3200)])
    noisy = sound + np.random.default_rng(0).normal(0, 0.001, len(sound))
    for samples in (sound, noisy):
        voice = analyse(samples.astype(np.float32))
        assert voice.pauses == pytest.approx(np.array([[0, 0.5], [1.5, 2.25], [3.25, 3.45]]), abs=0.05)
        assert phrase_ends(voice) == pytest.approx([1.5], abs=0.05)
        assert phrase_starts(voice) == pytest.approx([0.5, 2.25], abs=0.05)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 3.0])
def test_silence_is_one_pause_and_nothing_fails_on_it(seconds: float) -> None:
    voice = analyse(np.zeros(round(seconds * SAMPLE_RATE), np.float32))
    assert voice.pauses == pytest.approx(np.array([[0, seconds]]))
    assert (voice.loudness == SILENCE_LEVEL).all()
    assert not voice.pitch.any()
    assert not len(accents(voice)[0])


def test_long_sounds_are_heard_in_blocks_without_seams() -> None:
    """A block is a minute long; what lies across its border is heard as anywhere else."""
    long = np.tile(hum(130, 1.0), 70)
    voice = analyse(long)
    border = 60 * int(FRAMES_PER_SECOND)
    assert voice.pitch[border - 20 : border + 20] == pytest.approx(130, abs=1)
    later = analyse(long[30 * SAMPLE_RATE :])
    assert voice.loudness[30 * 50 + 5 : -5] == pytest.approx(later.loudness[5:-5], abs=0.01)


def test_the_bundled_voice_has_a_womans_or_mans_pitch_stresses_and_a_pause() -> None:
    voice = analyse(read_audio(ROOT / "assets/audio/demo_voice.ogg").samples)
    assert 80 < np.median(voice.pitch[voice.pitch > 0]) < 300
    times, strengths = accents(voice)
    assert 0.5 < len(times) / voice.seconds < 2.2
    assert (np.diff(times) > 0.4).all()
    assert ((strengths > 0) & (strengths <= 1)).all()
    assert len(phrase_ends(voice)) >= 1


def test_outline_shows_where_a_sound_is_loud() -> None:
    samples = np.zeros(4 * SAMPLE_RATE, np.float32)
    samples[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    outline = np.array(analyse(samples).outline())
    assert (outline.max(), len(outline)) == (1.0, 200)
    assert outline[52:98].min() > 0.9
    assert outline[:45].max() < 0.01
    assert len(analyse(np.tile(samples, 10)).outline()) == 256
