"""Results in the form of the official demo: an array of vertices for every sound and data set in one ``.npz``.

The official demo pickles a dictionary of torch tensors for each sound, which only runs with its own programs and may
run any other; such a file is refused. `unitalker train official-results` writes the same arrays without pickles.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.importing.checked import motion_of, unreadable
from backend.official_release import data_sets, released_annotations

PICKLED = "it holds pickled Python objects, which may run any program and are therefore not opened"
CONVERT = (
    "In the environment of the official demo, write each tensor as an array of its own under SOUND/DATA SET: "
    "docs/interchange.md has the lines that do it."
)


def choose_entry(path: Path, entries: Sequence[str], wanted: str | None) -> str:
    """Which array of the file is meant.

    Raises:
        UniTalkerError: ``motion.unreadable`` with the names that there are.
    """
    shown = ", ".join(entries[:6]) + (" and more" if len(entries) > 6 else "")
    if wanted is not None:
        if wanted not in entries:
            raise unreadable(path, f"it has no {wanted!r}", f"It has {shown}.")
        return wanted
    if len(entries) != 1:
        raise unreadable(path, f"it holds {len(entries)} results", f"Choose one of them: {shown}.")
    return entries[0]


def official_motion(path: Path, entry: str, vertices: np.ndarray) -> FaceMotion:
    """The vertices of one sound and data set.

    Args:
        path: of the file, for messages.
        entry: ``<sound>/<data set>``.
        vertices: (T, V, 3), in metres as the release scales them.

    Raises:
        UniTalkerError: ``motion.unreadable``.
    """
    sound, _, name = entry.rpartition("/")
    data_set = next((known for known in data_sets() if known.name == name), None)
    if data_set is None:
        known = ", ".join(item.name for item in data_sets())
        raise unreadable(path, f"{entry} ends in no data set of the release ({known}), so its rate is not known")
    if vertices.ndim != 3 or vertices.shape[2] != 3 or vertices.dtype.kind != "f":
        raise unreadable(path, f"{entry} is {vertices.dtype} {vertices.shape}, not vertices (frames, vertices, 3)")
    annotation = released_annotations()[data_set.head]
    flat = vertices.reshape(len(vertices), -1)
    type_name = annotation.type_name if _is_of(annotation, flat) else f"{annotation.type_name}_as_vertices"
    names = tuple(f"v{index}" for index in range(flat.shape[1]))
    return motion_of(path, flat, names, annotation.fps, "m", type_name, sound)


def _is_of(annotation: Annotation, flat: np.ndarray) -> bool:
    return annotation.kind == "vertices" and annotation.dim == flat.shape[1]
