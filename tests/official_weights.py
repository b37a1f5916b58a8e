"""Random weights in names, shapes and size of the released checkpoints, which nobody may pass on.

usage: python -m tests.official_weights B checkpoint.pt
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from backend.model.spec import HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from backend.official_release import (
    WAVLM_BASE_PLUS,
    XLSR_53,
    ReleasedEncoder,
    identity_names,
    released_annotations,
)

RELEASED = {"B": WAVLM_BASE_PLUS, "L": XLSR_53}
COMPONENTS = 512


def official_spec(released: ReleasedEncoder) -> ModelSpec:
    """The released model: six heads, 935 identities, PCA with 512 components."""
    heads = (
        HeadSpec(annotation=annotation, components=COMPONENTS if annotation.kind == "vertices" else None)
        for annotation in released_annotations().values()
    )
    return ModelSpec(encoder=released.spec, heads=tuple(heads), identities=identity_names(935)[0])


def random_model(released: ReleasedEncoder) -> UniTalker:
    """A model whose heads move, though those of an untrained one begin at zero."""
    torch.manual_seed(0)
    model = UniTalker(official_spec(released)).eval()
    for head in model.out_head_dict.values():
        nn.init.normal_(head.weight, 0.0, 0.05)  # type: ignore[arg-type]
    return model


def save_checkpoint(variant: str, path: Path) -> None:
    """Write a ``.pt`` as the official training code does: a flat table without PCA."""
    state = random_model(RELEASED[variant]).state_dict()
    torch.save({name: tensor for name, tensor in state.items() if not name.startswith("pca_layer_dict.")}, path)


if __name__ == "__main__":
    save_checkpoint(sys.argv[1], Path(sys.argv[2]))
