"""All frames of many clips as if they were one array, read from their files when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.datasets.files import open_frames


@dataclass(frozen=True)
class FrameFile:
    """Frames of one clip.

    Attributes:
        path: a ``.npy`` of (T, ...).
        frames: how many are used.
        step: every how many of the file.
        scale: from the unit of the file to that of the annotation.
        template: (D,) in the unit of the annotation, taken off every frame.
    """

    path: Path
    frames: int
    step: int
    scale: float
    template: np.ndarray


class ClipFrames:
    """Displacements (N, D) of clips in order; a selection of rows costs the memory of these rows.

    Files are opened for each selection, since there may be more of them than a process may hold open.

    Args:
        files: of the clips.
        dim: numbers per frame.
    """

    def __init__(self, files: Sequence[FrameFile], dim: int) -> None:
        self._files = list(files)
        self._starts = np.cumsum([0, *(file.frames for file in self._files)])
        self.shape = (int(self._starts[-1]), dim)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """float32 (rows, D)."""
        chosen = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.asarray(rows)
        result = np.empty((len(chosen), self.shape[1]), np.float32)
        owners = np.searchsorted(self._starts, chosen, side="right") - 1
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            # In the order of the file, which a disk reads fastest.
            places = places[np.argsort(chosen[places])]
            file = self._files[owner]
            frames = open_frames(file.path, self.shape[1])
            picked = (chosen[places] - self._starts[owner]) * file.step
            result[places] = frames[picked].astype(np.float32) * np.float32(file.scale) - file.template
        return result

    def label(self, row: int) -> str:
        """Which frame of which file a row is."""
        owner = int(np.searchsorted(self._starts, row, side="right")) - 1
        file = self._files[owner]
        return f"frame {(row - int(self._starts[owner])) * file.step} of {file.path}"
