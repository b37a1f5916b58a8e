"""NumPy archives: our own, and results of the official demo. Never unpickled, since a pickle may run any program."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.importing.checked import MOST_BYTES, motion_of, unreadable
from backend.importing.official_results import CONVERT, PICKLED, choose_entry, official_motion

_KEYS = {"values", "names", "fps", "unit", "annotation"}


def read_npz(path: Path, entry: str | None = None) -> FaceMotion:
    """Read what `backend.export.npz` writes, or one result in the form of the official demo.

    Args:
        path: of the ``.npz``.
        entry: which result, ``<sound>/<data set>``; may be left out where there is only one.

    Raises:
        UniTalkerError: ``motion.unreadable``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename.removesuffix(".npy") for member in archive.infolist()]
            # As announced in the file: known before anything is unpacked.
            sizes = {name: member.file_size for name, member in zip(names, archive.infolist(), strict=True)}
        with np.load(path, allow_pickle=False) as data:
            if set(names) >= _KEYS:
                _check_size(path, sum(sizes.values()))
                return _own_motion(path, data)
            if _KEYS & set(names):
                raise unreadable(path, f"it has no {', '.join(sorted(_KEYS - set(names)))}")
            chosen = choose_entry(path, names, entry)
            _check_size(path, sizes[chosen])
            return official_motion(path, chosen, data[chosen])
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise unreadable(path, PICKLED, CONVERT) from error
        raise unreadable(path, f"it is no NumPy archive, or damaged ({error})") from error


def _own_motion(path: Path, data: Mapping[str, np.ndarray]) -> FaceMotion:
    values = data["values"]
    if values.dtype.kind not in "fiu":
        raise unreadable(path, f"its values are {values.dtype}")
    names = [str(name) for name in data["names"].ravel()]
    return motion_of(path, values, names, float(data["fps"]), str(data["unit"]), str(data["annotation"]))


def _check_size(path: Path, size: int) -> None:
    if size > MOST_BYTES:
        raise unreadable(path, "it holds more than 2 GiB", "Read a shorter one.")
