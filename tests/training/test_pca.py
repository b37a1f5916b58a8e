"""PCA: it compresses real motion, does not depend on how frames arrive, and refuses another topology."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import UniTalkerError
from training.pca import PcaBasis, fit_pca, working_memory

BENCH = Path(__file__).parents[3] / "shared" / "bench" / "G0_grid_mesh"


def motion(frames: int = 300, dim: int = 24, rank: int = 24, seed: int = 0) -> np.ndarray:
    """Frames of falling variance along `rank` random directions, on a mean that is not zero."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(dim, rank)))[0].T * (0.8 ** np.arange(rank))[:, None]
    return (rng.normal(size=(frames, rank)) @ directions + 2).astype(np.float32)


def test_a_few_components_hold_the_motion_of_a_real_face() -> None:
    """Measured speech of 468 vertices: 40 of 1,404 components leave less than half a millimetre."""
    if not BENCH.is_dir():
        pytest.skip("needs ../shared")
    template = np.load(BENCH / "id_template.npy").reshape(-1)
    paths = sorted((BENCH / "clips").glob("*.npy"))
    basis = fit_pca((np.load(path).reshape(-1, 1404) - template for path in paths[:60]), 40, batch_size=512)
    unseen = np.load(paths[61]).reshape(-1, 1404) - template
    error = (basis.decode(basis.encode(unseen)) - unseen).reshape(len(unseen), -1, 3)
    assert np.linalg.norm(error, axis=-1).mean() < 0.5e-3
    assert basis.explained_variance_ratio.sum() > 0.95


def test_all_components_give_back_every_frame() -> None:
    data = motion()
    basis = fit_pca(data, components=24, batch_size=100)
    np.testing.assert_allclose(basis.decode(basis.encode(data)), data, atol=1e-5)
    assert basis.explained_variance_ratio.sum() == pytest.approx(1, abs=1e-4)


def test_components_are_orthonormal_and_fall_in_strength() -> None:
    basis = fit_pca(motion(), components=8, batch_size=64)
    np.testing.assert_allclose(basis.components @ basis.components.T, np.eye(8), atol=1e-5)
    assert (np.diff(basis.explained_variance_ratio) < 0).all()
    assert (np.diff(basis.singular_values) < 0).all()


def test_coefficient_statistics_are_those_of_the_encoded_frames() -> None:
    data = motion()
    basis = fit_pca(data, components=8, batch_size=300)
    coefficients = basis.encode(data)
    np.testing.assert_allclose(basis.coefficient_mean, coefficients.mean(0), atol=1e-5)
    np.testing.assert_allclose(basis.coefficient_std, coefficients.std(0), atol=1e-5)


def test_one_batch_is_a_plain_singular_value_decomposition() -> None:
    data = motion()
    basis = fit_pca(data, components=6, batch_size=300)
    centred = data.astype(np.float64) - data.mean(0, dtype=np.float64)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(basis.singular_values, singular[:6], rtol=1e-4)
    np.testing.assert_allclose(np.abs((basis.components * directions[:6]).sum(1)), 1, atol=1e-4)


