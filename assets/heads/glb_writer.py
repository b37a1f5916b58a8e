"""Writes one mesh with morph targets and embedded textures as a binary glTF 2.0 file (`.glb`).

Morph targets are sparse accessors: a face shape moves a small part of the head.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Component types of glTF.
FLOAT, UINT16 = 5126, 5123

Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Material:
    """Roughness from 0 to 1, and the base colour as a JPEG."""

    name: str
    roughness: float
    texture: bytes


@dataclass(frozen=True)
class Part:
    """What has one material.

    Attributes:
        points, normals: (N, 3) metres, y up.
        texels: (N, 2), origin at the upper left.
        triangles: (T, 3) indices below 65,536.
        shapes: name → offsets (N, 3); the same names in the same order in every part of a mesh.
    """

    material: Material
    points: Vectors
    normals: Vectors
    texels: Vectors
    triangles: NDArray[np.integer[Any]]
    shapes: dict[str, Vectors]


def write_glb(path: Path, name: str, parts: list[Part], copyright_notice: str) -> None:
    """Write the parts as one mesh. Shapes are named in `mesh.extras.targetNames`, where importers look."""
    writer = _Writer()
    shapes = list(parts[0].shapes)
    mesh = {
        "name": name,
        "primitives": [writer.primitive(part) for part in parts],
        "weights": [0.0] * len(shapes),
        "extras": {"targetNames": shapes},
    }
    writer.document |= {
        "asset": {"version": "2.0", "copyright": copyright_notice},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [mesh],
        "buffers": [{"byteLength": len(writer.blob)}],
    }
    path.write_bytes(writer.file())


class _Writer:
    """The two halves of the file: the JSON document and the binary data that it points into."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {"bufferViews": [], "accessors": [], "materials": []}
        self.blob = bytearray()

    def file(self) -> bytes:
        text = json.dumps(self.document, separators=(",", ":")).encode()
        chunks = b""
        for kind, data, filler in ((b"JSON", text, b" "), (b"BIN\0", bytes(self.blob), b"\0")):
            padded = data + filler * (-len(data) % 4)
            chunks += struct.pack("<I4s", len(padded), kind) + padded
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def primitive(self, part: Part) -> dict[str, Any]:
        attributes = {"POSITION": part.points, "NORMAL": part.normals, "TEXCOORD_0": part.texels}
        return {
            "attributes": {name: self._vectors(values) for name, values in attributes.items()},
            "indices": self._indices(part.triangles),
            "material": self._material(part.material),
            "targets": [{"POSITION": self._sparse_vectors(offsets)} for offsets in part.shapes.values()],
        }

    def _append(self, collection: str, entry: dict[str, Any]) -> int:
        entries = self.document.setdefault(collection, [])
        entries.append(entry)
        return len(entries) - 1

    def _view(self, data: bytes) -> int:
        self.blob += b"\0" * (-len(self.blob) % 4)
        view = {"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data)}
        self.blob += data
        return self._append("bufferViews", view)

    def _accessor(self, data: NDArray[np.float32], source: dict[str, Any]) -> int:
        bounds = {"min": data.min(0).tolist(), "max": data.max(0).tolist()}
        shape = {"componentType": FLOAT, "count": len(data), "type": f"VEC{data.shape[1]}"}
        return self._append("accessors", source | shape | bounds)

    def _vectors(self, values: Vectors) -> int:
        data = np.ascontiguousarray(values, "<f4")
        return self._accessor(data, {"bufferView": self._view(data.tobytes())})

    def _sparse_vectors(self, values: Vectors) -> int:
        data = np.ascontiguousarray(values, "<f4")
        moved = np.flatnonzero(data.any(1)).astype("<u2")
        if not len(moved):
            return self._accessor(data, {})
        indices = {"bufferView": self._view(moved.tobytes()), "componentType": UINT16}
        offsets = {"bufferView": self._view(data[moved].tobytes())}
        return self._accessor(data, {"sparse": {"count": len(moved), "indices": indices, "values": offsets}})

    def _indices(self, triangles: NDArray[np.integer[Any]]) -> int:
        data = np.ascontiguousarray(triangles, "<u2")
        view = self._view(data.tobytes())
        shape = {"componentType": UINT16, "count": data.size, "type": "SCALAR"}
        return self._append("accessors", {"bufferView": view} | shape)

    def _material(self, material: Material) -> int:
        view = self._view(material.texture)
        image = self._append("images", {"name": material.name, "mimeType": "image/jpeg", "bufferView": view})
        texture = {"index": self._append("textures", {"source": image})}
        surface = {"baseColorTexture": texture, "metallicFactor": 0.0, "roughnessFactor": material.roughness}
        return self._append("materials", {"name": material.name, "pbrMetallicRoughness": surface})
