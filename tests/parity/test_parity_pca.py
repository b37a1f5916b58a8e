"""PCA against golden arrays of the official code: fitting, encoding, decoding."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from training.pca import PcaBasis, fit_pca

FOLDER = Path(os.environ.get("UNITALKER_PARITY_DIR", Path(__file__).parents[3] / "shared" / "parity"))
SEED, BATCH, COMPONENTS = 0, 40, 10


@cache
def arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / file, allow_pickle=False) as archive:
        return dict(archive)


@cache
def fitted(file: str) -> PcaBasis:
    return fit_pca(arrays(file)["in/data"], COMPONENTS, BATCH, keep_last_partial_batch=False, seed=SEED)


def golden_names() -> list[tuple[str, str]]:
    files = sorted(path.name for path in FOLDER.glob("pca_cases*.npz"))
    return [(file, name) for file in files for name in np.load(FOLDER / file).files if name.startswith("out/")]


GOLDEN = [pytest.param(*names, id="/".join(names)) for names in golden_names()] or [
    pytest.param("", "", marks=pytest.mark.skip("needs ../shared"))
]


@pytest.mark.parametrize(("file", "name"), GOLDEN)
def test_equals_the_official_code(file: str, name: str, tmp_path: Path) -> None:
    expected = arrays(file)[name]
    if name.startswith("out/npz/"):
        fitted(file).save(tmp_path / "pca.npz")
        actual = np.load(tmp_path / "pca.npz", allow_pickle=False)[name.removeprefix("out/npz/")]
    else:
        code, components = re.fullmatch(r"out/(encode|decode)_dim(\d+)", name).groups()
        actual = fitted(file).encode(arrays(file)["in/x"], int(components))
        actual = fitted(file).decode(actual) if code == "decode" else actual
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_golden_file_has_the_official_keys_and_loads(tmp_path: Path) -> None:
    if not golden_names():
        pytest.skip("needs ../shared")
    golden = arrays("pca_cases.npz")
    path = tmp_path / "pca.npz"
    np.savez(path, **{name[8:]: array for name, array in golden.items() if name.startswith("out/npz/")})
    basis = PcaBasis.load(path, dim=30)
    np.testing.assert_allclose(basis.encode(golden["in/x"], 6), golden["out/encode_dim6"], rtol=0, atol=1e-5)
