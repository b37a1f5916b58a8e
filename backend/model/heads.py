"""Output heads: one per annotation type (paper section 3.1)."""

from __future__ import annotations

from torch import nn

from backend.model.spec import HeadSpec


def build_head(width: int, head: HeadSpec) -> nn.Module:
    """A linear layer that starts at zero, so that an untrained model shows the template; or several joined by tanh."""
    if head.layers == 1:
        linear = nn.Linear(width, head.width)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        return linear
    return DeepHead(width, head.width, head.layers)


class DeepHead(nn.Sequential):
    """Several linear layers joined by tanh, under the official parameter names ``head_layer.0, head_layer.2, …``."""

    def __init__(self, width: int, out: int, layers: int) -> None:
        hidden = [module for _ in range(layers - 1) for module in (nn.Linear(width, width), nn.Tanh())]
        super().__init__()
        self.add_module("head_layer", nn.Sequential(*hidden, nn.Linear(width, out)))
