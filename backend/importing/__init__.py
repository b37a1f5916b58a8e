"""Files to face motion: one reader per format, chosen by the file name's suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.importing.live_link_face import read_live_link_face
from backend.importing.npz import read_npz
from backend.importing.web_json import read_json

Reader = Callable[[Path, str | None], FaceMotion]

READERS: dict[str, Reader] = {
    ".npz": read_npz,
    ".csv": lambda path, _entry: read_live_link_face(path),
    ".json": lambda path, _entry: read_json(path),
}

READABLE = ".npz (arrays), .csv (Live Link Face) or .json (web)"


def read_motion(path: Path, entry: str | None = None) -> FaceMotion:
    """Read a motion from ``.npz``, ``.csv`` (Live Link Face) or ``.json``.

    Args:
        path: of the file.
        entry: which of its results, for an ``.npz`` of the official demo's form.

    Raises:
        UniTalkerError: ``motion.not_found``, or ``motion.unreadable`` with what is wrong with the file.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UniTalkerError(
            "motion.unreadable",
            f"{path}: {path.suffix or 'no suffix'} is not a motion format that can be read.",
            f"Readable are {READABLE}.",
        )
    if not path.is_file():
        raise UniTalkerError("motion.not_found", f"There is no file {path}.", "Check the name and the folder.")
    return reader(path, entry)
