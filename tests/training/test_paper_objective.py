"""The paper's loss from a recipe: bases, regions and PCA read from files, and what is wrong with these."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.errors import UniTalkerError
from backend.model.unitalker import HeadOutput
from training.batch_loss import BatchLoss
from training.batches import Loader
from training.config import Recipe, parse_recipe
from training.flame import FlameGeometry
from training.places import Places
from training.runs import begin
from training.trainer import Material, Trainer

from .conftest import write_data_set
from .watchers import Recorder, silent

CPU = torch.device("cpu")


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    """The tiny data with a basis for its weights and a region of its mesh."""
    shutil.copytree(tiny_data, tmp_path / "data")
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "data/basis.npz", meanshape=rng.normal(0, 0.1, (5, 3)), blendshape=rng.normal(0, 0.01, (7, 5, 3))
    )
    np.save(tmp_path / "data/region.npy", np.array([0, 3]))
    return tmp_path / "data"


@pytest.fixture
def content(tiny_recipe: Recipe) -> dict[str, Any]:
    content = tiny_recipe.model_dump(mode="json")
    content["loss"] = {"form": "paper"}
    content["heads"]["tiny_weight"]["basis"] = "basis.npz"
    content["heads"]["tiny_vertices"]["region"] = "region.npy"
    content["joint"]["epochs"] = 0
    return content


def prepared(content: dict[str, Any], data: Path) -> Material:
    return begin(parse_recipe(content, "recipe"), data / "run", Places(data, data / "cache"), CPU, silent)


def test_its_terms_are_those_of_equations_2_and_3(content: dict[str, Any], data: Path) -> None:
    losses = prepared(content, data).losses
    rng = np.random.default_rng(1)
    predicted, target = (torch.from_numpy(rng.random((1, 4, 7), np.float32)) for _ in range(2))
    error = (predicted - target).double()
    basis = torch.from_numpy(np.load(data / "basis.npz")["blendshape"])
    terms = losses["tiny_weight"].terms(HeadOutput(predicted, None), target)
    assert float(terms["weights"]) == pytest.approx(1e-4 * float(error.square().mean()), rel=1e-4)
    vertices = torch.einsum("btk,kvc->btvc", error, basis)
    assert float(terms["vertices"]) == pytest.approx(float(vertices.square().mean()), rel=1e-4)
    mesh = losses["tiny_vertices"]
    moved = torch.zeros(1, 4, 36)
    moved[..., 3:9] = 1  # Vertices 1 and 2, which are outside of the region.
    nothing = HeadOutput(torch.zeros(1, 4, 36), torch.zeros(1, 4, 4))
    assert float(mesh.terms(nothing, moved)["vertices"]) == 0
    assert float(mesh.terms(nothing, moved)["coefficients"]) > 0


def test_both_heads_learn_by_it(content: dict[str, Any], data: Path) -> None:
    material, recorder = prepared(content, data), Recorder()
    Trainer(material, data / "run", CPU, recorder).fit()
    for head in ("tiny_weight", "tiny_vertices"):
        assert recorder.epochs[-1].training[head] < 0.9 * recorder.epochs[0].training[head]


def test_weights_without_a_basis_are_compared_as_they_are(content: dict[str, Any], data: Path) -> None:
    content["heads"]["tiny_weight"]["basis"] = None
    assert list(prepared(content, data).losses["tiny_weight"].losses) == ["weights"]


@pytest.mark.parametrize(
    ("head", "field", "value", "told"),
    [
        ("tiny_weight", "basis", "gone.npz", r"gone\.npz does not exist"),
        ("tiny_weight", "basis", "small.npz", r"small\.npz holds 3 blendshapes; heads\.tiny_weight has 7"),
        ("tiny_vertices", "region", "far.npy", r"far\.npy names vertices from 2 to 12; heads\.tiny_vertices has 12"),
        ("tiny_vertices", "region", "basis.npz", r"basis\.npz"),
    ],
)
def test_files_of_another_topology_are_refused_before_anything_is_encoded(
    head: str, field: str, value: str, told: str, content: dict[str, Any], data: Path
) -> None:
    np.savez(data / "small.npz", meanshape=np.zeros((5, 3)), blendshape=np.zeros((3, 5, 3)))
    np.save(data / "far.npy", np.array([2, 12]))
    content["heads"][head][field] = value
    with pytest.raises(UniTalkerError, match=told):
        prepared(content, data)
    assert not (data / "cache").exists()


@pytest.fixture
def flame_data(tmp_path: Path) -> Path:
    """FLAME parameters of two people of different shape, and a model of FLAME's form."""
    rng = np.random.default_rng(0)
    motions = {f"f{n}": (n % 2, np.zeros((50, 413), np.float32)) for n in range(4)}
    shapes = rng.normal(0, 1, (2, 413)).astype(np.float32)
    for person, motion in motions.values():
        motion[:] = shapes[person]
        motion[:, 400] += 0.3 * np.abs(np.sin(np.arange(50) / 3))
    annotation = {"annot_type": "flame", "fps": 25, "kind": "flame", "dim": 413}
    write_data_set(tmp_path / "data/flame", annotation, motions)
    np.save(tmp_path / "data/flame/id_template.npy", shapes)
    regressor, weights = rng.random((5, 8)), rng.random((8, 5))
    np.savez(
        tmp_path / "data/flame.npz",
        v_template=rng.normal(0, 0.1, (8, 3)),
        shapedirs=rng.normal(0, 0.01, (8, 3, 400)),
        posedirs=rng.normal(0, 0.01, (8, 3, 36)),
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        kintree_table=np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        weights=weights / weights.sum(1, keepdims=True),
    )
    return tmp_path / "data"


def test_flame_is_compared_as_vertices_of_the_speakers_own_face(content: dict[str, Any], flame_data: Path) -> None:
    content["data"] = [{"name": "F", "folder": "flame"}]
    content["heads"] = {"flame": {"title": "FLAME", "basis": "flame.npz"}}
    content["joining"] = None
    material = prepared(content, flame_data)
    loader = Loader(material.training, material.spec.identities, 0.5, None, from_audio=False)
    batch = loader.load(material.training.entries[:2], np.random.default_rng(0)).to(CPU)
    flame = FlameGeometry.load(flame_data / "flame.npz")
    shapes = torch.from_numpy(np.load(flame_data / "flame/id_template.npy"))
    measured = [flame(torch.from_numpy(np.load(flame_data / f"flame/clips/f{n}.npy"))) for n in range(2)]
    # An untrained head says the speaker's resting face.
    errors = [motion - flame(shapes[person]) for person, motion in enumerate(measured)]
    expected = float(torch.stack(errors).square().mean())
    loss = BatchLoss(material.model.eval(), material.losses)
    assert float(loss(batch).detach()) == pytest.approx(expected, rel=1e-3)


def test_flame_without_the_flame_model_is_refused_before_anything_is_encoded(
    content: dict[str, Any], flame_data: Path
) -> None:
    content["data"] = [{"name": "F", "folder": "flame"}]
    content["heads"] = {"flame": {"title": "FLAME"}}
    with pytest.raises(UniTalkerError, match=r"needs the FLAME model.*heads\.flame\.basis"):
        prepared(content, flame_data)
    assert not (flame_data / "cache").exists()
