"""How long a training clip is, against what the official loader cuts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend.annotation import Annotation
from training.datasets.clip import SHORTEST_CLIP
from training.datasets.official import OfficialDataSet

from .golden import framing

TRUNCATIONS = framing("truncate_[audio_samples,annot_frames,fps,audio_out,annot_out,duration]")


def write_clip(folder: Path, samples: int, frames: int, fps: float) -> None:
    annotation = Annotation(type_name="t", kind="blendshapes", dim=1, fps=fps, unit="weight", names=("jawOpen",))
    description = {"annot_type": "t", "fps": fps, "kind": annotation.kind, "dim": 1, "names": annotation.names}
    entry = {"annot_path": "m.npy", "audio_path": "a.npy", "id": 0, "annot_type": "t", "dataset": "T", "fps": fps}
    (folder / "annotation.json").write_text(json.dumps(description))
    (folder / "train.json").write_text(json.dumps({"info": {"id_list": ["ann"]}, "data": [entry]}))
    np.save(folder / "id_template.npy", np.zeros((1, 1), np.float32))
    np.save(folder / "m.npy", np.zeros((frames, 1), np.float32))
    np.save(folder / "a.npy", np.zeros(samples, np.float32))


@pytest.mark.parametrize(
    ("samples", "frames", "fps", "samples_out", "frames_out", "duration"),
    [pytest.param(*row, id=f"framing_cases.json/truncate/{row[0]}_{row[1]}_{row[2]:g}") for row in TRUNCATIONS]
    or [pytest.param(*[0] * 6, marks=pytest.mark.skip("needs ../shared"))],
)
def test_training_clips_are_cut_as_officially(
    samples: int, frames: int, fps: float, samples_out: int, frames_out: int, duration: float, tmp_path: Path
) -> None:
    write_clip(tmp_path, samples, frames, fps)
    clips = list(OfficialDataSet(tmp_path).clips("train", like_released_code=True))
    if duration < SHORTEST_CLIP:
        assert clips == []
        return
    assert [(len(clip.audio), len(clip.motion)) for clip in clips] == [(samples_out, frames_out)]
