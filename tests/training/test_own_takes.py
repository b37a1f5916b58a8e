"""Takes of one's own: the phone's app and what Blender exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export import write_motion
from training.datasets.layouts import Opening, open_source
from training.datasets.live_link_face import ARKIT_NAMES, ARKIT_TYPE

from .recordings import RATE, syllables, voice, write_phone_take, write_voice

SECONDS = 2.0
NAMES = (*ARKIT_NAMES, "headYaw", "headPitch", "headRoll")


def phone_take(folder: Path, name: str = "MySlate_1_iPhone", fps: float = 60, seconds: float = SECONDS) -> np.ndarray:
    """A take as the app leaves it, with a .wav in place of its .mov; gives the weights."""
    values = np.zeros((round(seconds * fps), len(NAMES)), np.float32)
    values[:, NAMES.index("jawOpen")] = syllables(seconds, fps)
    values[:, NAMES.index("headYaw")] = 0.1
    annotation = Annotation(type_name="t", kind="blendshapes", dim=len(NAMES), fps=fps, unit="weight", names=NAMES)
    write_phone_take(folder, name, FaceMotion(values, fps, annotation), voice(seconds, 48000), 48000)
    return values[:, : len(ARKIT_NAMES)]


def test_a_take_of_the_phone_has_weights_head_and_sound(tmp_path: Path) -> None:
    values = phone_take(tmp_path / "me/20260101_MySlate_1")
    source = open_source(tmp_path / "me")
    (recording,) = source.recordings
    assert (source.layout, source.annotation.type_name, recording.identity) == ("Live Link Face", ARKIT_TYPE, "me")
    clip = recording.read()
    assert clip.fps == 60 and len(clip.audio) == SECONDS * RATE
    np.testing.assert_allclose(clip.motion, values, atol=1e-6)
    assert clip.head is not None
    np.testing.assert_allclose(clip.head, np.tile([0, 0.1, 0], (len(values), 1)), atol=1e-6)


def test_people_are_the_folders_around_their_takes(tmp_path: Path) -> None:
    phone_take(tmp_path / "ann/20260101_MySlate_1")
    phone_take(tmp_path / "ben/20260101_MySlate_1")
    source = open_source(tmp_path)
    assert [recording.identity for recording in source.recordings] == ["ann", "ben"]
    assert len({recording.name for recording in source.recordings}) == 2
    assert {one.identity for one in open_source(tmp_path, opening=Opening("eve")).recordings} == {"eve"}


def test_calibrated_weights_are_preferred(tmp_path: Path) -> None:
    phone_take(tmp_path, "S_1_iPhone_raw")
    phone_take(tmp_path, "S_1_iPhone_neutral", seconds=0.1)
    phone_take(tmp_path, "S_1_iPhone_cal")
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    write_voice(tmp_path / "S_1_iPhone.wav", SECONDS)
    assert [recording.name for recording in open_source(tmp_path).recordings] == ["S_1_iPhone_cal"]


def test_a_take_without_sound_is_named_and_the_others_are_used(tmp_path: Path) -> None:
    phone_take(tmp_path / "a", "A_1_iPhone")
    phone_take(tmp_path / "b", "B_1_iPhone")
    (tmp_path / "b/B_1_iPhone.wav").unlink()
    source = open_source(tmp_path)
    assert [recording.name for recording in source.recordings] == ["A_1_iPhone"]
    assert source.problems == (f"{Path('b/B_1_iPhone.csv')} has no sound: neither a .wav nor a .mov beside it",)


def export(folder: Path, name: str, channels: dict[str, float], suffix: str = ".npz", fps: float = 24) -> None:
    """What an exported Action is: the keyed shapes of a scene at its frame rate, and its sound."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.column_stack([level * syllables(SECONDS, fps) for level in channels.values()]).astype(np.float32)
    annotation = Annotation(
        type_name=ARKIT_TYPE, kind="blendshapes", dim=len(channels), fps=fps, unit="weight", names=tuple(channels)
    )
    write_motion(FaceMotion(values, fps, annotation), folder / f"{name}{suffix}")
    write_voice(folder / f"{name}.wav", SECONDS)


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_exported_actions_share_their_channels(suffix: str, tmp_path: Path) -> None:
    """An Action keys only what moves: what another file does not have rested in it."""
    export(tmp_path / "rex", "shot1", {"jawOpen": 1, "mouthPucker": 0.5}, suffix)
    export(tmp_path / "rex", "shot2", {"jawOpen": 1, "browInnerUp": 0.2}, suffix)
    source = open_source(tmp_path / "rex")
    assert source.annotation.names == ("jawOpen", "mouthPucker", "browInnerUp")
    second = source.recordings[1].read()
    assert (second.identity, second.fps, second.motion.shape) == ("rex", 24, (48, 3))
    assert not second.motion[:, 1].any() and second.motion[:, 2].max() > 0.1


def test_exports_of_different_heads_are_refused(tmp_path: Path) -> None:
    export(tmp_path, "shot1", {"jawOpen": 1})
    export(tmp_path, "shot2", {"jawOpen": 1}, ".json")
    path = tmp_path / "shot2.json"
    path.write_text(path.read_text().replace(ARKIT_TYPE, "other_weight"))
    with pytest.raises(UniTalkerError, match="other_weight"):
        open_source(tmp_path)
