"""Reads what a head consists of out of a binary glTF 2.0 file: surfaces, morph targets, colours.

Nothing of the file is trusted: every index into it is checked, and only data inside the file is read.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError

_MAGIC, _JSON, _BINARY = b"glTF", b"JSON", b"BIN\0"
_TRIANGLES = 4
_TYPES: dict[int, str] = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_COMPRESSED = {"KHR_draco_mesh_compression", "EXT_meshopt_compression"}
_IMAGE_TYPES = {"image/jpeg", "image/png"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Surface:
    """What is drawn with one material.

    Attributes:
        points: float32 (N, 3), metres, y up, at rest.
        normals: float32 (N, 3), or None.
        texels: float32 (N, 2), origin at the upper left, or None.
        triangles: uint32 (T, 3).
        shapes: name of a morph target → offsets float32 (N, 3).
        colour: red, green, blue, alpha, 0 to 1; the texture is multiplied by it.
        texture: media type and bytes of a picture, or None.
    """

    points: np.ndarray
    normals: np.ndarray | None
    texels: np.ndarray | None
    triangles: np.ndarray
    shapes: dict[str, np.ndarray]
    colour: tuple[float, float, float, float]
    texture: tuple[str, bytes] | None


def read_glb(path: Path) -> list[Surface]:
    """Every surface of the file's scene, placed as at rest.

    Raises:
        UniTalkerError: ``head.not_found`` or ``head.unreadable``.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UniTalkerError("head.not_found", f"There is no file {path}.", "Name a .glb file with a head.") from error
    except OSError as error:
        raise UniTalkerError("head.unreadable", f"Cannot read {path}: {error.strerror}.") from error
    try:
        surfaces = _Document(data).surfaces()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error, RecursionError) as error:
        raise UniTalkerError(
            "head.unreadable",
            f"{path} cannot be read as a .glb head: {error}.",
            "Export it again as glTF 2.0 binary (.glb) with shape keys and without compression.",
        ) from error
    if not surfaces:
        raise UniTalkerError("head.unreadable", f"{path} holds no surface.", "Name a .glb file with a head.")
    return surfaces


