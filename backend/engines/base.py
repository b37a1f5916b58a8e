"""What the rest of the backend asks of whatever computes the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.bundle_manifest import Manifest
from backend.engine import EngineName


@dataclass(frozen=True)
class Reading:
    """What is wanted of a stretch of sound from one head.

    Attributes:
        head: annotation type.
        frames: motion frames.
        identities: rows of the identity table.
        template: float32 ``(channels,)``, added to the output; None for none.
    """

    head: str
    frames: int
    identities: tuple[int, ...]
    template: np.ndarray | None = None


@dataclass(frozen=True)
class SpeechWindow:
    """A stretch of sound, float32 ``(samples,)`` at 16 kHz, and everything that is wanted of it."""

    samples: np.ndarray
    readings: tuple[Reading, ...]


class Engine(ABC):
    """A model, loaded and ready to compute.

    Attributes:
        name: of the engine.
        manifest: of the model.
        device: where it computes: ``cpu``, ``cuda``, ``mps``, or what the onnx engine uses in their place,
            ``directml`` and ``coreml``.
        notes: remarks for the user, e.g. that the wanted device could not be used.
        batch_size: stretches of sound that one call of `predict_batch` should get: 1 where more are not faster.
    """

    name: EngineName
    manifest: Manifest
    device: str
    notes: tuple[str, ...] = ()
    batch_size: int = 1

    @abstractmethod
    def predict_windows(
        self,
        waveforms: np.ndarray,
        head: str,
        frames: int,
        identities: Sequence[int],
        template: np.ndarray | None = None,
    ) -> np.ndarray:
        """Motion of several stretches of sound of the same length.

        Args:
            waveforms: float32 ``(batch, samples)``, 16 kHz, -1 to 1.
            head: annotation type.
            frames: motion frames wanted.
            identities: rows of the identity table, one for each waveform; for a single waveform any number, which
                come from one pass of the encoder.
            template: float32 ``(channels,)``, added to the output.

        Returns:
            float32 ``(identities, frames, channels)``.

        Raises:
            UniTalkerError: ``audio.too_short``, ``model.too_long``, ``engine.failed``.
            MemoryError: or what `backend.engine.memory_watched` makes an error of.
        """

    @abstractmethod
    def template(self, head: str) -> np.ndarray | None:
        """The template float32 ``(channels,)`` that the model carries for a head, if it does."""

    def predict_window(
        self, waveform: np.ndarray, head: str, frames: int, identity: int, template: np.ndarray | None = None
    ) -> np.ndarray:
        """Motion float32 ``(frames, channels)`` of one waveform ``(samples,)``; the rest as `predict_windows`."""
        motion: np.ndarray = self.predict_windows(waveform[None], head, frames, [identity], template)[0]
        return motion

    def predict_batch(self, windows: Sequence[SpeechWindow]) -> list[list[np.ndarray]]:
        """Motion of several stretches of sound of any lengths, each as if it were alone.

        An engine that can listens to each stretch once, whatever is read from it; a batch of one gives the very
        numbers of `predict_windows`, of several the same up to the rounding of another order of sums.

        Returns:
            For each stretch, and each of its readings, float32 ``(identities, frames, channels)``.
        """
        return [
            [
                self.predict_windows(
                    window.samples[None], wanted.head, wanted.frames, wanted.identities, wanted.template
                )
                for wanted in window.readings
            ]
            for window in windows
        ]
