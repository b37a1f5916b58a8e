"""Paints the textures of the head: skin with lips, brows, lashes and cropped hair; eyes.

Every texel of the skin knows the point of the head that it lies on, so colours are functions of the place on the face.
Colours are sRGB from 0 to 1, places in MakeHuman's decimetres.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Floats = NDArray[np.float64]

SKIN = (0.87, 0.69, 0.59)
BLUSH = (0.82, 0.50, 0.44)
LIPS = (0.73, 0.46, 0.43)
MOUTH = (0.33, 0.09, 0.09)
HAIR = (0.145, 0.105, 0.085)
STUBBLE = (0.55, 0.47, 0.43)
LASH = (0.16, 0.10, 0.08)
WHITE = (0.93, 0.915, 0.90)
IRIS = (0.36, 0.25, 0.15)
LIMBUS = (0.13, 0.09, 0.06)

# From the nape over the ears and temples to the forehead: z of the head, height over the eyes.
HAIRLINE = (
    (-0.3, 0.15, 0.35, 0.72, 0.82, 1.0, 1.2, 1.45),
    (-0.75, -0.55, -0.20, -0.20, 0.10, 0.36, 0.56, 0.64),
)

EYE_SIZE = 256
DEPTH_SIZE = 64
# Half angles in degrees, seen from the middle of the eyeball.
PUPIL_ANGLE, IRIS_ANGLE = 12.0, 29.0
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Landmarks:
    """What the painter has to know of the face.

    Attributes:
        eye: middle of the left eyeball (+x).
        mouth: middle of the lips.
        upper_lashes, lower_lashes: (N, 3) points of both sides.
    """

    eye: Floats
    mouth: Floats
    upper_lashes: Floats
    lower_lashes: Floats


class SkinPainter:
    """Layers of colour on the skin.

    Args:
        places: (H, W, 3) point of the head under each texel; anything where there is no skin.
        covered: (H, W) bool, texels with skin.
        masks: regions (H, W) from 0 to 1: lips, ears, inside-mouth.
        landmarks: of the face.
    """

    def __init__(self, places: Floats, covered: NDArray[np.bool_], masks: dict[str, Floats], landmarks: Landmarks):
        self.places, self.covered, self.masks, self.landmarks = places, covered, masks, landmarks
        self.rng = np.random.default_rng(1)
        self.colours = np.ones_like(places) * SKIN

    def paint(self) -> bytes:
        """The finished texture as a JPEG."""
        self._complexion()
        self._lay(STUBBLE, self._stubble())
        self._lay(LIPS, 0.85 * self.masks["lips"])
        self._lay(LASH, 0.75 * self._near(self.landmarks.upper_lashes, 0.016))
        self._lay(LASH, 0.3 * self._near(self.landmarks.lower_lashes, 0.010))
        self._lay(HAIR, self._brows())
        self._lay(HAIR, self._scalp())
        self._inside_of_mouth()
        return _jpeg(_bleed(self.colours, self.covered))

    def _lay(self, colour: tuple[float, float, float], opacity: Floats) -> None:
        opacity = opacity[..., None]
        self.colours = self.colours * (1 - opacity) + np.array(colour) * opacity

    def _complexion(self) -> None:
        """Warmer cheeks, nose and ears, faintly uneven everywhere on the face."""
        eye, mouth = self.landmarks.eye, self.landmarks.mouth
        x, y = np.abs(self.places[..., 0]), self.places[..., 1]
        cheeks = _bump((x - 1.35 * eye[0]) / 0.24, (y - mouth[1] - 0.33) / 0.18)
        nose = _bump(x / 0.16, (y - mouth[1] - 0.33) / 0.13)
        on_face = _step(self.places[..., 2], 0.9, 1.1)
        self._lay(BLUSH, on_face * (0.25 * cheeks + 0.22 * nose))
        self._lay(BLUSH, 0.22 * self.masks["ears"])
        self._lay(BLUSH, on_face * 0.10 * _step(self._noise(12.0), 0.0, 2.0))

    def _stubble(self) -> Floats:
        """The shadow of a shaved beard: jaw, chin and upper lip."""
        mouth = self.landmarks.mouth
        x, y, z = np.moveaxis(self.places, -1, 0)
        upper_edge = mouth[1] + 0.16 + 0.45 * np.clip(np.abs(x) - 0.25, 0, None)
        below_nose = 1 - _step(y, upper_edge - 0.10, upper_edge + 0.04)
        above_neck = _step(y, mouth[1] - 0.75, mouth[1] - 0.40)
        return 0.30 * below_nose * above_neck * _step(z, 0.25, 0.6) * (0.85 + 0.15 * self._noise(0.8))

    def _brows(self) -> Floats:
        """Two arches of hairs, thick at the nose, fading outwards."""
        eye = self.landmarks.eye
        along = (np.abs(self.places[..., 0]) - eye[0] + 0.17) / 0.42
        arch = eye[1] + 0.175 + 0.075 * np.sin(np.pi * np.clip(0.08 + 0.80 * along, 0, 1))
        half = 0.040 * np.clip(1 - 0.85 * along**2, 0.05, 1)
        across = (self.places[..., 1] - arch) / half
        ends = _step(along, -0.04, 0.14) * (1 - _step(along, 0.8, 1.05))
        hairs = 0.87 + 0.13 * np.clip(self._noise(0.8), -1, 1)
        opacity: Floats = 0.85 * np.clip(1.25 - np.abs(across) ** 1.5, 0, 1) * ends * hairs
        return np.where(self.places[..., 2] > 0.9, opacity, 0.0)

    def _scalp(self) -> Floats:
        """Cropped hair above a line from the forehead past the temples and around the ears to the nape."""
        eye = self.landmarks.eye
        _, y, z = np.moveaxis(self.places, -1, 0)
        line = eye[1] + np.interp(z, *HAIRLINE)
        inside = _step(y - line + 0.012 * self._noise(2.0), -0.035, 0.06)
        return inside * (0.93 + 0.05 * np.clip(self._noise(0.7), -1, 1)) * (1 - self.masks["ears"])

    def _inside_of_mouth(self) -> None:
        """Red behind the lips, dark towards the throat."""
        depth = _step(-self.places[..., 2], -1.25, -0.7)[..., None]
        colour = np.array(MOUTH) * (1 - 0.8 * depth)
        opacity = self.masks["inside-mouth"][..., None]
        self.colours = self.colours * (1 - opacity) + colour * opacity

    def _near(self, points: Floats, reach: float) -> Floats:
        """1 on the points, falling to 0 within a few times `reach`."""
        candidates = np.flatnonzero(self.covered & (self.places[..., 2] > 1.0))
        flat = self.places.reshape(-1, 3)
        nearness = np.zeros(len(flat))
        for chunk in np.array_split(candidates, max(1, len(candidates) // 4096)):
            distance = np.linalg.norm(flat[chunk][:, None] - points[None], axis=2).min(1)
            nearness[chunk] = np.exp(-((distance / reach) ** 2))
        return nearness.reshape(self.covered.shape)

    def _noise(self, size: float) -> Floats:
        """Smooth noise of unit variance; `size` in texels."""
        white = Image.fromarray(self.rng.integers(0, 256, self.covered.shape, dtype=np.uint8))
        smooth: Floats = np.asarray(white.filter(ImageFilter.GaussianBlur(size)), float)
        return np.asarray((smooth - smooth.mean()) / smooth.std())


def paint_eye() -> bytes:
    """An eyeball as a JPEG: distance from the middle of the picture is the angle to the axis, 180° at the edge."""
    axis = (np.arange(EYE_SIZE) + 0.5) / EYE_SIZE * 2 - 1
    x, y = np.meshgrid(axis, axis)
    angle = 180 * np.hypot(x, y)
    around = np.arctan2(y, x)
    fibres = 1 + 0.16 * np.sin(around * 23 + 2 * np.sin(around * 7)) + 0.10 * np.sin(around * 41)
    ring = _step(angle, PUPIL_ANGLE, IRIS_ANGLE)[..., None]
    iris = np.array(IRIS) * fibres[..., None] * (1.25 - 0.35 * ring)
    iris = np.where(angle[..., None] > IRIS_ANGLE - 4.5, iris * 0.45 + 0.55 * np.array(LIMBUS), iris)
    pupil = 1 - _step(angle, PUPIL_ANGLE - 1, PUPIL_ANGLE + 1)[..., None]
    white = np.array(WHITE) - np.array([0.02, 0.10, 0.10]) * _step(angle, 45, 90)[..., None]
    outside = _step(angle, IRIS_ANGLE - 1.5, IRIS_ANGLE + 1.5)[..., None]
    return _jpeg((iris * (1 - pupil) + 0.015 * pupil) * (1 - outside) + white * outside)


def paint_depth(colour: tuple[float, float, float]) -> bytes:
    """Teeth and tongue, as a JPEG: `colour` at the top (at the lips), nearly dark at the bottom (at the throat)."""
    depth = np.linspace(0, 1, DEPTH_SIZE) ** 1.5
    return _jpeg(np.tile((np.array(colour) * (1 - 0.9 * depth[:, None]))[:, None], (1, 8, 1)))


def eye_texels(points: Floats, middle: Floats) -> Floats:
    """(N, 2) texture coordinates on the picture of `paint_eye`, for points of an eyeball that looks along +z."""
    directions = points - middle
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    angle = np.arccos(np.clip(directions[:, 2], -1, 1)) / np.pi
    across = directions[:, :2] / np.maximum(np.linalg.norm(directions[:, :2], axis=1, keepdims=True), 1e-9)
    return np.asarray(0.5 + 0.5 * angle[:, None] * across * [1, -1])


def _bump(*distances: Floats) -> Floats:
    return np.asarray(np.exp(-np.sum(np.square(distances), axis=0)))


def _step(values: Floats, low: float | Floats, high: float | Floats) -> Floats:
    """0 below `low`, 1 above `high`, smooth in between."""
    ramp = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))


def _bleed(colours: Floats, covered: NDArray[np.bool_], reach: int = 6) -> Floats:
    """Spread colour over the border of what is covered, so that filtering does not draw the seams."""
    colours, known = colours.copy(), covered.copy()
    for _ in range(reach):
        total, count = np.zeros_like(colours), np.zeros(known.shape)
        for shift in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            neighbour = np.roll(known, shift, (0, 1))
            total += np.roll(colours, shift, (0, 1)) * neighbour[..., None]
            count += neighbour
        fresh = ~known & (count > 0)
        colours[fresh] = total[fresh] / count[fresh][:, None]
        known |= fresh
    colours[~known] = SKIN
    return colours


def _jpeg(colours: Floats) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray((255 * np.clip(colours, 0, 1) + 0.5).astype(np.uint8))
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()
