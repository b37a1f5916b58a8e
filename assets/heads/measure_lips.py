"""How far each mouth shape moves the lips of the sample head, shape against shape: ../rigs/lip_metric.json.

    python3 assets/heads/measure_lips.py

The matrix turns weights of ARKit shapes into what one sees: for weights w, ``w' M w`` is the mean squared distance that
the lips move, and more if they part or meet, since a mouth that should be shut and is not is seen first. Visemes and
vowels are solved for in this measure. A small part of the identity is added, so that shapes that move no lip, such as
the tongue's, still count.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
HEAD = HERE / "makehuman_head.glb"
OUTPUT = HERE.parent / "rigs" / "lip_metric.json"

# Shapes that only lips make: what one of them moves by this much belongs to the lips.
LIP_SHAPES = ("mouthPucker", "mouthFunnel", "mouthRollLower", "mouthRollUpper", "mouthUpperUp", "mouthLowerDown")
LIP_TRAVEL = 0.004  # m
TOUCHING = 0.003  # m between vertices of upper and lower lip at rest
UPPER_LIP, LOWER_LIP = 0.003, 0.012  # m that jawOpen moves them: at most, at least
GAP = 2.0  # opening by the jaw, as seen in the gap between the lips, against the same in their places
IDENTITY = 0.1  # of the mean diagonal


def read_shapes(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices of the skin, and shape name → how it moves them; float64 (vertices, 3), metres."""
    data = path.read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    document, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    mesh = document["meshes"][0]
    skin = mesh["primitives"][0]
    names = mesh["extras"]["targetNames"]
    moves = [_read_accessor(document, binary, target["POSITION"]) for target in skin["targets"]]
    return _read_accessor(document, binary, skin["attributes"]["POSITION"]), dict(zip(names, moves, strict=True))


def _read_accessor(document: dict, binary: bytes, index: int) -> np.ndarray:
    accessor = document["accessors"][index]
    if "bufferView" in accessor:
        values = _read_view(document, binary, accessor, accessor["count"] * 3, np.float32).reshape(-1, 3).copy()
    else:
        values = np.zeros((accessor["count"], 3), np.float32)
    if "sparse" in accessor:
        sparse = accessor["sparse"]
        kind = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32}[sparse["indices"]["componentType"]]
        rows = _read_view(document, binary, sparse["indices"], sparse["count"], kind)
        values[rows] = _read_view(document, binary, sparse["values"], sparse["count"] * 3, np.float32).reshape(-1, 3)
    return values.astype(float)


def _read_view(document: dict, binary: bytes, place: dict, count: int, kind: type) -> np.ndarray:
    start = document["bufferViews"][place["bufferView"]].get("byteOffset", 0) + place.get("byteOffset", 0)
    return np.frombuffer(binary, kind, count, start)


def lip_vertices(shapes: dict[str, np.ndarray]) -> np.ndarray:
    """Which vertices are lips, bool (vertices,)."""
    travel = [np.linalg.norm(shape, axis=1) for name, shape in shapes.items() if name.startswith(LIP_SHAPES)]
    return np.asarray(np.max(travel, axis=0) > LIP_TRAVEL)


def lip_gap(rest: np.ndarray, shapes: dict[str, np.ndarray]) -> dict[str, float]:
    """Shape name → how far it lifts the upper lip off the lower one in the middle, metres."""
    by_jaw = np.linalg.norm(shapes["jawOpen"], axis=1)
    lips = lip_vertices(shapes)
    upper, lower = np.flatnonzero(lips & (by_jaw < UPPER_LIP)), np.flatnonzero(lips & (by_jaw > LOWER_LIP))
    distance = np.linalg.norm(rest[upper, None] - rest[None, lower], axis=2)
    near = distance.min(axis=1) < TOUCHING
    above, below = upper[near], lower[distance.argmin(axis=1)[near]]
    return {name: float((shape[above, 1] - shape[below, 1]).mean()) for name, shape in shapes.items()}


def lip_metric(rest: np.ndarray, shapes: dict[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Mouth shapes and their matrix, scaled so that the mean diagonal of the places alone is 1."""
    channels = [name for name in shapes if name.startswith(("jaw", "mouth", "tongue"))]
    moves = np.stack([shapes[name][lip_vertices(shapes)].ravel() for name in channels])
    places = moves @ moves.T
    places /= np.diag(places).mean()
    jaw = channels.index("jawOpen")
    gaps = lip_gap(rest, shapes)
    gap = np.array([gaps[name] for name in channels]) / gaps["jawOpen"]
    return channels, places + GAP * places[jaw, jaw] * np.outer(gap, gap) + IDENTITY * np.eye(len(channels))


def main() -> None:
    channels, matrix = lip_metric(*read_shapes(HEAD))
    rows = ",\n".join(f"    {[round(value, 3) for value in row]}" for row in matrix.tolist())
    about = (
        "Products of the ways in which the mouth shapes move the lips of the sample head: the measure in which visemes "
        "and vowels are solved for. Made by assets/heads/measure_lips.py."
    )
    OUTPUT.write_text(
        f'{{\n  "about": {json.dumps(about)},\n  "channels": {json.dumps(channels)},\n  "matrix": [\n{rows}\n  ]\n}}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
