"""Parts of a take that were generated again: another performance between two frames, blended at both ends."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .scene.blending import edge_weights

_LAYERS = ("blinks", "gaze", "head", "breathing")
_SEEDS = 2**31


@dataclass(frozen=True)
class Passage:
    """One such part.

    Attributes:
        first, last: scene frames.
        blend: frames at both ends over which it goes over from and to the rest of the take.
        seed: added to the seeds of the layers.
    """

    first: int
    last: int
    blend: int
    seed: int

    def direction(self, direction: Mapping[str, Any]) -> dict[str, Any]:
        """`direction` with the seeds of this passage."""
        other = copy.deepcopy(dict(direction))
        for layer in _LAYERS:
            if layer in other:
                other[layer]["seed"] = (other[layer].get("seed", 0) + self.seed) % _SEEDS
        return other

    def blended(self, values: np.ndarray, others: np.ndarray, frame_start: int) -> np.ndarray:
        """`values` outside, `others` inside.

        Args:
            values, others: float32 of shape ``(frames, channels)``.
            frame_start: scene frame of their first row.
        """
        weights = np.zeros((len(values), 1), np.float32)
        begin, end = max(self.first - frame_start, 0), min(self.last + 1 - frame_start, len(values))
        weights[begin:end, 0] = edge_weights(max(end - begin, 0), self.blend)
        return np.asarray(values + weights * (others - values), np.float32)
