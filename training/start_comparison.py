"""What a start model says to the recordings of a training that began from it: whether the training was of any use."""

from __future__ import annotations

import logging

import numpy as np
import torch

from backend.errors import UniTalkerError
from training.config import Recipe
from training.evaluate import Predictor
from training.sequences import Sequence
from training.starting import open_starting_point

START = "start model"

_log = logging.getLogger(__name__)


def start_predictor(recipe: Recipe, device: torch.device) -> Predictor | None:
    """The start model under the identity of each person, or for people that it does not know under its pivot.

    Args:
        recipe: of a run.
        device: where to compute.

    Returns:
        ``None`` for a training without a start, or if the start model is no longer where it was, which is told.
    """
    if recipe.start is None:
        return None
    try:
        point = open_starting_point(recipe.start)
    except UniTalkerError as error:
        _log.warning("No comparison with the start model: %s", error)
        return None
    model, spec = point.model.to(device), point.spec

    @torch.inference_mode()
    def predict(sequence: Sequence) -> dict[str, np.ndarray]:
        head = sequence.annotation.type_name
        if head not in point.annotations:
            return {}
        known = sequence.identity in spec.identities
        row = spec.identities.index(sequence.identity) if known else len(spec.identities) - 1
        features = model.encode(torch.from_numpy(sequence.audio)[None].to(device), frame_count=len(sequence.target))
        output = model.decode(features, len(sequence.target), torch.tensor([row], device=device), head)
        return {START: output.values[0].cpu().numpy()}

    return predict
