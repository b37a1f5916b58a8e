"""Incremental PCA of displacements from the template (paper section 3.3, Eq. 1), in bounded memory.

Frames of a dense mesh do not fit into memory: 100,000 of BIWI are 100,000 x 70,110 x 4 bytes = 28 GB. They are read
from a memory-mapped array or from the files of the clips, or spooled to disk from an iterator, shuffled by index, and
fitted batch by batch. What is held at a time does not depend on their number: scikit-learn decomposes one matrix of
components + batch + 1 rows in double precision, with copies. See `working_memory`: 4.7 GB for 512 components of BIWI
in batches of 1,024, 1.2 GB in batches of 128 with 128 components.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sklearn.decomposition import IncrementalPCA

from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from training.arrays import read_arrays
from training.datasets.clip_frames import ClipFrames


class Rows(Protocol):
    """Frames (N, D) that are read as far as they are asked for: a memory-mapped array, or `ClipFrames`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray: ...


Frames = np.ndarray | ClipFrames | Iterable[np.ndarray] | Callable[[], Iterable[np.ndarray]]
Progress = Callable[[int, int, str], None]
"""Called with frames done, all of them, and what is done with them."""

_MATRICES = 11
"""Of components + batch + 1 frames in single precision: what a step holds at its peak, measured."""

_OFFICIAL_NAMES = {
    "components": "components_to_data",
    "mean": "original_data_mean",
    "coefficient_mean": "data_components_mean",
    "coefficient_std": "data_components_std",
    "explained_variance_ratio": "explained_variance_ratio",
    "singular_values": "S",
}


