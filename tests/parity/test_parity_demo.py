"""The official demo from sound files to stored vertices: layout always, values where golden arrays of it exist."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from backend.bundle import Bundle
from backend.bundle_manifest import Manifest
from backend.model.spec import PIVOT
from training.flame import FlameGeometry
from training.geometry import BlendshapeBasis, FlatVertices, Geometry
from training.official_results import FLAME_HEAD, FaceOfFlame, find_sounds, official_results, write_results

from .golden import FOLDER, arrays, tiny_model

LAYOUT = FOLDER / "demo_layout.json"
GOLDEN_FILES = sorted(path.name for path in FOLDER.glob("demo_cases*.npz"))
TEMPLATE_ROWS = {
    "D0": ("template_rows/D0_row3", 0.2),
    "D3": ("template_rows/D3_row0", 1),
    "D5": ("template_rows/D5_row0", 1),
}


def geometries() -> dict[str, Geometry]:
    file = arrays("loss_cases.npz")
    basis = BlendshapeBasis(torch.tensor(file["in/emo/meanshape"]), torch.tensor(file["in/emo/blendshape"]))
    flame = FlameGeometry({name[9:]: array for name, array in file.items() if name.startswith("in/flame/")})
    return {
        "BIWI_23370_vertices": FlatVertices(),
        "3DETF_blendshape_weight": basis,
        FLAME_HEAD: FaceOfFlame(flame, file["in/index/flame_humanface"]),
    }


def templates(golden: str) -> dict[str, np.ndarray]:
    """Those that the official demo was run with, one for each data set."""
    if not golden:
        return {}
    rows = {name: (np.asarray(arrays(golden)[array]), scale) for name, (array, scale) in TEMPLATE_ROWS.items()}
    return {name: (row.reshape(-1) * np.float32(scale)).astype(np.float32) for name, (row, scale) in rows.items()}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sounds of the golden run: the waveform once, and 26.5 s of it, which are two windows."""
    folder = tmp_path_factory.mktemp("sounds")
    voice = arrays("inputs.npz")["waveform_int16"]
    (folder / "sub").mkdir()
    soundfile.write(folder / "sub" / "short.wav", voice, 16000)
    soundfile.write(folder / "long.wav", np.tile(voice, 12)[:424321], 16000)
    return folder


@cache
def results(encoder: str, golden: str, sounds: Path) -> dict[str, np.ndarray]:
    """Written and read again."""
    model = tiny_model(encoder, "conv", "", 1)
    manifest = Manifest(
        name="tiny",
        version="1",
        title="",
        licence="",
        spec=model.spec,
        default_head="3DETF_blendshape_weight",
        default_identity=PIVOT,
    )
    bundle = Bundle(FOLDER, manifest, model, torch.device("cpu"))
    path = sounds / f"{encoder}.npz"
    write_results(official_results(bundle, find_sounds(sounds), geometries(), templates(golden)), path)
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def layout() -> list[tuple[str, tuple[int, ...]]]:
    if not LAYOUT.is_file():
        return []
    entries = json.loads(LAYOUT.read_text())
    return [
        (f"{sound}/{data_set}", tuple(shape))
        for sound, content in entries.items()
        for data_set, (_, _, shape) in content["entries"].items()
    ]


@pytest.mark.parametrize(
    ("name", "shape"),
    [pytest.param(*case, id=f"demo_layout.json/{case[0]}") for case in layout()]
    or [pytest.param("", (), marks=pytest.mark.skip("needs ../shared"))],
)
def test_demo_layout(name: str, shape: tuple[int, ...], sounds: Path) -> None:
    encoder, rest = name.split("/", 1)
    vertices = results(encoder, "", sounds)[rest]
    assert vertices.shape == shape
    assert vertices.dtype == np.float32
    assert np.isfinite(vertices).all()


def demo_cases() -> list[tuple[str, str]]:
    return [
        (file, name)
        for file in GOLDEN_FILES
        for name in np.load(FOLDER / file).files
        if name.split("/")[0] in ("wavlm", "w2v2")
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [pytest.param(*case, id="/".join(case)) for case in demo_cases()]
    or [pytest.param("", "", marks=pytest.mark.skip("there is no demo_cases.npz"))],
)
def test_demo_vertices(file: str, name: str, sounds: Path) -> None:
    encoder, rest = name.split("/", 1)
    sound, what = rest.rsplit("/", 1)
    vertices, expected = results(encoder, file, sounds)[sound], arrays(file)[name]
    if what == "shape":
        assert vertices.shape == tuple(expected)
        return
    if what.startswith("frames_"):
        first, end = map(int, what.removeprefix("frames_").split("_"))
        part = vertices[first:end]
    else:
        part = {"last5": vertices[-5:], "first20": vertices[:20]}[what]
    assert part.shape == expected.shape
    np.testing.assert_allclose(part, expected, rtol=0, atol=1e-5)
