"""What is done to a voice: another vocal tract, a telephone, a codec, noises. Sound and motion must stay in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from training.augment import colour
from training.backgrounds import BACKGROUNDS, at_level, crowd
from training.config import Augmentation
from training.formants import shift_formants
from training.transmission import compress, telephone

RATE = 16000
QUIET = {"reverb_probability": 0, "tilt_probability": 0, "noise_probability": 0}


def vowel(resonance: float, pitch: float = 110.0) -> np.ndarray:
    """A second of a voice with one formant."""
    pulses = np.zeros(RATE)
    pulses[:: round(RATE / pitch)] = 1
    radius = np.exp(-np.pi * 90 / RATE)
    angle = 2 * np.pi * resonance / RATE
    sound = signal.lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], pulses)
    return (0.1 * sound / np.abs(sound).max()).astype(np.float32)


def strongest(sound: np.ndarray, low: float, high: float) -> float:
    """Frequency of the strongest part between two, smoothed over harmonics."""
    frequencies, power = signal.welch(sound, RATE, nperseg=256)
    inside = (frequencies >= low) & (frequencies <= high)
    return float((frequencies * power)[inside].sum() / power[inside].sum())


def lag(sound: np.ndarray, other: np.ndarray) -> int:
    """By how many samples the other one is later."""
    correlation = signal.correlate(other, sound, "full", "fft")
    return int(np.argmax(correlation)) - (len(sound) - 1)


@pytest.fixture(scope="module")
def voice(shared: Path) -> np.ndarray:
    sound, _ = soundfile.read(shared / "bench/audio_grid_s1/bbaf2n.flac", dtype="float32")
    return sound


@pytest.mark.parametrize("factor", [0.87, 1.15])
def test_formants_move_and_pitch_stays(factor: float) -> None:
    sound = vowel(1200)
    shifted = shift_formants(sound, factor)
    assert len(shifted) == len(sound)
    assert strongest(shifted, 600, 2200) == pytest.approx(1200 * factor, rel=0.06)
    period = signal.correlate(shifted, shifted, "full", "fft")[len(shifted) + 79 : len(shifted) + 400]
    assert np.argmax(period) + 80 == pytest.approx(RATE / 110, abs=2)


@given(factor=st.floats(0.8, 1.25), length=st.integers(1, 4000), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_any_sound_has_formants_to_shift(factor: float, length: int, seed: int) -> None:
    sound = np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)
    shifted = shift_formants(sound, factor)
    assert shifted.shape == sound.shape and np.isfinite(shifted).all()
    assert not shift_formants(np.zeros_like(sound), factor).any()


@pytest.mark.parametrize("change", [telephone, compress, lambda sound, _: shift_formants(sound, 1.15)])
@pytest.mark.parametrize("seed", range(3))
def test_a_changed_voice_stays_in_time(change: object, seed: int, voice: np.ndarray) -> None:
    changed = change(voice, np.random.default_rng(seed))  # type: ignore[operator]
    assert changed.shape == voice.shape and changed.dtype == np.float32
    assert abs(lag(voice, changed)) <= 16, "a millisecond"


def test_a_telephone_lets_only_its_band_through() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    frequencies, power = signal.welch(telephone(noise, np.random.default_rng(0)), RATE, nperseg=512)
    middle = power[(frequencies > 500) & (frequencies < 3000)].mean()
    assert power[frequencies > 4200].mean() < 1e-3 * middle
    assert power[frequencies < 100].mean() < 0.1 * middle


@pytest.mark.parametrize("kind", BACKGROUNDS)
@given(length=st.integers(200, 30000), seed=st.integers(0, 999))
@settings(max_examples=6, deadline=None)
def test_backgrounds_are_sound_of_any_length_and_never_the_same(kind: str, length: int, seed: int) -> None:
    sound = BACKGROUNDS[kind](length, np.random.default_rng(seed))
    assert sound.shape == (length,) and np.isfinite(sound).all() and sound.std() > 0
    assert not np.array_equal(sound, BACKGROUNDS[kind](length, np.random.default_rng(seed + 1)))
    assert np.sqrt(np.mean(at_level(sound, -30.0) ** 2)) == pytest.approx(10**-1.5, rel=1e-3)


def test_no_voice_of_a_crowd_can_be_followed(voice: np.ndarray) -> None:
    murmur = crowd(len(voice), [voice, voice[::-1]], np.random.default_rng(0))
    correlation = signal.correlate(murmur, voice, "full", "fft")
    assert np.abs(correlation).max() / (np.linalg.norm(murmur) * np.linalg.norm(voice)) < 0.6


@pytest.mark.parametrize("noise", ["crowd", *BACKGROUNDS])
def test_noise_of_every_kind_has_the_distance_that_was_asked_for(noise: str, voice: np.ndarray) -> None:
    loud = Augmentation.model_validate({**QUIET, "noise_probability": 1, "noise": [noise], "noise_snr": (10, 10)})
    heard = colour(voice, loud, np.random.default_rng(0))
    clean = voice * (heard @ voice) / (voice @ voice)
    assert 10 * np.log10(np.sum(clean**2) / np.sum((heard - clean) ** 2)) == pytest.approx(10, abs=1.5)


def test_what_is_off_changes_nothing(voice: np.ndarray) -> None:
    plain = colour(voice, Augmentation(), np.random.default_rng(5))
    ranges = Augmentation(formants=(0.5, 2.0))
    np.testing.assert_array_equal(plain, colour(voice, ranges, np.random.default_rng(5)))
    changed = Augmentation(formant_probability=1, telephone_probability=1)
    assert not np.array_equal(plain, colour(voice, changed, np.random.default_rng(5)))
