"""The PCA of a training's heads: that of the data sets' folders, or fitted to their training clips."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from backend.annotation import Annotation
from backend.model.unitalker import UniTalker
from training.config import Recipe
from training.datasets.corpus import Corpus
from training.datasets.writer import PCA_FILE
from training.pca import PcaBasis, fit_pca

_BATCH = 1024


def head_bases(recipe: Recipe, corpus: Corpus, folder: Path, kept: set[str]) -> dict[str, PcaBasis]:
    """The PCA of each new head that has one, by annotation type.

    Args:
        recipe: how many components.
        corpus: the data sets.
        folder: of the run, where they are kept.
        kept: heads whose PCA comes from the start model.

    Raises:
        UniTalkerError: a data set's own PCA is of another topology, or has too few components.
    """
    bases = {}
    for type_name, annotation in corpus.annotations.items():
        components = recipe.heads[type_name].components
        if components is None or type_name in kept:
            continue
        basis = stored_basis(corpus, annotation, components)
        if basis is None:
            motions = partial(_motions, corpus, annotation)
            basis = fit_pca(motions, components=components, batch_size=_BATCH, seed=recipe.seed)
        bases[type_name] = basis
        folder.mkdir(exist_ok=True)
        basis.save(folder / f"{type_name}.npz")
    return bases


def stored_basis(corpus: Corpus, annotation: Annotation, components: int) -> PcaBasis | None:
    """The PCA that all data sets of an annotation type have in their folders; ``None`` if it has to be fitted."""
    folders = [corpus.folder_of(name) for name in corpus.trained if corpus.annotation_of(name) == annotation]
    stored = _common_pca(folders)
    return None if stored is None else PcaBasis.load(stored, annotation.dim).first(components)


def _common_pca(folders: list[Path]) -> Path | None:
    """The PCA file of all these folders, unless one lacks it or has another."""
    files = [folder / PCA_FILE for folder in folders]
    same = all(file.is_file() and filecmp.cmp(file, files[0], shallow=False) for file in files)
    return files[0] if same else None


def _motions(corpus: Corpus, annotation: Annotation) -> Iterator[np.ndarray]:
    for name in corpus.trained:
        if corpus.annotation_of(name) == annotation:
            for clip in corpus.clips(name, "train"):
                yield clip.motion


def load_basis(model: UniTalker, type_name: str, basis: PcaBasis) -> None:
    """Gives a PCA to a head of the model."""
    components = torch.from_numpy(basis.components)
    model.pca_layer_dict[type_name].load_state_dict(
        {
            "feat_to_data": components,
            "data_to_feat": components.T.contiguous(),
            "data_bias": torch.from_numpy(basis.mean),
            "feat_mean": torch.from_numpy(basis.coefficient_mean),
            "feat_std": torch.from_numpy(basis.coefficient_std),
        }
    )
