"""Small pictures of meshes and point clouds, drawn by numpy: no window system, graphics card or Blender is needed.

Seen from far away (orthographic), y up, lit from beside the eye, with a buffer of depths, on nothing.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

_FINER = 2
"""Pictures are drawn so much larger and then made smaller, which smooths their edges."""
_LIGHT = np.array([0.35, 0.45, 0.82]) / np.linalg.norm([0.35, 0.45, 0.82])
_AMBIENT = 0.38
_POINT_SHARE, _LARGEST_POINT = 0.5, 12
"""Width of a point of a cloud as a share of its distance from the next, and at most in fine pixels."""


@dataclass(frozen=True)
class Mesh:
    """What is drawn.

    Attributes:
        points: (N, 3), any unit.
        triangles: (T, 3) indices; without any, the points are drawn.
        colours: (N, 3), 0 to 1.
        texels: (N, 2) in `texture`, origin at the upper left, or ``None``.
        texture: (height, width, 3), 0 to 1, multiplies the colours.
    """

    points: np.ndarray
    triangles: np.ndarray
    colours: np.ndarray
    texels: np.ndarray | None = None
    texture: np.ndarray | None = None


@dataclass(frozen=True)
class Camera:
    """Where from.

    Attributes:
        centre: (3,), the middle of the picture.
        radius: half its height, in the unit of the points.
        yaw: radians by which what is drawn is turned about the vertical axis.
        size: pixels, width and height.
    """

    centre: np.ndarray
    radius: float
    yaw: float
    size: int


@dataclass(frozen=True)
class _Fragments:
    """Places of a picture that a mesh covers.

    Attributes:
        pixel: (F,) number of the pixel, row by row.
        depth: (F,) larger is nearer.
        corners: (F, 3) vertices that the place lies between.
        weights: (F, 3) how near to each of them.
    """

    pixel: np.ndarray
    depth: np.ndarray
    corners: np.ndarray
    weights: np.ndarray


def render(meshes: list[Mesh], camera: Camera) -> bytes:
    """A PNG, transparent where nothing is."""
    fine = camera.size * _FINER
    turned = [_turned(mesh.points, camera) for mesh in meshes]
    parts = [_fragments(mesh, points, fine) for mesh, points in zip(meshes, turned, strict=True)]
    picture = np.zeros((fine * fine, 4), np.float32)
    owner = np.concatenate([np.full(len(part.pixel), number) for number, part in enumerate(parts)])
    place = np.concatenate([np.arange(len(part.pixel)) for part in parts])
    nearest = _nearest(np.concatenate([p.pixel for p in parts]), np.concatenate([p.depth for p in parts]))
    for number, (mesh, points, part) in enumerate(zip(meshes, turned, parts, strict=True)):
        seen = place[nearest[owner[nearest] == number]]
        picture[part.pixel[seen], :3] = _colours(mesh, points, part.corners[seen], part.weights[seen])
        picture[part.pixel[seen], 3] = 1
    blocks = picture.reshape(camera.size, _FINER, camera.size, _FINER, 4)
    cover = blocks[..., 3].mean((1, 3))
    mean = blocks[..., :3].sum((1, 3)) / np.maximum(blocks[..., 3].sum((1, 3)), 1)[..., None]
    pixels = np.concatenate([mean, cover[..., None]], -1).clip(0, 1)
    content = io.BytesIO()
    Image.fromarray(np.round(255 * pixels).astype(np.uint8), "RGBA").save(content, "PNG")
    return content.getvalue()


def read_texture(content: bytes) -> np.ndarray:
    """(height, width, 3), 0 to 1, of a JPEG or PNG."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


def _turned(points: np.ndarray, camera: Camera) -> np.ndarray:
    """(N, 3) float32 from -1 to 1 within the picture, x to the right, y up, z towards the eye."""
    cosine, sine = np.cos(camera.yaw), np.sin(camera.yaw)
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    turned: np.ndarray = ((points - camera.centre) @ turn.T / camera.radius).astype(np.float32)
    return turned


