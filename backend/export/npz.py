"""NumPy archive: the exact values, for Blender and for scripts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.export.atomic import atomic_write


def write_npz(motion: FaceMotion, path: Path) -> None:
    """Write ``values`` float32 (frames, channels), ``names``, ``fps``, ``unit`` and ``annotation`` (docs/protocol.md).

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    with atomic_write(path) as file:
        np.savez(
            file,
            values=motion.values,
            names=np.array(motion.annotation.channel_names, dtype=np.str_),
            fps=np.float64(motion.fps),
            unit=np.str_(motion.annotation.unit),
            annotation=np.str_(motion.annotation.type_name),
        )
