"""The first command of the README: what a newcomer gets."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from .test_package import build

# Run inside bpy, which decodes its own video: loudness of the sound; and the curve of the jaw.
LOOK = """
import json, os, sys, bpy
import aud, numpy as np
folder = sys.argv[1]
sound = np.abs(aud.Sound(os.path.join(folder, "demo.mp4")).data()).max()
bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, "demo.blend"))
scene = bpy.context.scene
jaw = []
key = next(mesh.shape_keys for mesh in bpy.data.meshes if mesh.shape_keys)
for frame in range(scene.frame_start, scene.frame_end + 1):
    scene.frame_set(frame)
    jaw.append(key.key_blocks["jawOpen"].value)
packed = [sound.packed_file is not None for sound in bpy.data.sounds]
print("LOOK " + json.dumps({"loudest": float(sound), "jaw": jaw, "packed": packed, "fps": scene.render.fps}))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not build.venv_python(build.VENV / f"blender-{build.DEMO_BLENDER}").exists():
        pytest.skip("needs the Blender environments of `build.py setup`")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "OUT", tmp_path_factory.mktemp("out"))
        build.demo(None, None)
        return Path(build.OUT)


def test_demo_is_a_head_that_speaks_with_sound_and_rests_in_the_pause(out: Path) -> None:
    python = build.venv_python(build.VENV / f"blender-{build.DEMO_BLENDER}")
    looked = subprocess.run(
        [python, "-c", LOOK, out], capture_output=True, text=True, timeout=120, env=dict(os.environ), check=False
    )
    lines = [line for line in looked.stdout.splitlines() if line.startswith("LOOK ")]
    assert lines, looked.stdout + looked.stderr
    seen = json.loads(lines[0].removeprefix("LOOK "))
    assert seen["loudest"] > 0.1
    assert seen["packed"] == [True]
    words = json.loads((build.ROOT / "assets/audio/demo_voice.json").read_text("utf-8"))["words"]
    gap = max(pairwise(words), key=lambda pair: pair[1]["start"] - pair[0]["end"])
    pause = range(round((gap[0]["end"] + 0.35) * seen["fps"]), round((gap[1]["start"] - 0.25) * seen["fps"]))
    assert max(seen["jaw"]) > 0.25
    assert max(seen["jaw"][frame] for frame in pause) < 0.1 * max(seen["jaw"])


def test_contact_sheet_shows_the_moments(out: Path) -> None:
    moments = json.loads((out / "stills" / "moments.json").read_text("utf-8"))
    assert len(moments) == 12
    assert {"open", "closed", "round", "lip on teeth"} == {moment["note"] for moment in moments}
    assert (out / "demo.png").stat().st_size > 100_000
