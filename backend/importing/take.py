"""A motion file and its sound as a take: everything that can be done with what the network says works on it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.audio import Audio
from backend.prosody import FRAMES_PER_SECOND, SILENCE_LEVEL, Prosody, analyse
from backend.takes import Origin, Take

_VERSION = 1


def imported_take(motion: FaceMotion, audio: Audio | None) -> Take:
    """The take; a face of vertices rests as in its first frame."""
    rest = motion.values[0].copy() if motion.annotation.kind == "vertices" else None
    prosody = _silence(motion.duration) if audio is None else analyse(audio.samples)
    return Take(motion, None, rest, prosody, Origin(model="", identity="", identity_b="", device="", engine=""))


def imported_key(path: Path, entry: str | None, audio: Audio | None) -> str:
    """Name of the take: the same for the same file, entry and sound."""
    digest = hashlib.blake2b(f"import {_VERSION} {path.suffix.lower()} {entry}\0".encode(), digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if audio is not None:
        digest.update(np.ascontiguousarray(audio.samples).data)
    return digest.hexdigest()


def _silence(seconds: float) -> Prosody:
    """What is known of a voice that nobody gave: nothing but its length."""
    frames = max(1, round(seconds * FRAMES_PER_SECOND))
    nothing = np.zeros(frames, np.float32)
    pauses = np.array([[0.0, seconds]], np.float32)
    return Prosody(nothing + np.float32(SILENCE_LEVEL), nothing, nothing, pauses, seconds)
