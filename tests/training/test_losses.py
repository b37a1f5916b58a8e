"""Losses: the mask means what it says, each term is what the paper writes, and half precision does not spoil them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.geometry import BlendshapeBasis, FlatVertices
from training.losses import (
    ApertureLoss,
    Loss,
    ParameterMSE,
    PcaMSE,
    SumOf,
    VertexMSE,
    WeightedMSE,
    paper_loss,
    variance_weights,
)

BENCH = Path(__file__).parents[3] / "shared" / "bench"
FRAMES, VERTICES, BLENDSHAPES, COMPONENTS = 9, 8, 6, 4


@dataclass(frozen=True)
class Head:
    values: Tensor
    coefficients: Tensor | None = None


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def components() -> Tensor:
    return torch.linalg.qr(random(24, COMPONENTS, seed=5)).Q.T.contiguous()


def pca_head(batch: int, seed: int = 1) -> Head:
    coefficients = random(batch, FRAMES, COMPONENTS, seed=seed)
    return Head(coefficients @ components() + random(batch, 1, 24, seed=seed + 1), coefficients)


def basis() -> BlendshapeBasis:
    return BlendshapeBasis(random(VERTICES, 3, seed=6), random(24, VERTICES, 3, seed=7))


LOSSES: dict[str, Loss] = {
    "parameters": ParameterMSE(2),
    "weighted": WeightedMSE(torch.arange(1, 25)),
    "vertices": VertexMSE(FlatVertices()),
    "lips": VertexMSE(FlatVertices(), region=[1, 3]),
    "basis": VertexMSE(basis(), weight=3),
    "coefficients": PcaMSE(components()),
    "aperture": ApertureLoss(jaw=3, close=5, weight=300),
    "sum": SumOf({"vertices": VertexMSE(FlatVertices()), "coefficients": PcaMSE(components())}),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


@every_loss
def test_a_perfect_prediction_costs_nothing(loss: Loss) -> None:
    head = pca_head(2)
    assert loss(head, head.values) == pytest.approx(0, abs=1e-9)
    assert loss(head, head.values + random(2, FRAMES, 24, seed=9)) > 1e-4


@every_loss
def test_padding_changes_neither_loss_nor_gradient(loss: Loss) -> None:
    """A clip of five frames padded with NaN to nine, beside a full one, costs what the frames cost by themselves."""
    head, target = pca_head(2), random(2, FRAMES, 24, seed=3)
    mask = torch.ones(2, FRAMES, dtype=torch.bool)
    mask[1, 5:] = False
    values = head.values.clone().requires_grad_()
    padded = torch.where(mask[..., None], target, torch.nan)
    masked = loss(Head(values, head.coefficients), padded, mask)
    gradient = torch.autograd.grad(masked, values, allow_unused=True)[0] if masked.requires_grad else None

    first = loss(Head(head.values[:1], head.coefficients[:1]), target[:1])
    second = loss(Head(head.values[1:, :5], head.coefficients[1:, :5]), target[1:, :5])
    assert masked.item() == pytest.approx((9 * first.item() + 5 * second.item()) / 14, rel=1e-5)
    if gradient is not None:
        assert torch.isfinite(gradient).all()
        assert not gradient[1, 5:].any()


@every_loss
def test_a_batch_without_a_valid_frame_costs_nothing(loss: Loss) -> None:
    head = pca_head(2)
    assert loss(head, torch.full_like(head.values, torch.nan), torch.zeros(2, FRAMES, dtype=torch.bool)) == 0


@every_loss
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_cost_grows_with_the_square_of_the_error(loss: Loss, factor: float) -> None:
    head, error = pca_head(1), random(1, FRAMES, 24, seed=4)
    once, more = loss(head, head.values + error), loss(head, head.values + factor * error)
    assert more.item() == pytest.approx(factor**2 * once.item(), rel=1e-3)


def test_channels_that_were_not_measured_do_not_count() -> None:
    """Synthetic speech has labels for the mouth only; its other channels are masked one by one."""
    prediction, target = Head(random(2, FRAMES, 6)), random(2, FRAMES, 6, seed=1)
    mask = torch.ones(2, FRAMES, 6, dtype=torch.bool)
    mask[..., 4:] = False
    weights = torch.tensor([1.0, 2, 3, 4, 5, 6])
    expected = ((prediction.values - target)[..., :4].square() * weights[:4]).mean()
    assert WeightedMSE(weights)(prediction, target, mask) == pytest.approx(expected.item(), rel=1e-5)


def test_vertices_need_all_channels_of_their_frame() -> None:
    """One unmeasured weight makes the whole shape of that frame unknown, and of no other frame."""
    prediction, target = Head(random(1, FRAMES, 24)), random(1, FRAMES, 24, seed=1)
    loss, mask = VertexMSE(basis()), torch.ones(1, FRAMES, 24, dtype=torch.bool)
    mask[0, 4:, 7] = False
    expected = loss(Head(prediction.values[:, :4]), target[:, :4]).item()
    assert loss(prediction, target.masked_fill(~mask, torch.nan), mask).item() == pytest.approx(expected, rel=1e-5)


def test_small_errors_survive_half_precision_outputs() -> None:
    """The square of a tenth of a millimetre is zero in float16."""
    values = torch.zeros(1, 1, 24, dtype=torch.float16)
    assert VertexMSE(FlatVertices())(Head(values + 1e-4), values) == pytest.approx(1e-8, rel=1e-2)
    assert ParameterMSE()(Head(values + 1e-4), values) == pytest.approx(1e-8, rel=1e-2)


def test_aperture_needs_both_its_channels() -> None:
    loss = ApertureLoss(jaw=0, close=1, weight=1)
    prediction, target = Head(torch.tensor([[[0.5, 0.1], [0.9, 0.0]]])), torch.tensor([[[0.2, 0.2], [0.0, 0.0]]])
    assert loss(prediction, target) == pytest.approx((0.4**2 + 0.9**2) / 2)
    mask = torch.tensor([[[True, True], [True, False]]])
    assert loss(prediction, target, mask) == pytest.approx(0.4**2)


def test_lips_that_close_too_little_cost_more_than_the_same_error_shared_by_jaw_and_lips() -> None:
    """What it is for: jaw and lips wrong together leave the opening right."""
    loss, target = ApertureLoss(jaw=0, close=1, weight=1), torch.zeros(1, 1, 2)
    assert loss(Head(torch.tensor([[[0.1, 0.1]]])), target) < loss(Head(torch.tensor([[[0.1, -0.1]]])), target)


def test_pca_term_is_the_error_of_coefficients_against_the_encoded_displacement() -> None:
    """Eq. 1 and 2 with template and PCA mean given, which `PcaMSE` works out by itself."""
    template, mean = random(2, 1, 24, seed=11), random(24, seed=12)
    coefficients = random(2, FRAMES, COMPONENTS, seed=13)
    target = random(2, FRAMES, 24, seed=14)
    expected = (coefficients - (target - template - mean) @ components().T).square().mean()
    head = Head(coefficients @ components() + mean + template, coefficients.requires_grad_())
    loss = PcaMSE(components())(head, target)
    assert loss.item() == pytest.approx(0.01 * expected.item(), rel=1e-5)
    loss.backward()
    assert coefficients.grad.any()


def test_stored_components_beyond_those_predicted_are_left_out() -> None:
    full, head = components(), pca_head(1)
    few = Head(head.coefficients[..., :2] @ full[:2], head.coefficients[..., :2])
    target = random(1, FRAMES, 24, seed=3)
    assert PcaMSE(full)(few, target) == pytest.approx(PcaMSE(full[:2])(few, target).item())


def test_blendshapes_are_compared_as_weights_and_as_vertices() -> None:
    """Eq. 3 written out, frame by frame."""
    annotation = Annotation(
        type_name="t", kind="blendshapes", dim=24, fps=30, unit="weight", names=tuple(f"c{i}" for i in range(24))
    )
    prediction, target, geometry = random(1, 2, 24), random(1, 2, 24, seed=1), basis()
    squares = []
    for frame in range(2):
        shapes = [
            sum((x[0, frame, k] * geometry.blendshapes[k] for k in range(24)), geometry.mean_shape)
            for x in (prediction, target)
        ]
        squares.append((shapes[0] - shapes[1]).square().mean().item())
    terms = paper_loss(annotation, geometry).terms(Head(prediction), target)
    assert terms["vertices"].item() == pytest.approx(np.mean(squares), rel=1e-4)
    assert terms["weights"].item() == pytest.approx(1e-4 * (prediction - target).square().mean().item(), rel=1e-5)


def test_only_the_region_gets_a_gradient() -> None:
    values = random(1, 2, 24).requires_grad_()
    VertexMSE(FlatVertices(), region=[2, 7])(Head(values), torch.zeros(1, 2, 24)).backward()
    touched = values.grad.reshape(1, 2, 8, 3).any(-1)[0, 0]
    assert touched.nonzero().flatten().tolist() == [2, 7]


def test_sum_lists_its_terms_for_the_log() -> None:
    head, target = pca_head(2), random(2, FRAMES, 24, seed=3)
    loss = SumOf({"vertices": VertexMSE(FlatVertices()), "coefficients": PcaMSE(components())})
    terms = loss.terms(head, target)
    assert list(terms) == ["vertices", "coefficients"]
    assert loss(head, target).item() == pytest.approx(sum(term.item() for term in terms.values()))


def test_half_precision_around_the_loss_does_not_reach_it() -> None:
    """bfloat16 would move a vertex of a head by a tenth of a millimetre, as much as good models differ by."""
    loss = SumOf({"basis": VertexMSE(basis()), "coefficients": PcaMSE(components())})
    head, target = pca_head(2), random(2, FRAMES, 24, seed=3)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(head, target).item()
    assert inside == loss(head, target).item()


def test_losses_follow_the_model_to_its_device_but_stay_out_of_its_checkpoint() -> None:
    loss = SumOf({"basis": VertexMSE(basis(), region=[0]), "weights": WeightedMSE(torch.ones(3))})
    assert {name for name, _ in loss.named_buffers()} >= {"losses.basis.region", "losses.weights.weights"}
    assert not loss.state_dict()


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
def test_variance_weights_bring_channels_to_one_scale(deviations: list[float]) -> None:
    deviation = torch.tensor(deviations)
    weights = variance_weights(deviation, minor=[2])
    error = torch.where(deviation > 0.2, weights * deviation.square(), 1)
    assert ((error[:2] > 0.9) & (error[:2] <= 1)).all()
    assert weights[2] == pytest.approx(0.05 * variance_weights(deviation)[2].item())
    assert weights.max() <= 1 / 0.02**2 + 1e-3


def test_shapes_that_do_not_match_are_refused_rather_than_broadcast() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        ParameterMSE()(Head(random(2, 9, 6)), random(1, 9, 6))
    with pytest.raises(ValueError, match="3 channel weights for 6"):
        WeightedMSE(torch.ones(3))(Head(random(2, 9, 6)), random(2, 9, 6))
    with pytest.raises(ValueError, match="predicts PCA"):
        PcaMSE(components())(Head(random(1, 9, 24)), random(1, 9, 24))


def test_flame_without_its_model_is_refused_before_training() -> None:
    annotation = Annotation(type_name="flame_params_from_dadhead", kind="flame", dim=413, fps=30, unit="parameter")
    with pytest.raises(UniTalkerError, match=r"flame_params_from_dadhead.*flame\.npz"):
        paper_loss(annotation)


def test_basis_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"EmoTalk\.npz does not exist"):
        BlendshapeBasis.load(tmp_path / "EmoTalk.npz")
    np.savez(tmp_path / "other.npz", meanshape=np.zeros((4, 3)))
    with pytest.raises(UniTalkerError, match="no 'blendshape', only meanshape"):
        BlendshapeBasis.load(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", meanshape=np.array([{}]), blendshape=np.zeros(3))
    with pytest.raises(UniTalkerError, match="cannot be read as a blendshape basis"):
        BlendshapeBasis.load(tmp_path / "objects.npz")
    np.savez(tmp_path / "nan.npz", meanshape=np.full((4, 3), np.nan), blendshape=np.zeros((2, 4, 3)))
    with pytest.raises(UniTalkerError, match="'meanshape' contains NaN"):
        BlendshapeBasis.load(tmp_path / "nan.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(UniTalkerError, match="cannot be read"):
        BlendshapeBasis.load(tmp_path / "text.npz")
    with pytest.raises(UniTalkerError, match="does not belong to a mean shape"):
        BlendshapeBasis(torch.zeros(4, 3), torch.zeros(2, 5, 3))


def test_truth_of_another_clip_costs_more_than_a_smoothed_truth() -> None:
    """On measured motion the loss ranks what a viewer would rank."""
    if not BENCH.is_dir():
        pytest.skip("needs ../shared")
    clips = [np.load(path) for path in sorted((BENCH / "G0_grid_mesh" / "clips").glob("*.npy"))[:2]]
    frames = min(len(clip) for clip in clips)
    first, second = (torch.tensor(clip[:frames], dtype=torch.float32).reshape(1, frames, -1) for clip in clips)
    smoothed = torch.nn.functional.avg_pool1d(first.mT, 3, 1, 1, count_include_pad=False).mT
    loss = VertexMSE(FlatVertices(), np.load(BENCH / "G0_grid_mesh" / "lip_idx.npy"))
    assert 0 < loss(Head(smoothed), first) < loss(Head(second), first)
