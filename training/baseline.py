"""The floor to beat: the same frozen features with one linear map per head, fitted in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from backend.model.frequency_adaptor import adapt_frequency
from training.store import Entry, Store

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Tried on the validation sequences, relative to the mean energy of a feature."""


@dataclass(frozen=True)
class LinearHead:
    """Ridge regression from features to the channels of a head.

    Attributes:
        weights: (C + 1, D), the bias last.
        penalty: that did best on the validation sequences.
    """

    weights: np.ndarray
    penalty: float

    def predict(self, features: np.ndarray, frames: int) -> np.ndarray:
        """float32 (frames, D) from features (F, C) at 50 Hz."""
        predicted: np.ndarray = (_inputs(features, frames) @ self.weights).astype(np.float32)
        return predicted


def fit_linear_head(training: Store, validation: Store, head: str) -> LinearHead:
    """Fits on all training sequences of a head; the penalty is chosen on the validation sequences."""
    products, targets = _normal_equations(training, training.of_head(head))
    energy = np.trace(products) / len(products)
    candidates = []
    for penalty in PENALTIES:
        regular = np.eye(len(products)) * penalty * energy
        regular[-1, -1] = 0
        candidates.append(LinearHead(np.linalg.solve(products + regular, targets), penalty))
    return min(candidates, key=lambda candidate: _error(candidate, validation, validation.of_head(head)))


def _normal_equations(store: Store, entries: list[Entry]) -> tuple[np.ndarray, np.ndarray]:
    products, targets = np.zeros(()), np.zeros(())
    for entry in entries:
        inputs = _inputs(store.features(entry), entry.frames)
        products = products + inputs.T @ inputs
        targets = targets + inputs.T @ store.target(entry).astype(np.float64)
    return products, targets


def _error(candidate: LinearHead, store: Store, entries: list[Entry]) -> float:
    errors = [
        np.square(candidate.predict(store.features(entry), entry.frames) - store.target(entry)).mean()
        for entry in entries
    ]
    return float(np.mean(errors))


def _inputs(features: np.ndarray, frames: int) -> np.ndarray:
    """Features at the frame rate of the head with a constant column, float64 (frames, C + 1)."""
    at_frames = adapt_frequency(torch.from_numpy(features.astype(np.float32))[None], frames)[0].numpy()
    return np.column_stack([at_frames.astype(np.float64), np.ones(frames)])
