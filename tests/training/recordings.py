"""Small recordings that are true to the form of real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from backend.annotation import FaceMotion
from backend.export import write_motion

RATE = 16000


def syllables(seconds: float, fps: float, late: float = 0.0) -> np.ndarray:
    """(T,) a mouth that opens about four times a second, never evenly, and rests at both ends."""
    rng = np.random.default_rng(1)
    times = np.arange(round(seconds * fps)) / fps - late
    opening = np.zeros(len(times))
    at = 0.3
    while at < seconds - 0.4:
        opening = np.maximum(opening, rng.uniform(0.3, 1) * np.exp(-(((times - at) / 0.06) ** 2)))
        at += rng.uniform(0.15, 0.4)
    return opening


def voice(seconds: float, rate: int = RATE) -> np.ndarray:
    """Noise with the loudness of `syllables`."""
    noise = np.random.default_rng(0).standard_normal(round(seconds * rate))
    return (0.3 * syllables(seconds, rate) * noise + 1e-4 * noise).astype(np.float32)


def write_voice(path: Path, seconds: float, rate: int = 44100) -> None:
    """A sound file of `voice`; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(seconds, rate), rate)


def face(vertices: int, size: float = 0.25) -> np.ndarray:
    """(V, 3) float32: a head-like cloud, wider than deep and higher than wide, y up."""
    points = np.random.default_rng(vertices).uniform(-0.5, 0.5, (vertices, 3))
    return (points * np.array([0.7, 1.0, 0.5]) * size).astype(np.float32)


def speaking_face(template: np.ndarray, seconds: float, fps: float) -> np.ndarray:
    """(T, V, 3): the lower tenth of the face goes down with each syllable."""
    low = template[:, 1] < np.quantile(template[:, 1], 0.1)
    frames = np.repeat(template[None], round(seconds * fps), axis=0)
    frames[:, low, 1] -= (0.05 * np.ptp(template[:, 1]) * syllables(seconds, fps)[:, None]).astype(np.float32)
    return frames


def write_phone_take(folder: Path, name: str, motion: FaceMotion, sound: np.ndarray, rate: int) -> None:
    """A take as Live Link Face leaves it in a folder of its own, with a .wav in place of its .mov.

    Args:
        folder: of the take; is made.
        name: slate, take and subject.
        motion: with ARKit channels, at the frame rate of the app.
        sound: of `rate`.
        rate: samples per second.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_motion(motion, folder / f"{name}.csv")
    (folder / "take.json").write_text(json.dumps({"slate": "MySlate", "take": 1, "subject": "iPhone"}))
    (folder / "video_metadata.json").write_text(json.dumps({"FrameRate": motion.fps}))
    (folder / "frame_log.csv").write_text("V,0,0,1,00:00:00:00.000,0\n")
    soundfile.write(folder / f"{name}.wav", sound, rate)
