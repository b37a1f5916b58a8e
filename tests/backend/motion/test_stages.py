"""What each slider does to a face, by its properties."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.annotation import Annotation, FaceMotion
from backend.motion.articulation import articulate, close_lips, closure_weight, find_closures, open_mouth
from backend.motion.channels import columns_of, lip_opening, mirrored_pairs, region_of
from backend.motion.direction import Regions
from backend.motion.poses import hold_poses
from backend.motion.regions import balance_sides, scale_regions
from backend.motion.resample import resample
from backend.motion.rest import gate_silence, measure_rest, remove_rest
from backend.motion.style import blend_styles
from backend.takes import Take

ROOT = Path(__file__).resolve().parents[3]
SHARES = st.floats(0, 1)
PAUSES = np.array([[0.0, 0.6], [2.0, 3.0]], np.float32)


def random_face(seed: int, make_motion, frames: int = 100) -> FaceMotion:
    face: FaceMotion = make_motion(jawOpen=np.zeros(frames))
    return replace(face, values=np.random.default_rng(seed).random(face.values.shape, np.float32))


def column(face: FaceMotion, name: str) -> np.ndarray:
    values: np.ndarray = face.values[:, face.annotation.names.index(name)]
    return values


def test_every_arkit_channel_belongs_to_one_part_of_the_face_and_sides_are_paired(make_motion) -> None:
    names = make_motion(jawOpen=np.zeros(1)).annotation.names
    assert None not in {region_of(name) for name in names}
    pairs = mirrored_pairs(names)
    assert {frozenset((names[a], names[b])) for a, b in pairs} >= {
        frozenset(("mouthSmileLeft", "mouthSmileRight")),
        frozenset(("jawLeft", "jawRight")),
        frozenset(("eyeLookInLeft", "eyeLookInRight")),
    }
    single = set(range(len(names))) - {index for pair in pairs for index in pair}
    assert {names[index] for index in single} == {
        *("jawForward", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper"),
        *("mouthShrugLower", "mouthShrugUpper", "browInnerUp", "cheekPuff", "tongueOut"),
    }


def test_a_region_scales_its_own_channels_only(make_motion) -> None:
    face = random_face(0, make_motion)
    scaled = scale_regions(face, Regions(brows=0.5), upper_face=1.0).values
    brows = columns_of(face.annotation.names, "brows")
    others = np.setdiff1d(np.arange(52), brows)
    assert np.allclose(scaled[:, brows], 0.5 * face.values[:, brows])
    assert np.array_equal(scaled[:, others], face.values[:, others])


def test_the_upper_face_is_all_above_the_mouth(make_motion) -> None:
    face = random_face(1, make_motion)
    still = scale_regions(face, Regions(), upper_face=0.0).values
    upper = columns_of(face.annotation.names, "brows", "eyes", "cheeks")
    assert not still[:, upper].any()
    assert np.array_equal(np.delete(still, upper, axis=1), np.delete(face.values, upper, axis=1))


def test_channels_of_other_vendors_belong_to_parts_as_well() -> None:
    names = ("brow_lower_l", "eye_blink1_l", "jaw_sideways_l", "mouth_pucker_l", "mouth_pucker_r", "tongue_u")
    other = Annotation(type_name="other", kind="blendshapes", dim=6, fps=30, unit="weight", names=names)
    face = FaceMotion(np.ones((3, 6), np.float32), 30, other)
    assert scale_regions(face, Regions(lips=2)).values[0].tolist() == [1, 1, 1, 2, 2, 1]


@given(seed=st.integers(0, 99))
def test_mirrored_twice_is_as_before_and_symmetrical_has_equal_sides(make_motion, seed: int) -> None:
    face = random_face(seed, make_motion)
    back = balance_sides(balance_sides(face, -1), -1)
    assert np.allclose(back.values, face.values, atol=1e-6)
    even = balance_sides(face, 0)
    assert np.allclose(column(even, "mouthSmileLeft"), column(even, "mouthSmileRight"))
    mirrored = balance_sides(face, -1)
    assert np.allclose(column(mirrored, "jawLeft"), column(face, "jawRight"), atol=1e-6)


@given(gain=st.floats(0, 4), low=st.floats(0, 0.05), high=st.floats(0.2, 0.6))
def test_articulation_keeps_closed_lips_closed_and_the_order_of_openings(
    make_motion, gain: float, low: float, high: float
) -> None:
    jaw = np.linspace(low, high, 50)
    face = make_motion(jawOpen=jaw, mouthClose=np.full(50, low), mouthPucker=np.full(50, 0.3))
    clear = articulate(face, gain)
    opening = lip_opening(clear)
    assert opening[0] == pytest.approx(0, abs=1e-6)
    assert (np.diff(opening) >= -1e-6).all()
    assert column(clear, "mouthPucker")[-1] == pytest.approx(0.3 * gain, abs=1e-5)
    if gain > 1:
        assert opening.max() > lip_opening(face).max()


def made_up_closures(make_motion, depth: float = 0.01, roll: float = 0.0, fps: float = 25.0) -> FaceMotion:
    time = np.arange(round(4 * fps)) / fps
    jaw = 0.3 - (0.3 - depth) * sum(np.exp(-(((time - moment) / 0.06) ** 2)) for moment in (1.0, 2.0, 3.0))
    lower = sum(np.exp(-(((time - moment) / 0.06) ** 2)) for moment in (1.0, 2.0, 3.0)) * roll
    face: FaceMotion = make_motion(fps, jawOpen=jaw, mouthRollLower=lower)
    return face


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
def test_closures_are_found_where_they_are(make_motion, fps: float) -> None:
    assert find_closures(made_up_closures(make_motion, fps=fps)) == pytest.approx([1, 2, 3], abs=1 / fps)


def test_neither_half_open_lips_nor_a_tucked_lower_lip_nor_rest_are_closures(make_motion) -> None:
    assert not len(find_closures(made_up_closures(make_motion, depth=0.2)))
    assert not len(find_closures(made_up_closures(make_motion, roll=0.15)))
    resting = np.concatenate([np.full(50, 0.3), np.linspace(0.01, 0, 25), np.linspace(0, 0.01, 25)])
    assert not len(find_closures(make_motion(jawOpen=resting)))


@given(fps=st.sampled_from([8.0, 12.0, 23.976, 24.0, 25.0, 30.0, 60.0, 120.0]), start=st.floats(0.2, 1.8))
def test_a_closure_is_whole_on_some_frame_at_every_rate(fps: float, start: float) -> None:
    weight = closure_weight(np.array([start]), round(2 * fps), fps)
    assert weight.max() == pytest.approx(1)
    assert weight[0] == 0 or start < 0.25
    assert abs(weight.argmax() / fps - start) <= 1 / fps


@given(share=SHARES)
def test_the_closure_slider_is_the_share_of_the_gap_that_closes(make_motion, share: float) -> None:
    face = made_up_closures(make_motion, depth=0.05)
    weight = closure_weight(find_closures(face), len(face.values), face.fps)
    closed = close_lips(face, weight, share)
    at = round(2.0 * face.fps)
    assert lip_opening(closed)[at] == pytest.approx((1 - share) * lip_opening(face)[at], abs=1e-5)
    assert column(closed, "jawOpen") == pytest.approx(column(face, "jawOpen"))
    away = weight == 0
    assert np.array_equal(closed.values[away], face.values[away])


def test_the_mouth_opens_by_its_offset_and_not_at_closures(make_motion) -> None:
    face = made_up_closures(make_motion)
    weight = closure_weight(find_closures(face), len(face.values), face.fps)
    opened = lip_opening(open_mouth(face, weight, 0.1)) - lip_opening(face)
    assert opened[weight == 0] == pytest.approx(0.1, abs=1e-6)
    assert opened[weight == 1] == pytest.approx(0, abs=1e-6)
    assert lip_opening(open_mouth(face, weight, -0.5)).min() >= -1e-6


def test_rest_is_measured_in_silence_and_taken_away(make_motion) -> None:
    jaw = np.full(100, 0.3)
    jaw[:15] = jaw[50:75] = 0.06
    face = make_motion(jawOpen=jaw, mouthFrownLeft=np.full(100, 0.08))
    rest = measure_rest(face, PAUSES)
    assert rest is not None
    assert rest[face.annotation.names.index("jawOpen")] == pytest.approx(0.06)
    assert column(remove_rest(face, PAUSES, 1.0), "mouthFrownLeft") == pytest.approx(0, abs=1e-6)
    half = column(remove_rest(face, PAUSES, 0.5), "jawOpen")
    assert half == pytest.approx(jaw - 0.03, abs=1e-6)


def test_without_silence_the_rest_stays_and_a_note_says_why(make_motion) -> None:
    face = make_motion(jawOpen=np.full(50, 0.1))
    unchanged = remove_rest(face, np.zeros((0, 2)), 1.0)
    assert np.array_equal(unchanged.values, face.values)
    assert "no silence" in unchanged.notes[0]


@given(share=SHARES)
def test_the_gate_closes_the_mouth_in_silence_only(make_motion, share: float) -> None:
    face = make_motion(jawOpen=np.full(150, 0.2), browInnerUp=np.full(150, 0.5))
    gated = gate_silence(face, PAUSES, share)
    jaw = column(gated, "jawOpen")
    assert jaw[62] == pytest.approx(0.2 * (1 - share), abs=1e-6)
    speaking = np.r_[16:50, 76:150]
    assert jaw[speaking] == pytest.approx(0.2)
    assert np.array_equal(column(gated, "browInnerUp"), column(face, "browInnerUp"))
    assert np.abs(np.diff(jaw)).max() < 0.2 * 0.5


def test_a_mesh_goes_to_its_template_in_silence_and_never_to_the_origin() -> None:
    template = np.array([1.0, 2.0, 3.0], np.float32)
    mesh = Annotation(type_name="mesh", kind="vertices", dim=3, fps=25, unit="m")
    face = FaceMotion(np.tile(template + 0.1, (150, 1)), 25, mesh)
    assert gate_silence(face, PAUSES, 1.0, template).values[62] == pytest.approx(template, abs=1e-6)
    assert remove_rest(face, PAUSES, 1.0, template).values[100] == pytest.approx(template, abs=1e-6)


@given(share=SHARES)
def test_styles_blend_from_one_to_the_other(make_motion, share: float) -> None:
    one, other = random_face(1, make_motion), random_face(2, make_motion)
    blended = blend_styles(one, other.values, share).values
    assert np.allclose(blended, (1 - share) * one.values + share * other.values, atol=1e-6)


def test_a_blend_of_one_style_is_said(make_motion) -> None:
    assert "one identity" in blend_styles(random_face(0, make_motion), None, 0.5).notes[0]


@given(offset=st.floats(-0.5, 0.5), fps=st.sampled_from([24.0, 25.0, 60.0]))
def test_an_offset_moves_all_by_so_many_seconds_also_between_frames(make_motion, offset: float, fps: float) -> None:
    ramp = np.arange(100) / 25
    moved = column(resample(make_motion(jawOpen=ramp), fps, offset), "jawOpen")
    times = np.arange(len(moved)) / fps
    assert moved == pytest.approx(np.clip(times - offset, 0, ramp[-1]), abs=1e-5)


@given(rate=st.floats(1, 60), fps=st.sampled_from([12.0, 24.0, 25.0, 60.0]))
def test_held_poses_are_so_many_a_second_and_come_from_the_motion(make_motion, rate: float, fps: float) -> None:
    ramp = np.arange(200) / 200
    held = column(hold_poses(make_motion(fps, jawOpen=ramp), rate), "jawOpen")
    assert set(held.tolist()) <= set(ramp.astype(np.float32).tolist())
    assert len(set(held.tolist())) <= np.ceil(200 / fps * min(rate, fps)) + 1
    assert np.abs(held - ramp).max() <= (0.5 * fps / min(rate, fps) + 1) / 200 + 1e-6


def spoken_labials() -> np.ndarray:
    """(n, 2): when p, b and m sound in the bundled voice."""
    words = json.loads((ROOT / "assets/audio/demo_voice.json").read_text(encoding="utf-8"))["words"]
    phones = [phone for word in words for phone in word["phones"]]
    return np.array([(phone["start"], phone["end"]) for phone in phones if phone["phone"][0] in "pbm"])


def test_real_closures_of_p_b_and_m_are_found_and_little_else(sentence: Take) -> None:
    found, spoken = find_closures(sentence.raw), spoken_labials()
    margin = 0.08
    hits = (found[:, None] > spoken[:, 0] - margin) & (found[:, None] < spoken[:, 1] + margin)
    assert hits.any(axis=0).mean() > 0.75
    assert hits.any(axis=1).mean() > 0.75
