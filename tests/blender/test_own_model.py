"""What docs/train-your-own.md promises: a model trained with its commands on takes of one's own speaks in Blender."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender.conftest import REPOSITORY, animate, keyed
from tests.blender.test_real_heads import MODEL, load, mouth_travel, needs_model
from unitalker_blender import backend_session
from unitalker_blender.client.model_folders import models_folder

# In the backend's Python: takes as the phone leaves them, out of a real speaker's recordings, and a clip to test with.
MAKE_TAKES = """
import sys
from pathlib import Path
import numpy as np
import soundfile
from backend.annotation import FaceMotion
from backend.audio import SAMPLE_RATE
from backend.motion.resample import resample
from tests.training.recordings import write_phone_take
from training.datasets.official import OfficialDataSet

data, out = OfficialDataSet(Path(sys.argv[1])), Path(sys.argv[2])
clips = [clip for clip in data.clips("train") if clip.identity == "s2"]
for number, clip in enumerate(clips[:-3]):
    motion = resample(FaceMotion(clip.motion, clip.fps, clip.annotation), 60)
    name = f"MySlate_{number}_iPhone"
    write_phone_take(out / f"takes/me/20260101_{name}", name, motion, clip.audio, SAMPLE_RATE)
new, jaw = clips[-3:], clips[0].annotation.names.index("jawOpen")
soundfile.write(out / "new.wav", np.concatenate([clip.audio for clip in new]), SAMPLE_RATE)
np.save(out / "jaw.npy", np.concatenate([clip.motion[:, jaw] for clip in new]))
"""

COMMANDS = (
    ("data", "check", "takes"),
    ("data", "convert", "takes/me", "data/me"),
    ("finetune", "data/me", "--name", "mine"),
    ("evaluate", "runs/mine"),
    ("export", "runs/mine"),
)


def run_in_backend(*arguments: object, folder: Path) -> str:
    command = [os.environ["UNITALKER_PYTHON"], *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def own_model(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which everything was made; the model is among the user's own."""
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    run_in_backend("-c", MAKE_TAKES, shared / "bench/G3_grid_speakers", tmp_path, folder=tmp_path)
    for command in COMMANDS:
        run_in_backend("-m", "backend", "train", *command, folder=tmp_path)
    return tmp_path


@pytest.mark.slow
@needs_model
def test_a_model_trained_by_the_guides_commands_speaks(own_model: Path, heads: Path) -> None:
    bpy.context.scene.render.fps = 25
    face = load(heads / "makehuman_head_arkit_visemes.glb")
    assert animate(filepath=own_model / "new.wav", model="mine") == {"FINISHED"}
    curves = keyed(face)
    assert len(curves) >= 51
    measured = np.load(own_model / "jaw.npy")
    frames = min(len(measured), len(curves["jawOpen"]))
    travel = mouth_travel(face, range(1, frames + 1))
    assert travel.max() > 0.1
    # The sentences are not among the takes, so the jaw can only have them from the sound.
    assert np.corrcoef(travel, measured[:frames])[0, 1] > 0.4


@needs_model
def test_a_model_that_came_while_blender_runs_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    names = []
    for name in ("first", "second"):
        folder = models_folder() / name
        shutil.copytree(MODEL.parent, folder)
        manifest = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        (folder / "model.json").write_text(json.dumps(manifest | {"name": name}), encoding="utf-8")
        assert bpy.ops.unitalker.check_backend() == {"FINISHED"}
        hello = backend_session.current_hello()
        assert hello is not None
        names.append({model.name for model in hello.models})
    assert "second" not in names[0]
    assert {"first", "second"} <= names[1]
