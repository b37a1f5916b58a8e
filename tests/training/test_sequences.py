"""From clips to long sequences: sound and motion stay together through joining, speed, silence and crops."""

from __future__ import annotations

import tracemalloc
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.annotation import Annotation
from tests.training.conftest import speaking, write_data_set
from training.augment import change_speed, colour
from training.batches import common_grid
from training.config import Augmentation, DataSet, Joining, Recipe, Silence
from training.datasets.clip import Clip
from training.datasets.corpus import Corpus
from training.datasets.official import OfficialDataSet
from training.motion_measures.phones import read_phones
from training.sequences import ListedClip, join, training_sequences
from training.silence import quiet_spans, speech_weight

RATE = 16000


def clap(seconds: float, at: float, fps: float, name: str = "clap") -> Clip:
    """A clip whose sound and motion peak at the same moment."""
    annotation = Annotation(type_name="hand", kind="blendshapes", dim=1, fps=fps, unit="weight", names=("hand",))
    frames = round(seconds * fps)
    samples = round(frames / fps * RATE)
    sound = np.exp(-0.5 * ((np.arange(samples) / RATE - at) / 0.02) ** 2)
    motion = np.exp(-0.5 * ((np.arange(frames) / fps - at) / 0.05) ** 2)
    return Clip(name, sound.astype(np.float32), motion[:, None].astype(np.float32), "ann", annotation)


def centre(curve: np.ndarray, rate: float) -> float:
    """Centre of gravity in seconds."""
    return float((np.arange(len(curve)) * curve).sum() / curve.sum() / rate)


@given(factor=st.floats(0.7, 1.4), at=st.floats(0.6, 1.4), fps=st.sampled_from([25.0, 30.0]))
@settings(max_examples=40, deadline=None)
def test_motion_follows_a_change_of_speed(factor: float, at: float, fps: float) -> None:
    clip = clap(2, at, fps)
    audio, motion = change_speed(clip.audio, clip.motion, factor, fps)
    assert centre(np.abs(audio), RATE) == pytest.approx(at / factor, abs=0.005)
    assert centre(motion[:, 0], fps) == pytest.approx(at / factor, abs=0.005)
    assert len(audio) == round(len(motion) / fps * RATE)


@given(seed=st.integers(0, 10_000), fps=st.sampled_from([25.0, 30.0]), augmented=st.booleans())
@settings(max_examples=40, deadline=None)
def test_joining_keeps_sound_and_motion_together(seed: int, fps: float, augmented: bool) -> None:
    rng = np.random.default_rng(seed)
    clips = [clap(rng.uniform(1.5, 3), 0.75, fps, f"c{number}") for number in range(12)]
    joining = Joining(seconds=(6, 12), silence_level=0)
    plain_sound = dict(reverb_probability=0, tilt_probability=0, noise_probability=0)
    listed = [ListedClip(len(clip.motion) / fps, partial(deepcopy, clip)) for clip in clips]
    sequences = list(join(listed, "T", joining, Augmentation(**plain_sound) if augmented else None, rng))
    names = [name for sequence in sequences for name in sequence.name.split(": ")[1].split()]
    assert sorted(names) == sorted(clip.name for clip in clips)
    for sequence in sequences:
        assert len(sequence.target) / fps <= 12.1
        assert abs(len(sequence.audio) / RATE - len(sequence.target) / fps) < 1e-4
        loud = np.interp(np.arange(len(sequence.target)) / fps, np.arange(len(sequence.audio)) / RATE, sequence.audio)
        assert np.corrcoef(loud, sequence.target[:, 0])[0, 1] > 0.7


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_augmented_sound_is_sound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = (0.2 * rng.standard_normal(RATE)).astype(np.float32)
    heard = colour(sound, Augmentation(), rng)
    assert heard.shape == sound.shape
    assert heard.dtype == np.float32
    assert np.abs(heard).max() <= 1
    loudness = 20 * np.log10(np.sqrt(np.mean(heard**2)))
    assert -39 < loudness < -13


def test_the_same_recipe_gives_the_same_sequences(tiny_recipe: Recipe, tiny_data: Path) -> None:
    first, second = (
        [one for name in corpus.names for one in training_sequences(corpus, tiny_recipe, name)]
        for corpus in (Corpus(tiny_recipe, tiny_data), Corpus(tiny_recipe, tiny_data))
    )
    assert [sequence.name for sequence in first] == [sequence.name for sequence in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.audio, other.audio)
        np.testing.assert_array_equal(one.target, other.target)


def test_real_motion_is_kept_in_words_and_taken_away_in_silence(shared: Path) -> None:
    """Against phone times of GRID; what is lost is closures of a leading p, where the mouth is closed anyhow."""
    phones = read_phones(shared / "bench/audio_grid_s1/phones.json")
    in_words, in_silence = [], []
    for clip in OfficialDataSet(shared / "bench/G1_grid_arkit").clips("val"):
        weight = speech_weight(clip.audio, len(clip.motion), clip.fps, Silence())
        times = np.arange(len(weight)) / clip.fps
        words = np.zeros(len(times), bool)
        for phone in phones[clip.name]:
            if not phone.is_silence:
                words |= (times >= phone.start) & (times < phone.end)
        in_words.append(weight[words])
        in_silence.append(weight[~words])
    assert (np.concatenate(in_words) > 0.5).mean() > 0.97
    assert (np.concatenate(in_silence) < 0.5).mean() > 0.7


def test_the_mouth_is_at_rest_in_a_pause_and_untouched_in_speech() -> None:
    rng = np.random.default_rng(0)
    sound = 0.2 * rng.standard_normal(4 * RATE).astype(np.float32)
    sound[RATE : 3 * RATE] *= 1e-3
    weight = speech_weight(sound, 100, 25, Silence())
    times = np.arange(100) / 25
    assert (weight[(times > 1.3) & (times < 2.7)] == 0).all()
    assert (weight[(times < 1) | (times > 3.02)] == 1).all()


@given(gap=st.floats(0, 0.11))
@settings(max_examples=20, deadline=None)
def test_closures_are_not_pauses(gap: float) -> None:
    sound = 0.2 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    sound[RATE : RATE + round(gap * RATE)] *= 1e-3
    assert quiet_spans(sound, Silence()) == []


def test_digital_silence_is_quiet_throughout() -> None:
    weight = speech_weight(np.zeros(RATE, np.float32), 25, 25, Silence())
    assert weight.shape == (25,)
    assert np.isfinite(weight).all()


@pytest.mark.parametrize(("fps", "grid"), [(25.0, 1), (30.0, 3), (50.0, 1)])
def test_crops_begin_on_a_feature(fps: float, grid: int) -> None:
    assert common_grid(fps, 50) == grid
    assert (grid * 50 / fps) % 1 == 0


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path, tiny_recipe: Recipe) -> None:
    annotation = {"annot_type": "tiny_vertices", "fps": 25, "kind": "vertices", "dim": 9000}
    recipe = tiny_recipe.model_copy(
        update={
            "data": (DataSet(name="M", folder="M"),),
            "heads": {"tiny_vertices": tiny_recipe.heads["tiny_vertices"]},
        }
    )
    peaks = []
    for count in (6, 24):
        folder = tmp_path / str(count)
        write_data_set(folder / "M", annotation, {f"m{n}": (0, 0.01 * speaking(50, 9000, n)) for n in range(count)})
        corpus = Corpus(recipe, folder)
        tracemalloc.start()
        assert sum(sequence.repeats for sequence in training_sequences(corpus, recipe, "M")) >= count // 3
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
