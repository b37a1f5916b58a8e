"""Multiface (Wuu et al. 2022), whose heads MeshTalk was trained on: 7,306 vertices in millimetres at 30 fps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.official_release import released_annotations
from training.datasets.mesh_takes import MeshSet, MeshTake, find_sounds
from training.datasets.meshes import read_frames, read_vertices
from training.datasets.source import Source

KEPT_VERTICES = "kept_vertices.txt"

_TRACKED = "tracked_mesh"
_SPOKEN = "SEN_"
_REST = "E001_Neutral_Eyes_Open"
_SCALE, _FPS = 0.001, 30.0
_MESHTALK = "meshtalk_6172_vertices"


def is_multiface(folder: Path) -> bool:
    """Whether the folder is an entity of Multiface or holds some."""
    return bool(_entities(folder))


def open_multiface(folder: Path) -> Source:
    """One entity ``m--DATE--0000--ID--GHS`` with ``tracked_mesh/SEN_*/*.bin`` and ``audio/SEN_*.wav``, or a folder of
    them; also with frames reduced to MeshTalk's 6,172 vertices.

    Only the spoken segments have sound. The resting face is the mean of the segment with a neutral face, or of all
    frames (``vert_mean.bin``) without it. A text file ``kept_vertices.txt`` of vertex numbers in the folder reduces
    the mesh; MeshTalk's list of vertices to leave out is in its ``multiface2meshtalk.py``.
    """
    takes: list[MeshTake] = []
    sounds: dict[str, Path] = {}
    templates: dict[str, np.ndarray] = {}
    for entity in _entities(folder):
        identity = _identity(entity)
        for segment in sorted((entity / _TRACKED).glob(f"{_SPOKEN}*")):
            frames = tuple(sorted(segment.glob("*.bin")))
            if frames:
                takes.append(MeshTake(identity, segment.name, frames))
        sounds |= {f"{identity}_{key}": path for key, path in find_sounds(entity / "audio").items()}
        templates[identity] = _resting_face(entity)
    vertices = _kept_vertices(folder)
    count = next(iter(templates.values())).size // 3 if vertices is None else len(vertices)
    return MeshSet(
        folder=folder,
        layout="Multiface",
        annotation=_annotation(count),
        takes=takes,
        sounds=sounds,
        templates=templates,
        vertices=vertices,
    ).source()


def _entities(folder: Path) -> list[Path]:
    if (folder / _TRACKED).is_dir():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{_TRACKED}") if path.is_dir())


def _identity(entity: Path) -> str:
    """The fourth part of ``m--20180227--0000--6795937--GHS``."""
    parts = entity.name.split("--")
    return parts[3] if len(parts) > 3 else entity.name


def _resting_face(entity: Path) -> np.ndarray:
    frames = sorted((entity / _TRACKED / _REST).glob("*.bin"))
    if frames:
        mean: np.ndarray = read_frames(frames, f"{entity.name}: {_REST}").mean(axis=0)
        return mean
    average = entity / "vert_mean.bin"
    if average.is_file():
        return read_vertices(average).reshape(-1)
    raise UniTalkerError(
        "data.template",
        f"{entity} has neither {_TRACKED}/{_REST} nor vert_mean.bin, so its resting face is unknown.",
        "Download one of them.",
    )


def _kept_vertices(folder: Path) -> np.ndarray | None:
    path = folder / KEPT_VERTICES
    if not path.is_file():
        return None
    try:
        return np.array(path.read_text(encoding="utf-8").replace(",", " ").split(), np.int64)
    except ValueError as error:
        raise UniTalkerError("data.unreadable", f"{path} is not a list of vertex numbers: {error}.") from error


def _annotation(vertices: int) -> Annotation:
    meshtalk = released_annotations()[_MESHTALK]
    if meshtalk.dim == 3 * vertices:
        return meshtalk
    return Annotation(
        type_name=f"multiface_{vertices}_vertices",
        title="Multiface mesh",
        kind="vertices",
        dim=3 * vertices,
        fps=_FPS,
        unit="m",
        scale=_SCALE,
    )
