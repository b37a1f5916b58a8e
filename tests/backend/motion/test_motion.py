"""The stages after the network, by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.annotation import Annotation, FaceMotion
from backend.motion.clip import clip_weights
from backend.motion.intensity import scale_intensity
from backend.motion.resample import resample
from backend.motion.smoothing import smooth

WEIGHTS = Annotation(type_name="two", kind="blendshapes", dim=2, fps=25, unit="weight", names=("jawOpen", "mouthClose"))
VERTEX = Annotation(type_name="point", kind="vertices", dim=3, fps=30, unit="m")

RATES = st.sampled_from([8.0, 12.5, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 120.0])
VALUES = st.integers(1, 80).flatmap(
    lambda frames: arrays(np.float32, (frames, 2), elements=st.floats(-2, 2, width=32, allow_subnormal=False))
)


def motion(values: np.ndarray, fps: float = 25.0, annotation: Annotation = WEIGHTS) -> FaceMotion:
    return FaceMotion(np.asarray(values, np.float32), fps, annotation, ("a remark",))


@given(values=VALUES, source=RATES, target=RATES)
def test_resampling_keeps_duration_range_and_remarks(values: np.ndarray, source: float, target: float) -> None:
    result = resample(motion(values, source), target)
    assert result.fps == target
    assert result.notes == ("a remark",)
    # Half a frame is the nearest that whole frames come; one frame is the least that there is.
    assert abs(result.duration - len(values) / source) <= max(0.5, 1) / target + 1e-9
    assert result.values.min() >= values.min() - 1e-6
    assert result.values.max() <= values.max() + 1e-6


@given(frames=st.integers(2, 200), source=RATES, target=RATES)
def test_resampled_frames_stand_at_their_exact_times(frames: int, source: float, target: float) -> None:
    clock = np.repeat(np.arange(frames)[:, None] / source, 2, axis=1)
    result = resample(motion(clock, source), target).values[:, 0]
    times = np.minimum(np.arange(len(result)) / target, (frames - 1) / source)
    assert np.allclose(result, times, atol=1e-5)


@given(values=VALUES, rate=RATES)
def test_doubling_the_rate_and_halving_it_again_gives_the_same(values: np.ndarray, rate: float) -> None:
    back = resample(resample(motion(values, rate), 2 * rate), rate)
    assert np.allclose(back.values, values, atol=1e-6)


@given(values=VALUES, seconds=st.floats(0, 3))
def test_smoothing_keeps_the_length_and_a_still_face_still(values: np.ndarray, seconds: float) -> None:
    assert smooth(motion(values), seconds).values.shape == values.shape
    still = np.full_like(values, 0.4)
    assert np.allclose(smooth(motion(still), seconds).values, 0.4, atol=1e-5)


@given(frames=st.integers(1, 120), seconds=st.floats(0, 2), bend=st.floats(-1, 1), slope=st.floats(-1, 1))
def test_smoothing_leaves_a_parabola_as_it_is_up_to_the_ends(
    frames: int, seconds: float, bend: float, slope: float
) -> None:
    time = np.linspace(-1, 1, frames)[:, None]
    parabola = np.repeat(bend * time**2 + slope * time, 2, axis=1)
    assert np.allclose(smooth(motion(parabola), seconds).values, parabola, atol=1e-4)


@settings(max_examples=30)
@given(values=VALUES, seconds=st.floats(0.1, 2))
def test_smoothing_is_the_same_backwards_so_nothing_lags(values: np.ndarray, seconds: float) -> None:
    forwards = smooth(motion(values), seconds).values
    backwards = smooth(motion(values[::-1].copy()), seconds).values[::-1]
    assert np.allclose(forwards, backwards, atol=1e-4)


def test_smoothing_calms_jitter_and_keeps_a_syllable() -> None:
    time = np.arange(100) / 25
    syllable = np.exp(-(((time - 2) / 0.12) ** 2))
    jitter = 0.05 * np.random.default_rng(0).normal(size=100)
    noisy = np.stack([syllable + jitter, jitter], axis=1)
    calm = smooth(motion(noisy), 0.28).values
    assert calm[:, 1].std() < 0.7 * jitter.std()
    assert calm[:, 0].max() > 0.9
    assert abs(int(calm[:, 0].argmax()) - int(syllable.argmax())) <= 1


@given(values=VALUES, gain=st.floats(0, 4))
def test_intensity_multiplies_weights(values: np.ndarray, gain: float) -> None:
    assert np.allclose(scale_intensity(motion(values), gain).values, values * gain, atol=1e-5)


def test_intensity_of_a_mesh_moves_it_around_its_rest_and_does_not_grow_the_head() -> None:
    rest = np.array([1.0, 2.0, 3.0], np.float32)
    moved = motion([[1.0, 1.9, 3.0]], 30, VERTEX)
    assert scale_intensity(moved, 2.0, rest).values == pytest.approx(np.array([[1.0, 1.8, 3.0]]), abs=1e-6)
    assert scale_intensity(moved, 0.0, rest).values == pytest.approx(rest[None], abs=1e-6)


@given(values=VALUES)
def test_weights_end_within_their_range_and_meshes_as_they_are(values: np.ndarray) -> None:
    clipped = clip_weights(motion(values)).values
    assert clipped.min() >= 0
    assert clipped.max() <= 1
    inside = (values >= 0) & (values <= 1)
    assert np.array_equal(clipped[inside], values[inside])
    mesh = motion(np.full((2, 3), -5.0), 30, VERTEX)
    assert np.array_equal(clip_weights(mesh).values, mesh.values)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_nonsense_is_refused(bad: float) -> None:
    face = motion(np.zeros((4, 2)))
    for stage in (resample, smooth, scale_intensity):
        with pytest.raises(ValueError, match=str(bad)):
            stage(face, bad)


def test_stages_leave_what_they_were_given_untouched() -> None:
    values = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    before = values.copy()
    face = motion(values)
    for result in (resample(face, 60), smooth(face, 0.5), scale_intensity(face, 2), clip_weights(face)):
        assert not np.array_equal(result.values, before)
    assert np.array_equal(values, before)
