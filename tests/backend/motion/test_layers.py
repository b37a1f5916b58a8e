"""The layers, as an animator would judge them: rates, durations, sizes; and the same at every frame rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.annotation import Annotation, FaceMotion
from backend.motion.blinks import add_blinks, schedule_blinks
from backend.motion.direction import (
    EMOTIONS,
    NEUTRAL,
    Blinks,
    Breathing,
    Direction,
    EmotionPose,
    Gaze,
    HeadMotion,
)
from backend.motion.emotions import add_emotions, emotion_poses, pose_strength
from backend.motion.gaze import add_gaze, schedule_saccades
from backend.motion.head import add_head_motion
from backend.motion.intensity import scale_intensity
from backend.motion.perform import judge, perform
from backend.motion.phrasing import phrase_ends
from backend.motion.resample import resample
from backend.motion.smoothing import smooth
from backend.prosody import Prosody
from backend.takes import Take

LAYERS = Direction(
    blinks=Blinks(on=True),
    gaze=Gaze(on=True),
    head=HeadMotion(on=True),
    breathing=Breathing(on=True),
    emotions=(EmotionPose(emotion="happy", weight=0.5),),
)


def column(face: FaceMotion, name: str) -> np.ndarray:
    values: np.ndarray = face.values[:, face.annotation.names.index(name)]
    return values


def still(make_motion, voice: Prosody, fps: float = 25.0) -> FaceMotion:
    face: FaceMotion = make_motion(fps, jawOpen=np.zeros(round(voice.seconds * fps)))
    return face


def stretches(flags: np.ndarray) -> np.ndarray:
    """(n, 2): first and past-the-last index of stretches of true values."""
    return np.flatnonzero(np.diff(np.r_[False, flags, False].astype(int))).reshape(-1, 2)


# --- the whole ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [None, 24.0, 60.0])
def test_a_neutral_direction_is_the_networks_motion_bit_for_bit(take: Take, fps: float | None) -> None:
    expected = np.clip(resample(smooth(scale_intensity(take.raw, 1.0), 0.0), fps or 25.0).values, 0, 1)
    assert np.array_equal(perform(take, NEUTRAL, fps).values, expected)


def test_a_performance_is_the_same_again_and_another_with_another_seed(take: Take) -> None:
    once, again = perform(take, LAYERS, 24), perform(take, LAYERS, 24)
    assert np.array_equal(once.values, again.values)
    for layer in ("blinks", "gaze", "head", "breathing"):
        other = getattr(LAYERS, layer).model_copy(update={"seed": 7})
        assert not np.array_equal(perform(take, LAYERS.model_copy(update={layer: other}), 24).values, once.values)


def test_one_layer_made_anew_leaves_the_others_channels(take: Take) -> None:
    anew = LAYERS.model_copy(update={"blinks": Blinks(on=True, seed=3)})
    once, again = perform(take, LAYERS, 25), perform(take, anew, 25)
    for name in ("headYaw", "eyeLookOutLeft", "jawOpen", "browInnerUp"):
        assert np.array_equal(column(once, name), column(again, name))


def test_layers_are_the_same_performance_at_every_frame_rate(take: Take) -> None:
    slow, fast = perform(take, LAYERS, 25), perform(take, LAYERS, 50)
    for name in ("headPitch", "headYaw", "headRoll", "mouthSmileRight"):
        tracks = column(slow, name), column(fast, name)[::2]
        assert np.abs(tracks[0] - tracks[1]).max() < 0.05 * max(np.ptp(tracks[0]), 0.5)


@settings(max_examples=20)
@given(seed=st.integers(0, 999), strength=st.floats(0, 4))
def test_weights_stay_within_their_range_whatever_is_asked(take: Take, seed: int, strength: float) -> None:
    direction = Direction(
        intensity=10,
        blinks=Blinks(on=True, rate=60, seed=seed),
        gaze=Gaze(on=True, strength=strength, yaw=0.8, seed=seed),
        head=HeadMotion(on=True, strength=strength, brows=strength, seed=seed),
        breathing=Breathing(on=True, strength=strength, seed=seed),
        emotions=tuple(EmotionPose(emotion=emotion) for emotion in EMOTIONS),
    )
    motion = perform(take, direction, 24)
    weights = [i for i, name in enumerate(motion.annotation.names) if not name.startswith("head")]
    assert np.isfinite(motion.values).all()
    assert motion.values[:, weights].min() >= 0
    assert motion.values[:, weights].max() <= 1


@pytest.mark.parametrize("kind", ["vertices", "flame"])
def test_what_a_mesh_cannot_do_is_said_and_the_rest_is_done(take: Take, kind: str) -> None:
    unit = "m" if kind == "vertices" else "parameter"
    annotation = Annotation(type_name="mesh", kind=kind, dim=3, fps=25, unit=unit)  # type: ignore[arg-type]
    mesh = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    other = replace(take, raw=FaceMotion(mesh, 25, annotation), rest=np.zeros(3, np.float32))
    asked = LAYERS.model_copy(update={"intensity": 0.5, "asymmetry": 0.0})
    motion = perform(other, asked, None)
    assert np.allclose(motion.values, 0.5 * mesh)
    assert len(motion.notes) == 1
    for name in ("asymmetry", "blinks", "gaze", "head", "breathing", "emotions"):
        assert name in motion.notes[0]
    assert "closure" not in motion.notes[0]


def test_channels_that_a_head_lacks_are_made_for_the_layers(take: Take) -> None:
    names = ("jawOpen", "mouthClose")
    mouth = Annotation(type_name="mouth", kind="blendshapes", dim=2, fps=25, unit="weight", names=names)
    small = replace(take, raw=FaceMotion(np.full((3000, 2), 0.1, np.float32), 25, mouth))
    motion = perform(small, LAYERS, None)
    assert motion.annotation.names[:2] == names
    assert {"eyeBlinkLeft", "eyeBlinkRight", "headPitch", "browInnerUp"} <= set(motion.annotation.names)
    assert motion.annotation.dim == motion.values.shape[1]


# --- blinks ------------------------------------------------------------------------------------------------------


@given(rate=st.floats(4, 40), seed=st.integers(0, 1000))
def test_blinks_come_at_the_asked_rate_and_never_in_a_flutter(voice: Prosody, rate: float, seed: int) -> None:
    peaks, depths = schedule_blinks(voice, Blinks(on=True, rate=rate, seed=seed))
    # Chance: of n blinks with gaps of gamma order 3, the count varies by about the root of n / 3; four of these.
    expected = voice.seconds / 60 * rate
    assert abs(len(peaks) - expected) <= 4 * np.sqrt(expected / 3) + 0.2 * expected + 2
    assert (np.diff(peaks) >= 0.6).all()
    assert ((depths > 0.9) & (depths <= 1)).all()


def test_blinks_wait_for_the_ends_of_phrases_when_asked(voice: Prosody) -> None:
    def near_ends(share: float) -> float:
        hits = total = 0
        for seed in range(20):
            peaks, _ = schedule_blinks(voice, Blinks(on=True, phrase_ends=share, seed=seed))
            after = peaks[:, None] - phrase_ends(voice)
            hits += ((after >= 0) & (after <= 0.4)).any(axis=1).sum()
            total += len(peaks)
        return hits / total

    assert near_ends(1.0) > 0.6
    assert near_ends(0.0) < 0.25


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 60.0])
def test_a_blink_shuts_the_eye_on_a_frame_lasts_as_long_as_real_ones_and_closes_faster_than_it_opens(
    make_motion, voice: Prosody, fps: float
) -> None:
    lid = column(add_blinks(still(make_motion, voice, fps), voice, Blinks(on=True)), "eyeBlinkLeft")
    blinks = stretches(lid > 0.02)
    assert len(blinks) > 15
    for first, last in blinks:
        assert lid[first:last].max() > 0.9
        assert 0.1 <= (last - first + 1) / fps <= 0.4
        peak = first + lid[first:last].argmax()
        assert peak - first <= last - 1 - peak


def test_eyes_that_the_network_closes_are_not_closed_twice(make_motion, voice: Prosody) -> None:
    half = make_motion(eyeBlinkLeft=np.full(3000, 0.5), eyeWideLeft=np.full(3000, 0.4))
    face = add_blinks(half, voice, Blinks(on=True))
    lid, wide = column(face, "eyeBlinkLeft"), column(face, "eyeWideLeft")
    assert lid.min() == pytest.approx(0.5)
    assert lid.max() <= 1.0 + 1e-6
    assert wide[lid > 0.95].max() < 0.05


# --- gaze --------------------------------------------------------------------------------------------------------


def test_fixations_and_saccades_have_the_lengths_of_real_ones(make_motion, voice: Prosody) -> None:
    starts, places = schedule_saccades(voice, Gaze(on=True))
    fixations = np.diff(starts)
    assert fixations.min() >= 0.3 - 1e-9
    assert fixations.max() <= 3.0 + 1e-9
    sizes = np.degrees(np.linalg.norm(places, axis=1))
    assert np.median(sizes) < 5
    assert sizes.max() < 20
    fps = 240.0
    face = add_gaze(still(make_motion, voice, fps), voice, Gaze(on=True))
    moving = np.abs(np.diff(column(face, "eyeLookOutLeft"))) > 1e-5
    lengths = np.diff(stretches(moving), axis=1) / fps
    assert lengths.max() < 0.2


def test_eyes_look_at_the_target_both_to_the_same_side(make_motion, voice: Prosody) -> None:
    face = add_gaze(still(make_motion, voice), voice, Gaze(on=True, strength=0, yaw=0.3, pitch=-0.2))
    assert column(face, "eyeLookOutLeft").min() == pytest.approx(0.5)
    assert column(face, "eyeLookInRight").min() == pytest.approx(0.5)
    assert column(face, "eyeLookUpLeft").min() == pytest.approx(0.4)
    for opposite in ("eyeLookInLeft", "eyeLookOutRight", "eyeLookDownLeft", "eyeLookDownRight"):
        assert not column(face, opposite).any()


def test_the_eyes_stay_on_the_target_while_the_head_turns(make_motion, voice: Prosody) -> None:
    turned = add_head_motion(still(make_motion, voice), voice, HeadMotion(on=True, strength=2))
    face = add_gaze(turned, voice, Gaze(on=True, strength=0))
    in_head = 0.6 * (column(face, "eyeLookOutLeft") - column(face, "eyeLookInLeft"))
    assert in_head + column(face, "headYaw") == pytest.approx(0, abs=1e-4)


# --- head --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_head_moves_by_a_few_degrees_and_slowly(make_motion, voice: Prosody, seed: int) -> None:
    fps = 60.0
    face = add_head_motion(still(make_motion, voice, fps), voice, HeadMotion(on=True, seed=seed))
    for name in ("headPitch", "headYaw", "headRoll"):
        angle = np.degrees(column(face, name))
        assert 0.5 < angle.std() < 5
        assert np.abs(angle).max() < 12
        power = np.square(np.abs(np.fft.rfft(angle - angle.mean())))
        fast = np.fft.rfftfreq(len(angle), 1 / fps) > 5
        assert power[fast].sum() < 0.01 * power.sum()


def test_strength_scales_the_head_and_the_nods_go_down_at_the_ends_of_phrases(make_motion, voice: Prosody) -> None:
    face = still(make_motion, voice)
    single = add_head_motion(face, voice, HeadMotion(on=True))
    double = add_head_motion(face, voice, HeadMotion(on=True, strength=2))
    assert column(double, "headYaw") == pytest.approx(2 * column(single, "headYaw"), abs=1e-5)
    without = add_head_motion(face, voice, HeadMotion(on=True, nods=0))
    nods = column(single, "headPitch") - column(without, "headPitch")
    assert nods.min() >= -1e-6
    at_ends = np.round(phrase_ends(voice) * face.fps).astype(int)
    assert np.degrees(nods[at_ends]).min() > 1


# --- emotions ----------------------------------------------------------------------------------------------------


def test_every_expression_is_made_of_arkit_channels_and_differs_from_the_others(make_motion) -> None:
    names = make_motion(jawOpen=np.zeros(1)).annotation.names
    poses = emotion_poses()
    assert set(poses) == set(EMOTIONS)
    vectors = []
    for weights in poses.values():
        assert set(weights) <= set(names)
        assert all(0 < weight <= 1 for weight in weights.values())
        vectors.append([weights.get(name, 0.0) for name in names])
    alike = np.corrcoef(vectors) - np.eye(len(EMOTIONS))
    assert alike.max() < 0.8


def test_masks_choose_the_part_of_the_face(make_motion) -> None:
    face = make_motion(jawOpen=np.zeros(10))
    only_brows = EmotionPose(emotion="angry", mouth=0, eyes=0, brows=1)
    posed = add_emotions(face, [only_brows], np.zeros(10, np.float32))
    moved = {name for name in face.annotation.names if column(posed, name).any()}
    assert moved == {"browDownLeft", "browDownRight"}


def test_a_weight_over_time_is_keyed_in_seconds(make_motion) -> None:
    pose = EmotionPose(emotion="happy", weight=((1.0, 0.0), (2.0, 1.0)))
    assert pose_strength(pose, np.array([0.0, 1.0, 1.5, 2.0, 9.0])).tolist() == [0, 0, 0.5, 1, 1]


def test_an_expression_gives_way_to_closed_and_rounded_lips(make_motion) -> None:
    face = make_motion(mouthPucker=np.r_[np.zeros(10), np.full(10, 0.9), np.zeros(10)])
    closed = np.r_[np.zeros(20), np.ones(10)].astype(np.float32)
    smile = column(add_emotions(face, [EmotionPose(emotion="happy", mouth=1)], closed), "mouthSmileLeft")
    assert smile[0] > 2 * smile[15] > 0
    assert smile[0] > 2 * smile[25] > 0
    jaw = column(add_emotions(face, [EmotionPose(emotion="surprised", mouth=1)], closed), "jawOpen")
    assert (jaw[0] > 0.1, jaw[25]) == (True, 0)


def test_an_expression_that_is_off_does_nothing(take: Take) -> None:
    off = Direction(emotions=(EmotionPose(emotion="sad", on=False),))
    assert np.array_equal(perform(take, off, None).values, perform(take, NEUTRAL, None).values)


def test_a_performed_sentence_closes_its_lips_and_keeps_them_closed_in_silence(sentence: Take) -> None:
    direction = LAYERS.model_copy(update={"intensity": 1.5, "closure": 1.0, "rest": 1.0, "silence_gate": 1.0})
    directed = judge(perform(sentence, direction, 24), sentence, direction)
    plain = judge(perform(sentence, NEUTRAL, 24), sentence, NEUTRAL)
    assert directed["closure"] == 1.0 > plain["closure"]
    assert directed["silence"] < 0.05
    assert directed["range"] > 1.2 * plain["range"]
    assert 0 <= directed["jitter"] < 0.2