def _nearest(pixel: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Which fragment is nearest, for each pixel that has one."""
    order = np.lexsort((-depth, pixel))
    ordered = pixel[order]
    first = np.ones(len(order), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return order[first]


def _fragments(mesh: Mesh, points: np.ndarray, fine: int) -> _Fragments:
    places = (points[:, :2] * np.array([1, -1], np.float32) + 1) * (fine / 2)
    if len(mesh.triangles):
        return _of_triangles(mesh.triangles, points, places, fine)
    return _of_points(points, places, fine)


def _of_triangles(triangles: np.ndarray, points: np.ndarray, places: np.ndarray, fine: int) -> _Fragments:
    """All triangles at once: every pixel of each one's bounding box, of which those inside are kept."""
    corners = places[triangles]
    low, high = np.floor(corners.min(1)).astype(np.int64), np.ceil(corners.max(1)).astype(np.int64)
    seen = (high >= 0).all(1) & (low < fine).all(1) & (np.abs(_twice_the_area(corners)) > 1e-6)
    triangles, corners = triangles[seen], corners[seen]
    low = np.clip(low[seen], 0, fine - 1)
    extent = np.clip(high[seen], 0, fine - 1) - low + 1
    counts = extent.prod(1)
    triangle = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(triangle)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(number, extent[triangle, 0])
    column += low[triangle, 0]
    row += low[triangle, 1]
    # Within a triangle each corner's weight is a plane over the picture.
    slope_x, slope_y, offset = _weight_planes(corners)
    x, y = (column + np.float32(0.5))[:, None], (row + np.float32(0.5))[:, None]
    weights = slope_x[triangle] * x + slope_y[triangle] * y + offset[triangle]
    inside = (weights >= -1e-5).all(1)
    triangle, weights = triangle[inside], weights[inside]
    vertices = triangles[triangle]
    depth = (weights * points[:, 2][vertices]).sum(1)
    return _Fragments(row[inside] * fine + column[inside], depth, vertices, weights)


def _of_points(points: np.ndarray, places: np.ndarray, fine: int) -> _Fragments:
    """Each point as a square; fewer points are drawn larger."""
    width = int(np.clip(_POINT_SHARE * fine / np.sqrt(len(points)), 2, _LARGEST_POINT))
    offsets = np.stack(np.meshgrid(np.arange(width), np.arange(width)), -1).reshape(-1, 2) - width // 2
    pixels = (np.floor(places).astype(np.int64)[:, None] + offsets).reshape(-1, 2)
    owner = np.repeat(np.arange(len(points)), len(offsets))
    seen = ((pixels >= 0) & (pixels < fine)).all(1)
    pixels, owner = pixels[seen], owner[seen]
    weights = np.tile(np.array([1, 0, 0], np.float32), (len(owner), 1))
    return _Fragments(pixels[:, 1] * fine + pixels[:, 0], points[owner, 2], np.stack([owner] * 3, 1), weights)


def _weight_planes(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Barycentric weights of (T, 3, 2) corners as slope along x, slope along y, and offset, each (T, 3)."""
    following, last = np.roll(corners, -1, 1).astype(np.float64), np.roll(corners, -2, 1).astype(np.float64)
    area = _twice_the_area(corners)[:, None].astype(np.float64)
    slope_x = (following[..., 1] - last[..., 1]) / area
    slope_y = (last[..., 0] - following[..., 0]) / area
    offset = (following[..., 0] * last[..., 1] - last[..., 0] * following[..., 1]) / area
    return slope_x.astype(np.float32), slope_y.astype(np.float32), offset.astype(np.float32)


def _twice_the_area(corners: np.ndarray) -> np.ndarray:
    """Of (T, 3, 2) corners, with a sign."""
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area: np.ndarray = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    return area


def _colours(mesh: Mesh, points: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(F, 3) of what is seen: colour and texture, in the light."""

    def between(values: np.ndarray) -> np.ndarray:
        mixed: np.ndarray = (weights[..., None] * values[corners]).sum(1)
        return mixed

    colours = between(mesh.colours)
    if mesh.texels is not None and mesh.texture is not None:
        colours *= _texture_at(mesh.texture, between(mesh.texels))
    if len(mesh.triangles):
        colours *= _brightness(between(_normals(points, mesh.triangles)))[:, None]
    return colours


def _normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(N, 3), of the vertices, larger triangles counting more; not of unit length."""
    corners = points[triangles]
    of_triangles = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    owner = triangles.reshape(-1)
    return np.stack(
        [np.bincount(owner, np.repeat(of_triangles[:, axis], 3), minlength=len(points)) for axis in range(3)], 1
    )


def _brightness(normals: np.ndarray) -> np.ndarray:
    """(F,); a surface that is seen from behind counts as seen from the front, whichever way it is wound."""
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    facing = normals * np.where(normals[:, 2:] < 0, -1, 1)
    bright: np.ndarray = _AMBIENT + (1 - _AMBIENT) * np.clip(facing @ _LIGHT, 0, 1)
    return bright


def _texture_at(texture: np.ndarray, texels: np.ndarray) -> np.ndarray:
    height, width = texture.shape[:2]
    columns = (texels[:, 0] % 1 * width).astype(np.int64).clip(0, width - 1)
    rows = (texels[:, 1] % 1 * height).astype(np.int64).clip(0, height - 1)
    picked: np.ndarray = texture[rows, columns]
    return picked
