"""From the numbers of a head to the vertices of a face: what Eq. 3 and Eq. 4 of the paper have in common.

Losses and metrics compare faces as vertices in metres, whatever a head predicts. A *geometry* is a module that
maps the values of one annotation type, ``(..., D)``, to vertices ``(..., V, 3)``; FLAME's is in `training.flame`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn

from backend.errors import UniTalkerError
from training.arrays import read_arrays


class Geometry(nn.Module, ABC):
    """Values of one annotation type, ``(..., D)``, to vertices ``(..., V, 3)`` in metres."""

    @abstractmethod
    def forward(self, values: Tensor) -> Tensor: ...


class FlatVertices(Geometry):
    """Vertex annotations: x, y, z of each vertex in a row."""

    def forward(self, values: Tensor) -> Tensor:
        return values.reshape(*values.shape[:-1], -1, 3)


class BlendshapeBasis(Geometry):
    """Paper Eq. 3: a mean shape plus the weighted sum of blendshape offsets.

    Args:
        mean_shape: (V, 3), metres.
        blendshapes: (K, V, 3), offsets from the mean shape at weight 1, metres.
    """

    mean_shape: Tensor
    blendshapes: Tensor

    def __init__(self, mean_shape: Tensor, blendshapes: Tensor) -> None:
        super().__init__()
        if blendshapes.ndim != 3 or blendshapes.shape[1:] != mean_shape.shape or mean_shape.shape[-1] != 3:
            raise UniTalkerError(
                "geometry.basis_shape",
                f"A blendshape basis of shape {tuple(blendshapes.shape)} does not belong to a mean shape of "
                f"{tuple(mean_shape.shape)}.",
                "Expected are (K, V, 3) and (V, 3) for K blendshapes of V vertices.",
            )
        self.register_buffer("mean_shape", mean_shape.float(), persistent=False)
        self.register_buffer("blendshapes", blendshapes.float(), persistent=False)

    @classmethod
    def load(cls, path: Path) -> BlendshapeBasis:
        """Reads the arrays ``meanshape`` and ``blendshape`` of the released ``.npz`` files.

        Raises:
            UniTalkerError: the file is missing, unreadable or not a blendshape basis.
        """
        arrays = read_arrays(path, ("meanshape", "blendshape"), "a blendshape basis")
        vertices = arrays["meanshape"].size // 3
        return cls(
            torch.from_numpy(arrays["meanshape"].reshape(vertices, 3)),
            torch.from_numpy(arrays["blendshape"].reshape(-1, vertices, 3)),
        )

    def forward(self, values: Tensor) -> Tensor:
        return self.mean_shape + torch.einsum("...k,kvc->...vc", values, self.blendshapes)
