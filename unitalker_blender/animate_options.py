"""What one run of Animate is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .scene.action_placement import Placement


@dataclass(frozen=True)
class AnimateOptions:
    """One run; empty strings stand for the backend's own defaults.

    Attributes:
        target: name of the object whose shape keys speak.
        audio: absolute path of the sound file; None for a motion file without one.
        motion: absolute path of a file whose motion is taken instead of computing it.
        entry: which result of that file, where it holds several.
        identity_b: the second style that the direction can blend in.
        direction: what is changed about the network's motion, as in docs/protocol.md; empty for nothing.
        preset: name of the preset that `direction` comes from, to be shown.
        placement: where the keys go and how many; None for a key on every frame of a new Action.
        update_take: replace the take in which the same sound was animated before, if there is one.
        frame_start: scene frame at which the sound starts.
        add_sound: put the sound into the sequencer.
        extend_range: make the scene's frame range contain the speech.
    """

    target: str
    audio: Path | None
    motion: Path | None = None
    entry: str = ""
    model: str = ""
    head: str = ""
    identity: str = ""
    identity_b: str = ""
    direction: Mapping[str, Any] = field(default_factory=dict)
    preset: str = ""
    placement: Placement | None = None
    update_take: bool = False
    frame_start: int = 1
    add_sound: bool = True
    extend_range: bool = True
    device: str = "auto"
    engine: str = "auto"

    @property
    def subject(self) -> Path:
        """The file that the performance is called after."""
        chosen = self.audio or self.motion
        assert chosen is not None
        return chosen
