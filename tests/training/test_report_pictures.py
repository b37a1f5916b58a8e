"""Pictures of the report: what is drawn is what was measured."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.annotation import Annotation
from training.config import Recipe
from training.datasets.corpus import Corpus
from training.report.face_mesh import FaceMesh, face_mesh, lip_curves
from training.report.head_pictures import heat_map, weight_sheet
from training.report.held_out import Passage
from training.report.rasteriser import Camera, Mesh, render


def pixels(png: bytes | str) -> np.ndarray:
    content = png if isinstance(png, bytes) else base64.b64decode(png.partition(",")[2])
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def square(depth: float, size: float, colour: tuple[float, float, float]) -> Mesh:
    points = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * size + [0, 0, depth]
    return Mesh(points, np.array([[0, 1, 2], [0, 3, 2]]), np.tile(colour, (4, 1)))


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_nearer_covers_what_is_farther(order: int) -> None:
    near, far = square(1, 0.4, (1, 0, 0)), square(-1, 0.8, (0, 1, 0))
    picture = pixels(render([near, far][::order], Camera(np.zeros(3), 1.0, 0.0, 40)))
    assert picture[20, 20, 0] > 100 > picture[20, 20, 1]
    assert picture[20, 6, 1] > 100 > picture[20, 6, 0]
    assert picture[0, 0, 3] == 0
    assert picture[..., 3].mean() / 255 == pytest.approx(0.64, abs=0.01)


def test_up_is_up_and_points_are_seen_too() -> None:
    points = np.array([[0, 0.5, 0], [0.5, -0.5, 0]])
    cloud = Mesh(points, np.zeros((0, 3), int), np.array([[1.0, 0, 0], [0, 0, 1.0]]))
    picture = pixels(render([cloud], Camera(np.zeros(3), 1.0, 0.0, 40)))
    assert picture[10, 20, 0] == 255
    assert picture[30, 30, 2] == 255


def test_an_error_is_bright_where_it_is(shared: Path) -> None:
    """The mouth's left corner of a real face mesh."""
    rest, faces = (np.load(shared / "bench" / "G0_grid_mesh" / name) for name in ("id_template.npy", "faces.npy"))
    points = rest.reshape(-1, 3)
    corner = points[291]
    error = 5.0 * (np.linalg.norm(points - corner, axis=1) < 0.012)
    drawn = heat_map(FaceMesh(points, faces[:, :3].astype(int), None), error)
    assert [name for name, _ in drawn.views] == ["front", "side"]
    picture = pixels(drawn.views[0][1])
    yellow = np.argwhere((picture[..., 3] == 255) & (picture[..., 0] > 1.5 * picture[..., 2]))
    row, column = yellow.mean(0)
    assert row > 180
    assert (column > 150) == (corner[0] > points[:, 0].mean())


def test_the_sample_head_opens_its_mouth_as_the_weights_say() -> None:
    names = ("jawOpen", "browInnerUp")
    annotation = Annotation(type_name="two", kind="blendshapes", dim=2, fps=25, unit="weight", names=names)
    truth = np.zeros((10, 2), np.float32)
    prediction = truth.copy()
    prediction[-1, 0] = 1.0
    moments, remark = weight_sheet(annotation, Passage("a clip", 2.0, 0.1, 25, truth, prediction))
    assert remark == "2 of 2 channels move this head"
    assert moments[0].seconds == 2.0
    assert moments[0].truth == moments[0].prediction
    changed = np.argwhere(np.abs(pixels(moments[-1].truth) - pixels(moments[-1].prediction)).max(2) > 30)
    assert len(changed) > 200
    # In the lower half of a picture of 160 rows.
    assert changed[:, 0].mean() > 80


def test_lips_of_a_real_mesh_grow_higher_when_the_jaw_falls(shared: Path, tiny_recipe: Recipe) -> None:
    data = tiny_recipe.data[0].model_copy(update={"name": "G0", "folder": "G0_grid_mesh"})
    heads = {"mediapipe_468_vertices": tiny_recipe.heads["tiny_vertices"]}
    corpus = Corpus(tiny_recipe.model_copy(update={"data": (data,), "heads": heads}), shared / "bench")
    mesh = face_mesh(corpus, corpus.annotation_of("G0"))
    assert mesh.triangles.shape[1] == 3
    assert len(mesh.triangles) == 852
    motion = next(iter(corpus.clips("G0", "val"))).motion
    still = Passage("a clip", 0.0, 0.0, 25, motion, np.zeros_like(motion))
    measured, predicted = lip_curves(mesh, still)["height of the lips beyond rest"]
    assert np.ptp(measured) > 5
    np.testing.assert_allclose(predicted, 0, atol=1e-6)