@dataclass(frozen=True)
class PcaBasis:
    """What `fit_pca` found; the fields are the arrays of the released ``pca.npz`` files, all float32.

    Attributes:
        components: (K, D), orthonormal rows, strongest first.
        mean: (D,), mean displacement.
        coefficient_mean: (K,), over the fitted frames.
        coefficient_std: (K,), population deviation.
        explained_variance_ratio: (K,), share of the variance of the fitted frames.
        singular_values: (K,).
    """

    components: np.ndarray
    mean: np.ndarray
    coefficient_mean: np.ndarray
    coefficient_std: np.ndarray
    explained_variance_ratio: np.ndarray
    singular_values: np.ndarray

    @property
    def dim(self) -> int:
        """Numbers per frame, three per vertex."""
        return int(self.components.shape[1])

    def encode(self, displacement: np.ndarray, components: int | None = None) -> np.ndarray:
        """Displacements (..., D) to the first `components` coefficients (..., K); no more than there are."""
        coefficients: np.ndarray = (displacement - self.mean) @ self.components[:components].T
        return coefficients

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Coefficients (..., k), k at most K, to displacements (..., D)."""
        displacement: np.ndarray = coefficients @ self.components[: coefficients.shape[-1]] + self.mean
        return displacement

    def first(self, components: int) -> PcaBasis:
        """The strongest components alone.

        Raises:
            UniTalkerError: ``pca.too_few_components``.
        """
        if components > len(self.components):
            raise UniTalkerError(
                "pca.too_few_components",
                f"The PCA has {len(self.components)} components, {components} are wanted.",
                "Fit it again with more: unitalker train pca fit.",
            )
        return PcaBasis(
            components=self.components[:components],
            mean=self.mean,
            coefficient_mean=self.coefficient_mean[:components],
            coefficient_std=self.coefficient_std[:components],
            explained_variance_ratio=self.explained_variance_ratio[:components],
            singular_values=self.singular_values[:components],
        )

    def save(self, path: Path) -> None:
        """Writes an ``.npz`` under the released names; `path` is complete or untouched."""
        arrays: dict[str, Any] = {name: getattr(self, field) for field, name in _OFFICIAL_NAMES.items()}
        with atomic_write(path) as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path, dim: int | None = None) -> PcaBasis:
        """Reads a ``pca.npz``, ours or a released one.

        Args:
            path: the file.
            dim: numbers per frame of the annotation it is for; not checked when ``None``.

        Raises:
            UniTalkerError: missing, unreadable, incomplete, inconsistent, or made for another topology.
        """
        arrays = read_arrays(path, tuple(_OFFICIAL_NAMES.values()), "a PCA file")
        _check_shapes(path, arrays)
        basis = cls(**{field: arrays[name] for field, name in _OFFICIAL_NAMES.items()})
        if dim is not None and basis.dim != dim:
            raise UniTalkerError(
                "pca.topology",
                f"{path} is a PCA of {_vertices(basis.dim)}, but the annotation has {_vertices(dim)}.",
                "Fit a PCA on clips of this annotation: unitalker train pca fit.",
            )
        return basis


def _check_shapes(path: Path, arrays: dict[str, np.ndarray]) -> None:
    shape = arrays["components_to_data"].shape
    if len(shape) != 2:
        raise UniTalkerError("pca.shape", f"{path}: components_to_data has shape {shape}, expected (K, D).")
    for name, array in arrays.items():
        expected = {"components_to_data": shape, "original_data_mean": shape[1:]}.get(name, shape[:1])
        if array.shape != expected:
            raise UniTalkerError("pca.shape", f"{path}: {name} has shape {array.shape}, expected {expected}.")


def fit_pca(
    frames: Frames,
    components: int = 512,
    batch_size: int = 1024,
    keep_last_partial_batch: bool = True,
    seed: int = 0,
    spool_dir: Path | None = None,
    progress: Progress | None = None,
) -> PcaBasis:
    """Fits a PCA to displacements from the template.

    Args:
        frames: (N, D), best memory-mapped (``np.load(..., mmap_mode="r")``) or `ClipFrames`; or clips of shape
            (T, ...) from an iterable or from a function that gives one, which are first spooled to disk as float32.
        components: K, at most `batch_size` and D.
        batch_size: frames per step.
        keep_last_partial_batch: ``False`` leaves the frames after the last full batch out of the fit, as the
            released code does.
        seed: of the order in which frames are taken.
        spool_dir: where clips are spooled, N x D x 4 bytes; the system's folder for temporary files by default.
        progress: told after each batch.

    Raises:
        UniTalkerError: too few frames, frames of unequal size, or NaN.
    """
    report = progress or _unheard
    if isinstance(frames, np.ndarray):
        frames = frames.reshape(len(frames), -1)
    if isinstance(frames, np.ndarray | ClipFrames):
        return _fit(frames, components, batch_size, keep_last_partial_batch, seed, report)
    with tempfile.TemporaryDirectory(dir=spool_dir) as folder:
        # Not kept in a variable: Windows deletes a memory-mapped file only once nothing refers to it.
        return _fit(
            _spool(frames() if callable(frames) else frames, Path(folder) / "frames.f32"),
            components,
            batch_size,
            keep_last_partial_batch,
            seed,
            report,
        )


def working_memory(components: int, batch_size: int, dim: int) -> int:
    """Bytes that a fit holds at its peak, however many frames there are.

    Each step of scikit-learn's incremental PCA decomposes the weighted components so far, the batch and one row for
    the change of the mean: (K + B + 1) x D numbers in double precision, of which the decomposition holds a copy, a
    working copy and the result, beside the batch itself.
    """
    return _MATRICES * 4 * (components + batch_size + 1) * dim


def _unheard(_done: int, _total: int, _what: str) -> None:
    """Progress that nobody asked for."""


def _fit(data: Rows, components: int, batch_size: int, keep_partial: bool, seed: int, report: Progress) -> PcaBasis:
    count, dim = data.shape
    if components > min(batch_size, count, dim):
        raise UniTalkerError(
            "pca.too_few_frames",
            f"{components} PCA components cannot be fitted to {count} frames of {dim} numbers, {batch_size} at a time.",
            f"Ask for at most {min(batch_size, count, dim)} components, or give more clips or a larger batch.",
        )
    mean = _mean(data, batch_size, report)
    order = np.random.RandomState(seed).permutation(count)
    pca = IncrementalPCA(n_components=components)
    fitted = 0
    for rows in _batches(order, batch_size, keep_partial):
        pca.partial_fit(_centred(data, rows, mean))
        fitted += len(rows)
        report(fitted, count, "fit")
    coefficient_mean, coefficient_std = _coefficient_statistics(pca, data, mean, batch_size, report)
    return PcaBasis(
        components=pca.components_.astype(np.float32),
        mean=mean,
        coefficient_mean=coefficient_mean,
        coefficient_std=coefficient_std,
        explained_variance_ratio=pca.explained_variance_ratio_.astype(np.float32),
        singular_values=pca.singular_values_.astype(np.float32),
    )


def _batches(order: np.ndarray, size: int, keep_partial: bool) -> Iterator[np.ndarray]:
    end = len(order) if keep_partial else len(order) - len(order) % size
    if not end:
        raise UniTalkerError(
            "pca.too_few_frames",
            f"{len(order)} frames do not fill one batch of {size}, and partial batches are to be left out.",
            "Use a smaller batch or keep the last partial batch.",
        )
    for start in range(0, end, size):
        yield order[start : min(start + size, end)]


def _centred(data: Rows, rows: np.ndarray | slice, mean: np.ndarray) -> np.ndarray:
    centred: np.ndarray = np.asarray(data[rows], np.float32) - mean
    return centred


def _mean(data: Rows, batch_size: int, report: Progress) -> np.ndarray:
    total = np.zeros(data.shape[1])
    for start in range(0, len(data), batch_size):
        batch = np.asarray(data[start : start + batch_size])
        broken = np.flatnonzero(~np.isfinite(batch).all(1))
        if broken.size:
            row = start + int(broken[0])
            where = data.label(row) if isinstance(data, ClipFrames) else f"Frame {row} of the frames for the PCA"
            raise UniTalkerError(
                "pca.not_finite",
                f"{where} contains NaN or infinite numbers.",
                "unitalker train data check names the clip.",
            )
        total += batch.sum(0, dtype=np.float64)
        report(start + len(batch), len(data), "mean")
    return (total / len(data)).astype(np.float32)


def _coefficient_statistics(
    pca: IncrementalPCA, data: Rows, mean: np.ndarray, batch_size: int, report: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population deviation of every coefficient over all frames, in float64."""
    total, squares = np.zeros(pca.n_components_), np.zeros(pca.n_components_)
    for start in range(0, len(data), batch_size):
        coefficients = pca.transform(_centred(data, slice(start, start + batch_size), mean)).astype(np.float64)
        total += coefficients.sum(0)
        squares += np.square(coefficients).sum(0)
        report(start + len(coefficients), len(data), "coefficients")
    average = total / len(data)
    deviation = np.sqrt(np.maximum(squares / len(data) - average**2, 0))
    return average.astype(np.float32), deviation.astype(np.float32)


def _spool(clips: Iterable[np.ndarray], path: Path) -> np.ndarray:
    """Writes clips one after the other; gives all their frames as a memory-mapped (N, D)."""
    count, dim = 0, 0
    with path.open("wb") as file:
        for number, clip in enumerate(clips):
            flat = np.ascontiguousarray(clip, np.float32).reshape(len(clip), -1)
            if number and flat.shape[1] != dim:
                raise UniTalkerError(
                    "pca.topology",
                    f"Clip {number} has {_vertices(flat.shape[1])}, the clips before it {_vertices(dim)}.",
                    "A PCA is of one topology: fit each annotation type by itself.",
                )
            dim = flat.shape[1]
            count += len(flat)
            file.write(flat.data)
    if not count:
        raise UniTalkerError("pca.too_few_frames", "There is not a single frame to fit a PCA to.")
    return np.memmap(path, np.float32, "r", shape=(count, dim))


def _vertices(dim: int) -> str:
    return f"{dim // 3} vertices ({dim} numbers)" if dim % 3 == 0 else f"{dim} numbers"
