"""Sounds for the scenarios."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

VOICE = Path(__file__).resolve().parents[2] / "assets/audio/demo_voice.ogg"


@pytest.fixture
def long_sound(tmp_path: Path) -> Path:
    """The sample voice again and again, half an hour long: enough to be interrupted."""
    soundfile = pytest.importorskip("soundfile")
    values, rate = soundfile.read(VOICE, dtype="int16")
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(values, 1 + 1800 * rate // len(values)), rate)
    return path
