"""Metrics against a second calculation in plain loops, and against what they must say of real motion."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.channel_metrics import channel_metrics
from training.metrics import (
    Clip,
    Measure,
    Region,
    bootstrap_interval,
    fdd_abs,
    fdd_signed,
    lvd_mm,
    lve_m2_pooled,
    lve_m2_seqmean,
    vertex_metrics,
    weight_mae_seqmean,
    weight_mse_seqmean,
)

BENCH = Path(__file__).parents[3] / "shared" / "bench"
VERTICES = 7
LIPS = Region("lips", np.array([1, 3, 4]))
UPPER_FACE = Region("upper_face", np.array([0, 6]))


def clip(frames: int, seed: int, error: float = 0.002) -> Clip:
    rng = np.random.default_rng(seed)
    template = rng.normal(0, 0.1, (VERTICES, 3))
    truth = template + rng.normal(0, 0.01, (frames, VERTICES, 3))
    return Clip((truth + rng.normal(0, error, truth.shape)).astype(np.float32), truth.astype(np.float32), template)


@pytest.fixture
def clips() -> list[Clip]:
    """Of very different length, so that pooled and averaged differ."""
    return [clip(3, 0, 0.001), clip(5, 1, 0.002), clip(40, 2, 0.01)]


def by_hand(clips: list[Clip]) -> dict[str, float]:
    """Every measure once more, one vertex at a time, from the definitions of the papers."""
    squared, per_clip, distance, everywhere, upper, dynamics = [], [], [], [], [], []
    for c in clips:
        worst = []
        for p, t in zip(c.prediction.tolist(), c.truth.tolist(), strict=True):
            lengths = [math.dist(p[v], t[v]) for v in range(VERTICES)]
            worst.append(max(lengths[v] for v in (1, 3, 4)))
            everywhere += lengths
            upper += [lengths[0], lengths[6]]
        squared += [w * w for w in worst]
        per_clip.append(sum(w * w for w in worst) / len(worst))
        distance.append(sum(worst) / len(worst))
        difference = 0.0
        for v in (0, 6):
            for vertices, sign in ((c.truth, 1), (c.prediction, -1)):
                moved = [math.dist(frame[v], c.template[v]) ** 2 for frame in vertices.tolist()]
                mean = sum(moved) / len(moved)
                difference += sign * math.sqrt(sum((m - mean) ** 2 for m in moved) / len(moved)) / 2
        dynamics.append(difference)

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    return {
        "lve_m2_pooled": mean(squared),
        "lve_m2_seqmean": mean(per_clip),
        "lvd_mm": 1000 * mean(distance),
        "mve_mm": 1000 * mean(everywhere),
        "ufve_mm": 1000 * mean(upper),
        "fdd_signed": mean(dynamics),
        "fdd_abs": mean([abs(d) for d in dynamics]),
    }


def test_every_measure_equals_its_definition_in_plain_loops(clips: list[Clip]) -> None:
    measures = vertex_metrics(clips, LIPS, UPPER_FACE)
    expected = by_hand(clips)
    assert measures.keys() == expected.keys()
    for name, measure in measures.items():
        assert measure.name == name
        assert measure.value == pytest.approx(expected[name], rel=1e-6), name


def test_pooling_and_averaging_clips_differ_where_lengths_do(clips: list[Clip]) -> None:
    assert lve_m2_pooled(clips, LIPS).value > 1.5 * lve_m2_seqmean(clips, LIPS).value
    same = [clip(10, seed) for seed in range(3)]
    assert lve_m2_pooled(same, LIPS).value == pytest.approx(lve_m2_seqmean(same, LIPS).value)


def test_units_and_regions_are_said(clips: list[Clip]) -> None:
    measures = vertex_metrics(clips, LIPS, UPPER_FACE)
    assert {name: measure.unit for name, measure in measures.items()} == {
        "lve_m2_pooled": "m²",
        "lve_m2_seqmean": "m²",
        "lvd_mm": "mm",
        "mve_mm": "mm",
        "ufve_mm": "mm",
        "fdd_signed": "m²",
        "fdd_abs": "m²",
    }
    assert measures["lvd_mm"].region.startswith("lips (3 vertices, sha256 ")
    assert measures["mve_mm"].region == "all vertices"
    assert Region("lips", np.array([4, 3, 1])).label == LIPS.label
    assert Region("lips", np.array([4, 3, 2])).label != LIPS.label


@given(st.floats(0.1, 10), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_distances_scale_with_the_face_and_squares_with_its_square(scale: float, seed: int) -> None:
    one = clip(6, seed)
    one = Clip(one.prediction.astype(np.float64), one.truth.astype(np.float64), one.template)
    scaled = Clip(one.prediction * scale, one.truth * scale, one.template * scale)
    before, after = (vertex_metrics([c], LIPS, UPPER_FACE) for c in (one, scaled))
    for name, measure in before.items():
        factor = scale**2 if measure.unit == "m²" else scale
        assert after[name].value == pytest.approx(factor * measure.value, rel=1e-6, abs=1e-12), name


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_order_of_frames_vertices_and_clips_does_not_matter(seed: int) -> None:
    rng, pair = np.random.default_rng(seed), [clip(6, seed), clip(9, seed + 1)]
    vertices = rng.permutation(VERTICES)
    place = np.argsort(vertices)

    def shuffled(c: Clip) -> Clip:
        frames = rng.permutation(len(c.truth))
        return Clip(c.prediction[frames][:, vertices], c.truth[frames][:, vertices], c.template[vertices])

    before = vertex_metrics(pair, LIPS, UPPER_FACE)
    after = vertex_metrics(
        [shuffled(c) for c in reversed(pair)],
        Region("lips", place[LIPS.vertices]),
        Region("upper_face", place[UPPER_FACE.vertices]),
    )
    for name in before:
        assert after[name].value == pytest.approx(before[name].value, rel=1e-6), name


@given(st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None)
def test_a_face_that_is_off_by_a_shift_is_off_by_its_length(shift: list[float]) -> None:
    truth = clip(6, 0).truth.astype(np.float64)
    measures = vertex_metrics([Clip(truth + shift, truth)], LIPS, UPPER_FACE)
    for name in ("lvd_mm", "mve_mm", "ufve_mm"):
        assert measures[name].value == pytest.approx(1000 * np.linalg.norm(shift), abs=1e-9)
    assert "fdd_abs" not in measures, "no template was given"


def test_a_perfect_prediction_scores_zero(clips: list[Clip]) -> None:
    perfect = [Clip(c.truth, c.truth, c.template) for c in clips]
    for measure in vertex_metrics(perfect, LIPS, UPPER_FACE).values():
        assert (measure.value, measure.low, measure.high) == (0, 0, 0)


def test_signed_dynamics_cancel_between_clips_and_absolute_ones_do_not() -> None:
    still, lively = clip(50, 0), clip(50, 1)
    still = Clip(np.broadcast_to(still.template, still.truth.shape), still.truth, still.template)
    lively = Clip(lively.template + 1.35 * (lively.truth - lively.template), lively.truth, lively.template)
    pair = [still, lively]
    assert fdd_signed([still], UPPER_FACE).value > 0 > fdd_signed([lively], UPPER_FACE).value
    assert fdd_abs(pair, UPPER_FACE).value > 5 * abs(fdd_signed(pair, UPPER_FACE).value)


def test_clips_of_different_length_are_refused_rather_than_cut() -> None:
    one = clip(6, 0)
    with pytest.raises(ValueError, match=r"\(5, 7, 3\), truth \(6, 7, 3\)"):
        Clip(one.prediction[:5], one.truth)
    with pytest.raises(ValueError, match="no clips"):
        lvd_mm([], LIPS)
    with pytest.raises(ValueError, match="template"):
        fdd_abs([Clip(one.prediction, one.truth)], UPPER_FACE)


def test_weight_errors_of_heads_without_a_mesh() -> None:
    truth = np.zeros((4, 24), np.float32)
    pair = [Clip(truth + 0.1, truth), Clip(truth - 0.3, truth)]
    assert weight_mse_seqmean(pair).value == pytest.approx((0.01 + 0.09) / 2)
    assert weight_mae_seqmean(pair).value == pytest.approx(0.2)
    assert weight_mae_seqmean(pair).region == "all channels"


def test_interval_holds_the_value_and_narrows_with_more_clips() -> None:
    def width(measure: Measure) -> float:
        assert measure.low < measure.value < measure.high
        return measure.high - measure.low

    errors = np.random.default_rng(0).uniform(0.001, 0.01, 80)
    many = [clip(10, seed, error) for seed, error in enumerate(errors)]
    assert width(lvd_mm(many, LIPS)) < 0.6 * width(lvd_mm(many[:10], LIPS))
    assert lvd_mm(many, LIPS) == lvd_mm(many, LIPS)


def test_one_clip_gives_no_interval() -> None:
    measure = lvd_mm([clip(10, 0)], LIPS)
    assert math.isnan(measure.low)
    assert math.isnan(measure.high)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Means of 30 draws from a known distribution: 95 % nominal, a little less for a percentile bootstrap."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.exponential(1, 30), np.ones(30))
        hits += low <= 1 <= high
    assert 0.86 <= hits / 200 <= 0.99


def test_real_motion_is_ranked_as_a_viewer_would() -> None:
    """Smoothed truth is nearer than truth shifted by 200 ms, which is nearer than other words."""
    folder = BENCH / "G0_grid_mesh"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    lips = Region("lips", np.load(folder / "lip_idx.npy"))
    truths = [np.load(path)[:70].reshape(70, -1, 3) for path in sorted((folder / "clips").glob("*.npy"))[:12]]
    kernel = np.ones(3) / 3
    smoothed = [np.apply_along_axis(np.convolve, 0, truth, kernel, "same") for truth in truths]

    def lvd(predictions: list[np.ndarray]) -> Measure:
        return lvd_mm([Clip(p[5:65], t[5:65]) for p, t in zip(predictions, truths, strict=True)], lips)

    near = lvd(smoothed)
    late = lvd([np.roll(truth, 5, axis=0) for truth in truths])
    other = lvd(truths[1:] + truths[:1])
    assert near.high < late.low
    assert late.value < other.value


NAMES = ("jawOpen", "mouthPucker", "tongueOut")


def weights(frames: int, seed: int) -> np.ndarray:
    """Smooth random curves; the third channel never moves."""
    noise = np.random.default_rng(seed).random((frames + 4, 3))
    curves = sum(noise[i : i + frames] for i in range(5)) / 5
    curves[:, 2] = 0.1
    return curves.astype(np.float32)


def test_channels_are_judged_by_name() -> None:
    pairs = [Clip(weights(60, seed) * 0.5 + 0.1, weights(60, seed)) for seed in range(3)]
    jaw, pucker, tongue = channel_metrics(pairs, NAMES, fps=25)
    assert (jaw.name, pucker.name, tongue.name) == NAMES
    assert jaw.pearson_r == pytest.approx(1, abs=1e-5), "half as strong is still in step"
    assert jaw.lag_ms == 0
    assert tongue.rmse == pytest.approx(0.05, abs=1e-6)
    assert math.isnan(tongue.pearson_r), "a channel that does not move has no correlation"
    assert math.isnan(tongue.lag_ms)


def test_channel_numbers_equal_those_of_plain_loops() -> None:
    pairs = [Clip(weights(30, seed), weights(30, seed + 9)) for seed in range(2)]
    measured = channel_metrics(pairs, NAMES, fps=25)[0]
    x = [float(value) for c in pairs for value in c.prediction[:, 0]]
    y = [float(value) for c in pairs for value in c.truth[:, 0]]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    top = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    bottom = math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))
    assert measured.pearson_r == pytest.approx(top / bottom, abs=1e-6)
    assert measured.rmse == pytest.approx(math.sqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / len(x)))


@given(st.integers(-5, 5))
@settings(max_examples=11, deadline=None)
def test_lag_is_positive_when_the_prediction_comes_late(frames: int) -> None:
    pairs = []
    for seed in range(3):
        long = weights(80, seed)
        pairs.append(Clip(long[10 - frames : 70 - frames], long[10:70]))
    jaw = channel_metrics(pairs, NAMES, fps=25)[0]
    assert jaw.lag_ms == 40 * frames


def test_names_must_match_the_channels() -> None:
    with pytest.raises(ValueError, match="2 names"):
        channel_metrics([Clip(weights(9, 0), weights(9, 1))], NAMES[:2], fps=25)
