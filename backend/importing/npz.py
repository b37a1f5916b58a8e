"""NumPy archives: our own. Never unpickled, since a pickle may run any program."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.importing.checked import MOST_BYTES, motion_of, unreadable

_KEYS = {"values", "names", "fps", "unit", "annotation"}


def read_npz(path: Path) -> FaceMotion:
    """Read what `backend.export.npz` writes.

    Raises:
        UniTalkerError: ``motion.unreadable``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # As announced in the file: known before anything is unpacked.
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise unreadable(path, "it holds more than 2 GiB", "Read a shorter one.")
        with np.load(path, allow_pickle=False) as data:
            missing = _KEYS - set(data)
            if missing:
                raise unreadable(path, f"it has no {', '.join(sorted(missing))}")
            names = [str(name) for name in data["names"].ravel()]
            values = data["values"]
            if values.dtype.kind not in "fiu":
                raise unreadable(path, f"its values are {values.dtype}")
            return motion_of(path, values, names, float(data["fps"]), str(data["unit"]), str(data["annotation"]))
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise unreadable(path, f"it is no NumPy archive, or damaged ({error})") from error
