"""What one run of Animate is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AnimateOptions:
    """One run; empty strings stand for the backend's own defaults.

    Attributes:
        target: name of the object whose shape keys speak.
        audio: absolute path of the sound file.
        smoothing: seconds.
        frame_start: scene frame at which the sound starts.
        add_sound: put the sound into the sequencer.
        extend_range: make the scene's frame range contain the speech.
    """

    target: str
    audio: Path
    model: str = ""
    head: str = ""
    identity: str = ""
    intensity: float = 1.0
    smoothing: float = 0.0
    frame_start: int = 1
    add_sound: bool = True
    extend_range: bool = True
    device: str = "auto"
