"""A fake backend in a folder with a name that is hard to quote, and sounds."""

from __future__ import annotations

import json
import shutil
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unitalker_blender.client.environment import BackendCommand

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def awkward(tmp_path: Path) -> Path:
    """A folder whose name has spaces, quotes and letters of other scripts."""
    folder = tmp_path / "it's 测试 ü & co"
    folder.mkdir()
    return folder


@pytest.fixture
def command(awkward: Path) -> BackendCommand:
    """Starts the fake backend."""
    (awkward / "backend").mkdir()
    # Without it the folder would yield to a `backend` that is installed, as in a development environment.
    (awkward / "backend/__init__.py").touch()
    shutil.copy(Path(__file__).with_name("fake_backend.py"), awkward / "backend/__main__.py")
    for name in ("rigs", "presets"):
        shutil.copytree(REPOSITORY / "assets" / name, awkward / "assets" / name)
    # What nobody has directed is compared with the fake's own values.
    natural = {"schema_version": 1, "title": "Natural", "description": "As the fake says", "direction": {}}
    (awkward / "assets/presets/natural.json").write_text(json.dumps(natural), encoding="utf-8")
    return BackendCommand(Path(sys.executable), awkward)


@pytest.fixture
def make_sound(awkward: Path) -> Callable[[float], Path]:
    """Writes a wav file of so many seconds."""

    def make(seconds: float) -> Path:
        path = awkward / f"voice {seconds} 测试.wav"
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16_000)
            sound.writeframes(np.zeros(round(seconds * 16_000), np.int16).tobytes())
        return path

    return make