class _Document:
    """The two halves of a file: the JSON, and the binary data that it points into."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != _MAGIC:
            raise ValueError("it does not begin like one")
        version, length = struct.unpack_from("<II", data, 4)
        if version != 2 or length > len(data):
            raise ValueError(f"version {version}, {len(data)} of {length} bytes")
        chunks: dict[bytes, bytes] = {}
        start = 12
        while start < length:
            size, kind = struct.unpack_from("<I4s", data, start)
            chunks.setdefault(kind, data[start + 8 : start + 8 + size])
            start += 8 + size
        self.json: Json = json.loads(chunks[_JSON])
        self.binary = chunks.get(_BINARY, b"")
        compressed = _COMPRESSED & set(self.json.get("extensionsRequired", ()))
        if compressed:
            raise ValueError(f"it is compressed ({', '.join(sorted(compressed))})")

    def surfaces(self) -> list[Surface]:
        world = self._world_matrices()
        found = []
        for index, node in enumerate(self.json.get("nodes", ())):
            if "mesh" not in node or index not in world:
                continue
            mesh = self.json["meshes"][node["mesh"]]
            joints = self._joint_matrices(node["skin"], world) if "skin" in node else None
            for primitive in mesh["primitives"]:
                if primitive.get("mode", _TRIANGLES) == _TRIANGLES:
                    found.append(self._surface(mesh, primitive, world[index], joints))
        return found

    def _surface(self, mesh: Json, primitive: Json, place: np.ndarray, joints: np.ndarray | None) -> Surface:
        attributes = primitive["attributes"]
        points = self._vectors(attributes["POSITION"], 3)
        count = len(points)
        matrices = np.broadcast_to(place, (count, 4, 4))
        if joints is not None and "JOINTS_0" in attributes:
            weights = self._vectors(attributes["WEIGHTS_0"], 4)
            matrices = np.einsum("nk,nkij->nij", weights, joints[self._accessor(attributes["JOINTS_0"])])
        turn = matrices[:, :3, :3]
        normals = self._vectors(attributes["NORMAL"], 3) if "NORMAL" in attributes else None
        triangles = self._triangles(primitive, count)
        if not np.isfinite(points).all():
            raise ValueError("a position is not a number")
        return Surface(
            points=_turned(turn, points) + matrices[:, :3, 3].astype(np.float32),
            normals=None if normals is None else _turned(turn, normals),
            texels=self._vectors(attributes["TEXCOORD_0"], 2) if "TEXCOORD_0" in attributes else None,
            triangles=triangles,
            shapes={
                name: _turned(turn, self._vectors(target["POSITION"], 3))
                for name, target in zip(_shape_names(mesh, primitive), primitive.get("targets", ()), strict=True)
                if "POSITION" in target
            },
            colour=self._colour(primitive),
            texture=self._texture(primitive),
        )

    def _triangles(self, primitive: Json, count: int) -> np.ndarray:
        flat = self._accessor(primitive["indices"]).ravel() if "indices" in primitive else np.arange(count)
        if len(flat) % 3 or (len(flat) and int(flat.max()) >= count):
            raise ValueError("a triangle points at a vertex that is not there")
        return flat.astype(np.uint32).reshape(-1, 3)

    def _vectors(self, index: int, width: int) -> np.ndarray:
        values = self._accessor(index)
        if values.shape[1] != width:
            raise ValueError(f"accessor {index} has {values.shape[1]} numbers each, not {width}")
        if values.dtype.kind != "f" and self.json["accessors"][index].get("normalized"):
            # Signed values reach -1 twice; glTF says so.
            return np.maximum(values.astype(np.float32) / np.iinfo(values.dtype).max, -1.0)
        return values.astype(np.float32)

    def _accessor(self, index: int) -> np.ndarray:
        """An accessor's numbers, shape ``(count, width)``."""
        accessor = self.json["accessors"][index]
        dtype, width, count = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]], accessor["count"]
        if "bufferView" in accessor:
            values = self._view(accessor["bufferView"], accessor.get("byteOffset", 0), dtype, width, count)
        else:
            if not 0 <= count * width * dtype.itemsize <= 1 << 30:
                raise ValueError(f"accessor {index} has {count} elements")
            values = np.zeros((count, width), dtype)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            where, what = sparse["indices"], sparse["values"]
            kind = np.dtype(_TYPES[where["componentType"]])
            rows = self._view(where["bufferView"], where.get("byteOffset", 0), kind, 1, sparse["count"])[:, 0]
            values = values.copy()
            values[rows] = self._view(what["bufferView"], what.get("byteOffset", 0), dtype, width, sparse["count"])
        return values

    def _view(self, view_index: int, offset: int, dtype: np.dtype[Any], width: int, count: int) -> np.ndarray:
        view = self.json["bufferViews"][view_index]
        data = self._bytes(view)
        stride = view.get("byteStride", dtype.itemsize * width)
        needed = offset + (count - 1) * stride + dtype.itemsize * width if count else 0
        if min(offset, count, stride) < 0 or needed > len(data):
            raise ValueError(f"it is cut short (buffer view {view_index})")
        return np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize))

    def _bytes(self, view: Json) -> bytes:
        if view.get("buffer", 0) != 0 or "uri" in self.json["buffers"][0]:
            raise ValueError("its data lies in another file")
        start, length = view.get("byteOffset", 0), view["byteLength"]
        if min(start, length) < 0 or start + length > len(self.binary):
            raise ValueError("it is cut short")
        return self.binary[start : start + length]

    def _colour(self, primitive: Json) -> tuple[float, float, float, float]:
        colour = self._paint(primitive).get("baseColorFactor", (1.0, 1.0, 1.0, 1.0))
        red, green, blue, alpha = (min(max(float(value), 0.0), 1.0) for value in colour)
        return red, green, blue, alpha

    def _texture(self, primitive: Json) -> tuple[str, bytes] | None:
        chosen = self._paint(primitive).get("baseColorTexture")
        if chosen is None or "source" not in self.json["textures"][chosen["index"]]:
            return None
        image = self.json["images"][self.json["textures"][chosen["index"]]["source"]]
        if "bufferView" not in image or image.get("mimeType") not in _IMAGE_TYPES:
            return None
        return image["mimeType"], self._bytes(self.json["bufferViews"][image["bufferView"]])

    def _paint(self, primitive: Json) -> Json:
        if "material" not in primitive:
            return {}
        paint: Json = self.json["materials"][primitive["material"]].get("pbrMetallicRoughness", {})
        return paint

    def _world_matrices(self) -> dict[int, np.ndarray]:
        nodes = self.json.get("nodes", [])
        scenes = self.json.get("scenes")
        roots = scenes[self.json.get("scene", 0)].get("nodes", []) if scenes else range(len(nodes))
        world: dict[int, np.ndarray] = {}

        def place(index: int, parent: np.ndarray) -> None:
            if index in world:
                raise ValueError(f"node {index} has two parents")
            world[index] = parent @ _local_matrix(nodes[index])
            for child in nodes[index].get("children", ()):
                place(child, world[index])

        for root in roots:
            if root not in world:
                place(root, np.eye(4))
        return world

    def _joint_matrices(self, skin_index: int, world: dict[int, np.ndarray]) -> np.ndarray:
        """From the mesh to its place at rest, one matrix a joint; a skinned mesh's own node does not count."""
        skin = self.json["skins"][skin_index]
        places: np.ndarray = np.stack([world[joint] for joint in skin["joints"]])
        if "inverseBindMatrices" not in skin:
            return places
        inverse = self._vectors(skin["inverseBindMatrices"], 16).reshape(-1, 4, 4).transpose(0, 2, 1)
        joints: np.ndarray = places @ inverse[: len(places)]
        return joints


def _turned(turn: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    turned: np.ndarray = np.einsum("nij,nj->ni", turn, vectors).astype(np.float32)
    return turned


def _shape_names(mesh: Json, primitive: Json) -> list[str]:
    """VRM 0 keeps the names in the primitive, everybody else in the mesh."""
    count = len(primitive.get("targets", ()))
    for owner in (mesh, primitive):
        names = owner.get("extras", {}).get("targetNames", ())
        if len(names) == count:
            return [str(name) for name in names]
    return [f"target_{index}" for index in range(count)]


def _local_matrix(node: Json) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.array(node.get("scale", (1.0, 1.0, 1.0)))
    matrix[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return matrix
