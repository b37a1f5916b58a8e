"""Losses, gradients, vertices, LVE and LVD against golden arrays of the official code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.annotation import Annotation
from training.flame import FlameGeometry
from training.geometry import BlendshapeBasis, FlatVertices, Geometry
from training.losses import ParameterMSE, PcaMSE, SumOf, paper_loss
from training.metrics import Clip, Region, lvd_mm, lve_m2_pooled, lve_m2_seqmean, weight_mae_seqmean, weight_mse_seqmean

FOLDER = Path(os.environ.get("UNITALKER_PARITY_DIR", Path(__file__).parents[3] / "shared" / "parity"))
VISEME_WEIGHT = 1e-4

MOUTH = {
    "BIWI_23370_vertices": "biwi_mouth",
    "FLAME_5023_vertices": "flame_mouth",
    "FLAME_SUB_2055_vertices": "flame_sub_mouth",
    "meshtalk_6172_vertices": "meshtalk_mouth",
    "3DETF_blendshape_weight": "emo_mouth",
    "inhouse_blendshape_weight": "arkit_mouth",
    "flame_params_from_dadhead": "flame_mouth",
}
BASIS = {"3DETF_blendshape_weight": "emo", "inhouse_blendshape_weight": "ark"}


@dataclass(frozen=True)
class Head:
    values: torch.Tensor
    coefficients: torch.Tensor | None = None


@cache
def arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / file, allow_pickle=False) as archive:
        return dict(archive)


def golden_names() -> list[tuple[str, str]]:
    files = sorted(path.name for path in FOLDER.glob("loss_cases*.npz"))
    return [(file, name) for file in files for name in np.load(FOLDER / file).files if name.startswith("out/")]


GOLDEN = [pytest.param(*names, id="/".join(names)) for names in golden_names()] or [
    pytest.param("", "", marks=pytest.mark.skip("needs ../shared"))
]


def annotation_of(kind: str, dim: int) -> Annotation:
    if kind in BASIS or kind == "24_viseme":
        names = tuple(f"c{i}" for i in range(dim))
        return Annotation(type_name=kind, kind="blendshapes", dim=dim, fps=30, unit="weight", names=names)
    if kind == "flame_params_from_dadhead":
        return Annotation(type_name=kind, kind="flame", dim=dim, fps=30, unit="parameter")
    return Annotation(type_name=kind, kind="vertices", dim=dim, fps=30, unit="m")


def geometry_of(kind: str, file: dict[str, np.ndarray]) -> Geometry | None:
    if kind == "24_viseme":
        return None
    if kind in BASIS:
        name = f"in/{BASIS[kind]}"
        return BlendshapeBasis(torch.tensor(file[f"{name}/meanshape"]), torch.tensor(file[f"{name}/blendshape"]))
    if kind == "flame_params_from_dadhead":
        return FlameGeometry({name[9:]: array for name, array in file.items() if name.startswith("in/flame/")})
    return FlatVertices()


def loss_of(kind: str, file: dict[str, np.ndarray]) -> SumOf:
    if kind == "pca":
        # The golden case is the plain error of given coefficients: a basis that changes nothing shows it.
        return SumOf({"coefficients": PcaMSE(torch.eye(file["in/case/pca/pred"].shape[-1]), weight=1)})
    if kind == "24_viseme":
        return SumOf({"weights": ParameterMSE(VISEME_WEIGHT)})
    region = file["in/index/flame_humanface"] if kind == "flame_params_from_dadhead" else None
    annotation = annotation_of(kind, file[f"in/case/{kind}/pred"].shape[-1])
    return paper_loss(annotation, geometry_of(kind, file), region=None if region is None else torch.tensor(region))


def vertices_of(kind: str, values: torch.Tensor, file: dict[str, np.ndarray]) -> np.ndarray:
    geometry = geometry_of(kind, file)
    return values[0].numpy() if geometry is None else geometry(values)[0].numpy()


def ours(kind: str, what: str, file: dict[str, np.ndarray]) -> np.ndarray | float:
    prediction = torch.tensor(file[f"in/case/{kind}/pred"])
    target = torch.tensor(file[f"in/case/{kind}/target"])
    match what:
        case "loss" | "grad_pred":
            prediction.requires_grad_()
            loss = loss_of(kind, file)(Head(prediction, prediction if kind == "pca" else None), target)
            loss.backward()
            return loss.item() if what == "loss" else prediction.grad.numpy()
        case "vertices_of_pred":
            vertices = vertices_of(kind, prediction, file)
            return vertices[:, file["in/index/flame_humanface"]] if kind.startswith("flame_params") else vertices
        case "full_vertices_of_pred":
            return vertices_of(kind, prediction, file)
        case "full_vertices_zero_params":
            return vertices_of(kind, torch.zeros_like(prediction[:, :1]), file)
        case "LVE" | "LVD":
            clip = Clip(vertices_of(kind, prediction, file), vertices_of(kind, target, file))
            if kind == "24_viseme":
                return (weight_mse_seqmean if what == "LVE" else weight_mae_seqmean)([clip]).value
            lips = Region("lips", file[f"in/index/{MOUTH[kind]}"])
            return lve_m2_seqmean([clip], lips).value if what == "LVE" else lvd_mm([clip], lips).value / 1000
    pytest.fail(f"no rule for the golden array {what!r}")


@pytest.mark.parametrize(("file", "name"), GOLDEN)
def test_equals_the_official_code(file: str, name: str) -> None:
    _, kind, what = name.split("/")
    expected = arrays(file)[name]
    actual = np.asarray(ours(kind, what, arrays(file)))
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)
    # Losses and gradients of metres are smaller than the tolerance: they have to agree in relation to their size too.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("kind", list(MOUTH))
def test_one_clip_is_pooled_as_it_is_averaged(kind: str) -> None:
    if not golden_names():
        pytest.skip("needs ../shared")
    file = arrays("loss_cases.npz")
    vertices = [vertices_of(kind, torch.tensor(file[f"in/case/{kind}/{which}"]), file) for which in ("pred", "target")]
    lips = Region("lips", file[f"in/index/{MOUTH[kind]}"])
    pooled = lve_m2_pooled([Clip(*vertices)], lips).value
    assert pooled == pytest.approx(float(file[f"out/{kind}/LVE"]), rel=1e-5)


def test_unused_flame_parameters_get_no_gradient() -> None:
    """Head rotation, translation and scale stay at the template's, as in the released code."""
    if not golden_names():
        pytest.skip("needs ../shared")
    gradient = ours("flame_params_from_dadhead", "grad_pred", arrays("loss_cases.npz"))
    assert not np.any(gradient[..., 403:])
    assert np.all(np.any(gradient[..., 400:403], axis=(0, 1)))
