"""PCA of vertex annotations as a layer: coefficients to vertex offsets and back (paper section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PcaLayer(nn.Module):
    """A fixed basis, kept in buffers under the official names.

    Args:
        stored: components kept.
        dim: coordinates of the annotation.
        used: components that the head predicts, at most `stored`.
    """

    feat_to_data: Tensor
    data_to_feat: Tensor
    data_bias: Tensor

    def __init__(self, stored: int, dim: int, used: int) -> None:
        super().__init__()
        if used > stored:
            raise ValueError(f"{used} PCA components wanted, {stored} stored")
        self.used = used
        self.register_buffer("feat_to_data", torch.zeros(stored, dim))
        self.register_buffer("data_to_feat", torch.zeros(dim, stored))
        self.register_buffer("data_bias", torch.zeros(dim))
        # Carried along by the official files and never used: coefficients are not whitened.
        self.register_buffer("feat_mean", torch.zeros(stored))
        self.register_buffer("feat_std", torch.ones(stored))

    def decode(self, coefficients: Tensor) -> Tensor:
        """``(…, used)`` coefficients to ``(…, dim)`` offsets from the template."""
        # Half precision would move vertices by millimetres.
        with torch.autocast(coefficients.device.type, enabled=False):
            return coefficients.float() @ self.feat_to_data[: self.used] + self.data_bias

    def encode(self, offsets: Tensor) -> Tensor:
        """``(…, dim)`` offsets from the template to ``(…, used)`` coefficients."""
        return (offsets - self.data_bias) @ self.data_to_feat[:, : self.used]
