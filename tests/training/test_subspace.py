"""Losses of vertices from PCA coordinates: the same numbers and gradients, without writing vertices out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.model.pca import PcaLayer
from backend.model.unitalker import HeadOutput
from training.batch_loss import BatchLoss
from training.batches import Loader
from training.config import Recipe
from training.geometry import FlatVertices
from training.losses import PcaMSE, SumOf, VertexMSE, WeightedMSE
from training.pca import fit_pca
from training.runs import Places, begin
from training.store import Progress
from training.subspace import Subspace, SubspaceMSE, in_subspace

CPU = torch.device("cpu")
DIM, COMPONENTS, FRAMES = 60, 7, 50


def silent(_name: str) -> Progress:
    return lambda _done, _what: None


@pytest.fixture(scope="module")
def layer() -> PcaLayer:
    """A PCA of points that do not lie in its subspace, with a mean that is not zero."""
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(400, DIM)) * np.linspace(1, 0.05, DIM) + 0.3
    basis = fit_pca(frames.astype(np.float32), COMPONENTS, 100)
    layer = PcaLayer(COMPONENTS, DIM, COMPONENTS)
    layer.feat_to_data.copy_(torch.from_numpy(basis.components))
    layer.data_bias.copy_(torch.from_numpy(basis.mean))
    return layer


def losses(layer: PcaLayer) -> list[SumOf]:
    """In the paper's form and in the scaled one."""
    coefficients = PcaMSE(layer.feat_to_data, 0.01)
    return [
        SumOf({"vertices": VertexMSE(FlatVertices(), weight=2.0), "coefficients": coefficients}),
        SumOf({"vertices": WeightedMSE(torch.full((DIM,), 30.0)), "coefficients": coefficients}),
        SumOf({"vertices": WeightedMSE(torch.full((DIM,), 30.0))}),
    ]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_loss_and_gradient_are_those_of_the_vertices(number: int, layer: PcaLayer) -> None:
    whole, subspace = losses(layer)[number], Subspace.of(layer)
    shorter = in_subspace(whole, subspace)
    assert shorter is not None
    torch.manual_seed(0)
    target = torch.randn(3, FRAMES, DIM) + 0.3
    coordinates = torch.from_numpy(np.stack([subspace.coordinates(one.numpy()) for one in target]))
    mask = torch.arange(FRAMES)[None] < torch.tensor([50, 31, 1])[:, None]
    found = torch.randn(3, FRAMES, COMPONENTS).requires_grad_()
    expected = found.detach().clone().requires_grad_()
    loss = shorter(HeadOutput(found, found), coordinates, mask)
    same = whole(HeadOutput(layer.decode(expected), expected), target, mask)
    assert float(loss.detach()) == pytest.approx(float(same.detach()), rel=1e-5)
    torch.autograd.backward([loss, same])
    torch.testing.assert_close(found.grad, expected.grad, rtol=1e-4, atol=1e-6)


def test_a_loss_that_weighs_vertices_unequally_stays_as_it_is(layer: PcaLayer) -> None:
    subspace = Subspace.of(layer)
    weights = torch.ones(DIM)
    weights[3] = 2
    assert in_subspace(SumOf({"vertices": WeightedMSE(weights)}), subspace) is None
    assert in_subspace(SumOf({"vertices": VertexMSE(FlatVertices(), [0, 1])}), subspace) is None
    assert in_subspace(losses(layer)[0], Subspace(2 * subspace.components, subspace.mean)) is None


def test_training_reads_coordinates_that_are_computed_once(
    tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    places = Places(tiny_data, tmp_path / "cache")
    told: list[str] = []

    def progress(name: str) -> Progress:
        return lambda _done, _what: told.append(name)

    material = begin(tiny_recipe, tmp_path / "one", places, CPU, progress)
    assert isinstance(material.losses["tiny_vertices"], SubspaceMSE)
    assert "project tiny_vertices" in told
    entry = material.training.of_head("tiny_vertices")[0]
    loader = Loader(material.training, material.spec.identities, 0.0, None, from_audio=False)
    batch = loader.load([entry], np.random.default_rng(0)).to(CPU)
    assert batch.target.shape == (1, entry.frames, 4 + 1)

    torch.nn.init.normal_(material.model.out_head_dict["tiny_vertices"].weight, std=0.01)
    model = material.model.eval()
    states = model.body(batch.speech, batch.frames, batch.identity, batch.lengths)
    target = torch.from_numpy(material.training.target(entry).astype(np.float32))
    error = model.read(states, "tiny_vertices").values[0] - target
    vertices = float(error.square().mean().detach()) * material.losses["tiny_vertices"].vertex_weight
    loss = float(BatchLoss(model, material.losses)(batch).detach())
    # The coefficients' term is a hundredth of the vertices' in weight.
    assert vertices < loss < 1.2 * vertices

    told.clear()
    begin(tiny_recipe, tmp_path / "two", places, CPU, progress)
    assert told == []
