"""The network on torch, for every model and device that torch has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from backend.bundle import Bundle
from backend.engines.base import Engine


class TorchEngine(Engine):
    """Computes with the module of a loaded bundle."""

    name = "torch"

    def __init__(self, bundle: Bundle) -> None:
        self.manifest = bundle.manifest
        self.device = bundle.device.type
        self._model = bundle.model
        self._device = bundle.device

    def predict_windows(
        self,
        waveforms: np.ndarray,
        head: str,
        frames: int,
        identities: Sequence[int],
        template: np.ndarray | None = None,
    ) -> np.ndarray:
        with torch.inference_mode():
            rows = torch.tensor(list(identities), device=self._device)
            features = self._model.encode(torch.from_numpy(waveforms).to(self._device), frame_count=frames)
            # One by one for identities of one waveform, so that none depends, by a bit, on which others are asked for.
            batches = torch.split(rows, 1) if len(waveforms) == 1 else (rows,)
            values = torch.cat([self._model.decode(features, frames, batch, head).values for batch in batches])
            if template is not None:
                values = values + torch.from_numpy(template).to(self._device)
            return values.float().cpu().numpy()

    def template(self, head: str) -> np.ndarray | None:
        template = self._model.template(head)
        return None if template is None else template.detach().cpu().numpy()
