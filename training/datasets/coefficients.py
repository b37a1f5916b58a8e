"""PCA coefficients of clips on disk: of a dense mesh a hundredth of its vertices, and computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.export.atomic import atomic_write
from training.datasets.clip import Clip, Split
from training.datasets.files import open_array
from training.datasets.official import OfficialDataSet
from training.pca import PcaBasis


@dataclass(frozen=True)
class EncodedClip:
    """A clip with its coefficients.

    Attributes:
        name, identity: of the clip.
        coefficients: float32 (T, K), memory-mapped.
    """

    name: str
    identity: str
    coefficients: np.ndarray


class CoefficientCache:
    """A folder of coefficients for one basis; another basis gets another folder beside it.

    Args:
        root: where the folders are.
        basis: what clips are encoded with.
    """

    def __init__(self, root: Path, basis: PcaBasis) -> None:
        digest = hashlib.sha256(basis.components.tobytes() + basis.mean.tobytes()).hexdigest()
        self.folder = root / f"pca-{digest[:16]}"
        self._basis = basis

    def encode(self, data: OfficialDataSet, split: Split) -> Iterator[EncodedClip]:
        """The clips of a split as they are trained on; a clip that is here already is not read again.

        Its file is recognised by the clip's own file, its size and the time it was changed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for reader in data.readers(split):
            path = self.folder / f"{_fingerprint(reader.path)}.npy"
            if not path.is_file():
                clip = reader.read()
                if clip is None:
                    continue
                self._write(path, clip)
            yield EncodedClip(reader.path.stem, reader.identity, open_array(path))

    def _write(self, path: Path, clip: Clip) -> None:
        with atomic_write(path) as file:
            np.save(file, self._basis.encode(clip.motion).astype(np.float32), allow_pickle=False)


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return hashlib.sha256(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}".encode()).hexdigest()[:24]
