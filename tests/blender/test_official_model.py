"""An imported official checkpoint at full size, with random weights, animates a face in Blender."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender.conftest import ARKIT_51, REPOSITORY, animate, keyed

NAME = "official-b"
HEAD = "3DETF_blendshape_weight"

pytestmark = pytest.mark.skipif(not os.environ.get("UNITALKER_PYTHON"), reason="needs UNITALKER_PYTHON")


# One process for both, since importing torch takes longer than either. Here there is no torch.
MAKE = """
import sys
from pathlib import Path
from backend.cli import main
from tests.official_weights import save_checkpoint
checkpoint = Path(sys.argv[1])
save_checkpoint("B", checkpoint)
sys.argv = ["unitalker", "models", "import", str(checkpoint), "--name", sys.argv[2], "--into", str(checkpoint.parent)]
main()
"""


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Path]:
    """A folder of models with the checkpoint in it, imported by the command that a user calls."""
    checkpoint = tmp_path / "UniTalker-B-D0-D7.pt"
    command = [os.environ["UNITALKER_PYTHON"], "-c", MAKE, str(checkpoint), NAME]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=180)
    checkpoint.unlink()
    yield tmp_path
    # pytest keeps folders of past runs, and this one has 0.4 GB.
    shutil.rmtree(tmp_path / NAME)


def test_official_checkpoint_animates_a_face(models, make_face, make_sound, monkeypatch) -> None:
    monkeypatch.setenv("UNITALKER_MODELS", str(models))
    face = make_face(keys=(*ARKIT_51, "tongueOut"))
    bpy.context.scene.render.fps = 30
    assert animate(filepath=make_sound(1.0), model=NAME, head=HEAD, identity="D4/3") == {"FINISHED"}
    curves = keyed(face)
    assert set(curves) == {*ARKIT_51, "tongueOut"}
    values = np.array([curve[:, 1] for curve in curves.values()])
    assert values.shape == (52, 30)
    assert values.min() >= 0
    assert values.max() <= 1
    # Random weights say nothing, but they are not the resting face.
    assert values.std() > 0.01
