"""The network on torch, for every model and device that torch has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from backend.bundle import Bundle
from backend.engines.base import Engine, Reading, SpeechWindow


class TorchEngine(Engine):
    """Computes with the module of a loaded bundle."""

    name = "torch"

    def __init__(self, bundle: Bundle) -> None:
        self.manifest = bundle.manifest
        self.device = bundle.device.type
        self._model = bundle.model
        self._device = bundle.device
        # On a processor a batch is no faster than one after another; a graphics card is idle between small ones.
        self.batch_size = 16 if self.device == "cuda" else 1

    def predict_windows(
        self,
        waveforms: np.ndarray,
        head: str,
        frames: int,
        identities: Sequence[int],
        template: np.ndarray | None = None,
    ) -> np.ndarray:
        with torch.inference_mode():
            features = self._model.encode(torch.from_numpy(waveforms).to(self._device), frame_count=frames)
            return self._decode(features, Reading(head, frames, tuple(identities), template))

    def predict_batch(self, windows: Sequence[SpeechWindow]) -> list[list[np.ndarray]]:
        # There the encoder's own transformer runs at the motion's rate, so that its features serve one rate only.
        if self.manifest.spec.decoder.interpolate_position == 0:
            return super().predict_batch(windows)
        with torch.inference_mode():
            waveforms = [torch.from_numpy(window.samples).to(self._device) for window in windows]
            lengths = [len(waveform) for waveform in waveforms]
            features = self._model.encode(pad_sequence(waveforms, batch_first=True), lengths)
            if len(windows) == 1:
                return [[self._decode(features, wanted) for wanted in windows[0].readings]]
            return self._decode_batch(features, [self._model.feature_count(length) for length in lengths], windows)

    def _decode(self, features: torch.Tensor, wanted: Reading) -> np.ndarray:
        """Features ``(batch, time, width)``; of one waveform for any number of identities."""
        rows = torch.tensor(wanted.identities, device=self._device)
        # One by one for identities of one waveform, so that none depends, by a bit, on which others are asked for.
        batches = rows[:, None] if len(features) == 1 else rows[None]
        values = torch.cat([self._model.decode(features, wanted.frames, rows, wanted.head).values for rows in batches])
        return _with_template(values, wanted)

    def _decode_batch(
        self, features: torch.Tensor, counts: Sequence[int], windows: Sequence[SpeechWindow]
    ) -> list[list[np.ndarray]]:
        """Every head once, with a row for each identity of each window that wants it."""
        results: dict[tuple[int, int], np.ndarray] = {}
        for head in dict.fromkeys(wanted.head for window in windows for wanted in window.readings):
            places = [
                (number, place, wanted)
                for number, window in enumerate(windows)
                for place, wanted in enumerate(window.readings)
                if wanted.head == head
            ]
            rows = [(number, wanted.frames, row) for number, _, wanted in places for row in wanted.identities]
            numbers, frames, identities = zip(*rows, strict=True)
            values = self._model.decode(
                features[list(numbers)],
                frames,
                torch.tensor(identities, device=self._device),
                head,
                [counts[number] for number in numbers],
            ).values
            parts = values.split([len(wanted.identities) for *_, wanted in places])  # type: ignore[no-untyped-call]
            for (number, place, wanted), part in zip(places, parts, strict=True):
                results[number, place] = _with_template(part[:, : wanted.frames], wanted)
        return [[results[number, place] for place in range(len(w.readings))] for number, w in enumerate(windows)]

    def template(self, head: str) -> np.ndarray | None:
        template = self._model.template(head)
        return None if template is None else template.detach().cpu().numpy()


def _with_template(values: torch.Tensor, wanted: Reading) -> np.ndarray:
    if wanted.template is not None:
        values = values + torch.from_numpy(wanted.template).to(values.device)
    return values.float().cpu().numpy()
