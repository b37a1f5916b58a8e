"""Face motion to files: one writer per format, chosen by the file name's suffix."""

from __future__ import annotations

from pathlib import Path

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export.atomic import check_writable
from backend.export.live_link_face import find_arkit_channels, write_live_link_face
from backend.export.metahuman_csv import check_metahuman, write_metahuman_csv
from backend.export.npz import write_npz
from backend.export.point_cache import check_vertices, write_mdd, write_pc2
from backend.export.web_json import write_json

WRITERS = {
    ".npz": write_npz,
    ".csv": write_live_link_face,
    ".metahuman.csv": write_metahuman_csv,
    ".json": write_json,
    ".pc2": write_pc2,
    ".mdd": write_mdd,
}

WRITABLE = (
    ".npz (arrays), .csv (Live Link Face), .metahuman.csv (Unreal curves), .json (web), "
    ".pc2 or .mdd (point caches of vertex heads)"
)


def write_motion(motion: FaceMotion, path: Path) -> None:
    """Write `motion` in the format that the suffix names, whole or not at all.

    Raises:
        UniTalkerError: ``output.unwritable``, also for an unknown suffix and for a head that the format cannot hold.
    """
    check_output(path)
    WRITERS[format_of(path)](motion, path)


def format_of(path: Path) -> str:
    """The format that a file's name asks for, as in `WRITERS`."""
    name = path.name.lower()
    return ".metahuman.csv" if name.endswith(".metahuman.csv") else path.suffix.lower()


def check_output(path: Path) -> None:
    """Whether `write_motion` can write there; raises what it would raise, before any work."""
    suffix = format_of(path)
    if suffix not in WRITERS:
        raise UniTalkerError(
            "output.unwritable",
            f"Cannot write {path}: {suffix or 'no suffix'} is not a format that can be written.",
            f"End the name in {WRITABLE}.",
        )
    check_writable(path)


def check_format(path: Path, annotation: Annotation) -> None:
    """Whether the format can hold this head's motion; raises what `write_motion` would raise, before any work."""
    suffix = format_of(path)
    if suffix == ".csv":
        find_arkit_channels(annotation)
    elif suffix == ".metahuman.csv":
        check_metahuman(annotation)
    elif suffix in (".pc2", ".mdd"):
        check_vertices(annotation)
