"""Vertex positions out of the mesh files that data sets come in; faces and colours are not read."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from backend.errors import UniTalkerError

_PLY_TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_PLY_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


def read_vertices(path: Path) -> np.ndarray:
    """Positions of a ``.ply``, ``.obj``, ``.vl`` (BIWI) or ``.bin`` (Multiface) file, float32 (V, 3), its own unit.

    Raises:
        UniTalkerError: ``data.not_found`` or ``data.unreadable``.
    """
    try:
        vertices = _READERS[path.suffix.lower()](path)
    except OSError as error:
        raise UniTalkerError("data.not_found", f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, IndexError) as error:
        raise UniTalkerError("data.unreadable", f"{path} is not a mesh that can be read: {error}.") from error
    if not len(vertices):
        raise UniTalkerError("data.unreadable", f"{path} holds no vertices.")
    return vertices


def read_frames(paths: list[Path], label: str) -> np.ndarray:
    """One mesh per frame as float32 (T, 3 V).

    Args:
        paths: in the order of time.
        label: names the recording in messages.

    Raises:
        UniTalkerError: ``data.shape`` when frames differ in their number of vertices, or as `read_vertices`.
    """
    first = read_vertices(paths[0])
    frames = np.empty((len(paths), first.size), np.float32)
    for number, path in enumerate(paths):
        vertices = read_vertices(path) if number else first
        if vertices.size != first.size:
            raise UniTalkerError(
                "data.shape",
                f"{label}: {path.name} has {len(vertices)} vertices, {paths[0].name} has {len(first)}.",
                "A recording has one topology.",
            )
        frames[number] = vertices.reshape(-1)
    return frames


def _read_obj(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return np.array([line.split()[1:4] for line in lines if line.startswith("v ")], np.float32).reshape(-1, 3)


def _read_vl(path: Path) -> np.ndarray:
    """A 32-bit count and so many x, y, z as 32-bit floats, little endian."""
    data = path.read_bytes()
    if len(data) < 4:
        raise ValueError(f"{len(data)} bytes are too few")
    count = int.from_bytes(data[:4], "little")
    if len(data) != 4 + 12 * count:
        raise ValueError(f"{count} vertices need {4 + 12 * count} bytes, it has {len(data)}")
    return np.frombuffer(data, "<f4", offset=4).reshape(count, 3)


def _read_bin(path: Path) -> np.ndarray:
    """x, y, z as 32-bit floats, little endian, nothing else."""
    return np.fromfile(path, "<f4").reshape(-1, 3)


def _read_ply(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        order, count, properties = _ply_header(file)
        if order is None:
            rows = [file.readline().split() for _ in range(count)]
            columns = [next(i for i, (name, _) in enumerate(properties) if name == axis) for axis in "xyz"]
            return np.array([[float(row[column]) for column in columns] for row in rows], np.float32).reshape(-1, 3)
        record = np.dtype([(name, order + kind) for name, kind in properties])
        body = file.read(record.itemsize * count)
    table = np.frombuffer(body, record, count)
    return np.column_stack([table[axis] for axis in "xyz"]).astype(np.float32)


def _ply_header(file: BinaryIO) -> tuple[str | None, int, list[tuple[str, str]]]:
    """Byte order (``None`` for text), number of vertices, and their properties as (name, numpy type)."""
    if file.readline().strip() != b"ply":
        raise ValueError("it does not begin with 'ply'")
    order, count, properties, element = None, -1, [], ""
    while (line := file.readline()) and (words := line.decode("ascii", "replace").split()) != ["end_header"]:
        match words:
            case ["format", name, *_]:
                order = _PLY_ORDERS.get(name)
            case ["element", element, number]:
                if element == "vertex":
                    count = int(number)
                elif count < 0:
                    raise ValueError(f"{element} elements come before the vertices")
            case ["property", kind, name] if element == "vertex":
                if kind not in _PLY_TYPES:
                    raise ValueError(f"the type {kind} is unknown")
                properties.append((name, _PLY_TYPES[kind]))
    if count < 0 or not {"x", "y", "z"} <= {name for name, _ in properties}:
        raise ValueError("its header has no vertices with x, y, z")
    return order, count, properties


_READERS = {".ply": _read_ply, ".obj": _read_obj, ".vl": _read_vl, ".bin": _read_bin}
