"""Made-up speech with known syllables, closures and pauses, and the bundled model's take of a real sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.annotation import Annotation, FaceMotion
from backend.audio import SAMPLE_RATE, read_audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.inference import AnimateOptions, record
from backend.prosody import Prosody, analyse
from backend.takes import Origin, Take

ROOT = Path(__file__).resolve().parents[3]
NAMES = tuple(json.loads((ROOT / "assets/rigs/arkit52.json").read_text(encoding="utf-8"))["channels"])
ARKIT = Annotation(type_name="arkit", kind="blendshapes", dim=52, fps=25, unit="weight", names=NAMES)

MakeMotion = Callable[..., FaceMotion]


@pytest.fixture(scope="session")
def make_motion() -> MakeMotion:
    """ARKit motion out of (frames,) values by channel; all other channels are 0."""

    def make(fps: float = 25.0, **channels: np.ndarray) -> FaceMotion:
        frames = len(next(iter(channels.values())))
        values = np.zeros((frames, len(NAMES)), np.float32)
        for name, track in channels.items():
            values[:, NAMES.index(name)] = track
        return FaceMotion(values, fps, ARKIT)

    return make


def murmured(seconds: float, pauses: tuple[tuple[float, float], ...] = ()) -> np.ndarray:
    """Syllables of a voice of about 120 Hz, four a second, silent in the pauses; 16 kHz."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120 * (1 + 0.15 * np.sin(2 * np.pi * 0.6 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 8)) * (0.35 + 0.65 * np.sin(2 * np.pi * 2 * time) ** 2)
    for start, end in pauses:
        voice[(time >= start) & (time < end)] = 0
    return (0.2 * voice).astype(np.float32)


@pytest.fixture(scope="session")
def voice() -> Prosody:
    """Two minutes with a pause of 0.8 s after every 4 s."""
    pauses = tuple((start + 4.0, start + 4.8) for start in np.arange(0, 115, 4.8))
    return analyse(murmured(120.0, pauses))


@pytest.fixture(scope="session")
def take(voice: Prosody, make_motion: MakeMotion) -> Take:
    """A made-up performance of that voice: the mouth opens four times a second and nearly closes in between."""
    time = np.arange(3000) / 25
    jaw = 0.02 + 0.2 * np.sin(np.pi * 2 * time) ** 2
    motion = make_motion(jawOpen=jaw, mouthSmileLeft=0.1 + 0 * jaw, mouthSmileRight=0 * jaw, browInnerUp=0.1 * jaw)
    return Take(motion, None, None, voice, Origin("made up", "one", "", "cpu", "torch"))


@pytest.fixture(scope="session")
def sentence() -> Take:
    """The bundled model's take of the bundled voice."""
    model = ROOT / "assets/models/unitalker-s"
    if not (model / "model.json").is_file():
        pytest.skip("needs the bundled model")
    audio = read_audio(ROOT / "assets/audio/demo_voice.ogg")
    return record(TorchEngine(load_bundle(model)), audio, AnimateOptions(identity_b="s3"))