@given(cuts=st.lists(st.integers(1, 299), max_size=5, unique=True), seed=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_clip_borders_do_not_matter(cuts: list[int], seed: int) -> None:
    data = motion()
    clips = [clip.reshape(len(clip), 8, 3) for clip in np.split(data, sorted(cuts))]
    from_clips, from_array = fit_pca(clips, 5, 64, seed=seed), fit_pca(data, 5, 64, seed=seed)
    np.testing.assert_array_equal(from_clips.components, from_array.components)


def test_frames_come_from_an_array_on_disk_or_from_a_function(tmp_path: Path) -> None:
    data = motion()
    np.save(tmp_path / "frames.npy", data)
    mapped = np.load(tmp_path / "frames.npy", mmap_mode="r")
    expected = fit_pca(data, 5, 64).components
    np.testing.assert_array_equal(fit_pca(mapped, 5, 64).components, expected)
    np.testing.assert_array_equal(fit_pca(lambda: iter([data[:7], data[7:]]), 5, 64).components, expected)


def test_the_last_partial_batch_counts_unless_left_out() -> None:
    """A movement that only the last frames in shuffled order show is kept by default, lost in the released way."""
    data = motion(frames=130, rank=5)
    last = np.random.RandomState(0).permutation(130)[100:]
    data[last] += 50 * np.eye(24, dtype=np.float32)[23] * np.linspace(-1, 1, 30, dtype=np.float32)[:, None]
    kept, skipped = fit_pca(data, 2, 100), fit_pca(data, 2, 100, keep_last_partial_batch=False)
    assert abs(kept.components[0, 23]) > 0.99
    assert abs(skipped.components[0, 23]) < 0.9


@pytest.mark.parametrize("frames", [101, 128, 199, 64])
def test_any_number_of_frames_fits(frames: int) -> None:
    """Also where fewer frames remain for the last batch than there are components."""
    data = motion(frames)
    basis = fit_pca(data, components=20, batch_size=100)
    assert basis.components.shape == (20, 24)
    assert np.abs(basis.decode(basis.encode(data)) - data).mean() < 0.02


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path) -> None:
    def clips(count: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        for _ in range(count):
            yield rng.normal(size=(50, 1200)).astype(np.float32)

    def peak(count: int) -> int:
        tracemalloc.start()
        fit_pca(clips(count), components=4, batch_size=100, spool_dir=tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(4)
    few, many = peak(8), peak(40)
    assert many < 1.3 * few
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("components", "batch", "dim"), [(64, 128, 6000), (16, 256, 3000)])
def test_memory_is_what_is_promised_however_many_frames_there_are(
    components: int, batch: int, dim: int, tmp_path: Path
) -> None:
    """The same formula gives the 4.7 GB for 100,000 frames of BIWI, which take 28 GB on disk."""
    peaks = []
    for batches in (3, 6):
        frames = np.lib.format.open_memmap(tmp_path / "f.npy", "w+", np.float32, (batches * batch, dim))
        frames[:] = np.random.default_rng(0).standard_normal(frames.shape, np.float32)
        frames.flush()
        mapped = np.load(tmp_path / "f.npy", mmap_mode="r")
        tracemalloc.start()
        fit_pca(mapped, components, batch)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    promised = working_memory(components, batch, dim)
    assert max(peaks) < 1.1 * promised and min(peaks) > 0.6 * promised
    assert peaks[1] < 1.02 * peaks[0]
    assert working_memory(512, 1024, 70110) == pytest.approx(4.7e9, rel=0.02)


def test_the_first_components_are_those_of_a_smaller_fit(tmp_path: Path) -> None:
    basis = fit_pca(motion(), 12, 300)
    small = basis.first(5)
    np.testing.assert_allclose(small.encode(motion()), basis.encode(motion(), 5), atol=1e-6)
    with pytest.raises(UniTalkerError, match="12 components, 13 are wanted"):
        basis.first(13)


def test_round_trip_keeps_every_array_and_leaves_nothing_else(tmp_path: Path) -> None:
    basis = fit_pca(motion(), 5, 64)
    basis.save(tmp_path / "pca.npz")
    again = PcaBasis.load(tmp_path / "pca.npz", dim=24)
    assert again.dim == 24
    for name, array in vars(basis).items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(getattr(again, name), array)
    assert [path.name for path in tmp_path.iterdir()] == ["pca.npz"]


def test_another_topology_is_refused(tmp_path: Path) -> None:
    fit_pca(motion(), 5, 64).save(tmp_path / "pca.npz")
    with pytest.raises(UniTalkerError, match=r"pca\.npz is a PCA of 8 vertices .* the annotation has 5023 vertices"):
        PcaBasis.load(tmp_path / "pca.npz", dim=15069)
    with pytest.raises(UniTalkerError, match=r"Clip 1 has 7 vertices .* before it 8 vertices"):
        fit_pca([np.zeros((4, 8, 3)), np.zeros((4, 7, 3))], 2)


def test_incomplete_and_inconsistent_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pca.npz"
    fit_pca(motion(), 5, 64).save(path)
    arrays = dict(np.load(path))
    np.savez(tmp_path / "lacking.npz", **{name: array for name, array in arrays.items() if name != "S"})
    with pytest.raises(UniTalkerError, match="no 'S'"):
        PcaBasis.load(tmp_path / "lacking.npz")
    np.savez(tmp_path / "bent.npz", **arrays | {"original_data_mean": np.zeros(7)})
    with pytest.raises(UniTalkerError, match=r"original_data_mean has shape \(7,\), expected \(24,\)"):
        PcaBasis.load(tmp_path / "bent.npz")
    np.savez(tmp_path / "flat.npz", **arrays | {"components_to_data": np.zeros(7)})
    with pytest.raises(UniTalkerError, match=r"expected \(K, D\)"):
        PcaBasis.load(tmp_path / "flat.npz")


def test_frames_that_cannot_be_fitted_are_named() -> None:
    broken = motion()
    broken[217, 3] = np.nan
    with pytest.raises(UniTalkerError, match=r"Frame 217 .* NaN"):
        fit_pca(broken, 5, 64)
    with pytest.raises(UniTalkerError, match="512 PCA components cannot be fitted to 300 frames"):
        fit_pca(motion(dim=600), 512)
    with pytest.raises(UniTalkerError, match="do not fill one batch of 1024"):
        fit_pca(motion(), 5, keep_last_partial_batch=False)
    with pytest.raises(UniTalkerError, match="not a single frame"):
        fit_pca(iter(()), 5)
