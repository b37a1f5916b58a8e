"""Samples of a long sound on disk, so that memory holds only the stretch that is being looked at."""

from __future__ import annotations

import tempfile
from typing import Protocol

import numpy as np


class Samples(Protocol):
    """A mono sound, float32, that can be looked at in stretches: a NumPy array, or a `SampleFile`."""

    def __len__(self) -> int: ...

    def __getitem__(self, stretch: slice) -> np.ndarray: ...


class SampleFile:
    """Samples in a temporary file, which goes when the object does.

    Args:
        start: first samples; more are added with `append`.
    """

    def __init__(self, start: bytes | bytearray = b"") -> None:
        self._file = tempfile.TemporaryFile(prefix="unitalker-", suffix=".f32")  # noqa: SIM115 - as long as the object
        self._length = 0
        self.append(start)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, stretch: slice) -> np.ndarray:
        start, stop, step = stretch.indices(self._length)
        self._file.seek(4 * start)
        # An array over it can be written to, which torch wants.
        return np.frombuffer(bytearray(self._file.read(4 * max(stop - start, 0))), np.float32)[::step]

    def append(self, samples: bytes | bytearray) -> None:
        """Add float32 samples at the end; OSError when the disk is full."""
        self._file.seek(4 * self._length)
        self._file.write(samples)
        self._length += len(samples) // 4

    def resize(self, length: int) -> None:
        """Cut the end off, or add silence."""
        self._file.truncate(4 * length)
        self._length = length
