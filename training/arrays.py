"""Numeric arrays out of `.npz` files that a user downloaded: checked, and without running code from them."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from backend.errors import UniTalkerError


def read_arrays(path: Path, names: tuple[str, ...], what: str) -> dict[str, np.ndarray]:
    """The named arrays of an ``.npz`` file; floats come as float32.

    Args:
        path: the file.
        names: arrays it has to contain.
        what: what the file ought to be, for the message: ``a PCA file``.

    Raises:
        UniTalkerError: the file is missing, no ``.npz``, lacks an array, or an array holds objects or NaN.
    """
    if not path.is_file():
        raise UniTalkerError("file.not_found", f"{path} does not exist.", f"It should be {what}.")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        with archive:
            missing = [name for name in names if name not in archive.files]
            arrays = {name: np.asarray(archive[name]) for name in names if name not in missing}
            found = ", ".join(archive.files) or "nothing"
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise UniTalkerError(
            "file.unreadable", f"{path} cannot be read as {what}: {error}.", "It must be an .npz of plain arrays."
        ) from error
    if missing:
        raise UniTalkerError("file.missing_array", f"{path} is not {what}: it has no {missing[0]!r}, only {found}.")
    return {name: _finite_single_precision(path, name, array) for name, array in arrays.items()}


def _finite_single_precision(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    if not np.isfinite(array).all():
        raise UniTalkerError("file.not_finite", f"{path}: {name!r} contains NaN or infinite numbers.")
    return array.astype(np.float32, copy=False)
