"""Face motion to files: one writer per format, chosen by the file name's suffix."""

from __future__ import annotations

from pathlib import Path

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export.atomic import check_writable
from backend.export.live_link_face import find_arkit_channels, write_live_link_face
from backend.export.npz import write_npz
from backend.export.web_json import write_json

WRITERS = {".npz": write_npz, ".csv": write_live_link_face, ".json": write_json}


def write_motion(motion: FaceMotion, path: Path) -> None:
    """Write `motion` as ``.npz``, ``.csv`` (Live Link Face) or ``.json``, whole or not at all.

    Raises:
        UniTalkerError: ``output.unwritable``, also for an unknown suffix and for a head that the format cannot hold.
    """
    check_output(path)
    WRITERS[path.suffix.lower()](motion, path)


def check_output(path: Path) -> None:
    """Whether `write_motion` can write there; raises what it would raise, before any work."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise UniTalkerError(
            "output.unwritable",
            f"Cannot write {path}: {suffix or 'no suffix'} is not a format that can be written.",
            "End the name in .npz (arrays), .csv (Live Link Face take) or .json (web).",
        )
    check_writable(path)


def check_format(path: Path, annotation: Annotation) -> None:
    """Whether the format can hold this head's motion; raises what `write_motion` would raise, before any work."""
    if path.suffix.lower() == ".csv":
        find_arkit_channels(annotation)
