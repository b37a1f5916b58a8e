"""A training at one moment, in one file that is complete or not there at all."""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from backend.errors import UniTalkerError
from backend.model.spec import ModelSpec
from training.config import Recipe
from training.observer import EpochReport, StageName
from training.tally import Tally

_FORMAT = 2


@dataclass(frozen=True)
class Position:
    """Where a training stands: the next batch to be trained.

    Attributes:
        stage: ``warm_up`` or ``joint``.
        epoch: from 0.
        batch: within the epoch, from 0.
        done: whether nothing is left to train.
    """

    stage: StageName = "warm_up"
    epoch: int = 0
    batch: int = 0
    done: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """What resuming needs.

    Attributes:
        recipe: of the training.
        spec: of the model.
        position: the next batch.
        model: state dict.
        optimiser: its state dict; empty at the beginning of a stage.
        random: torch's generator states by device.
        tally: of the epoch's steps so far.
        history: reports of all epochs so far.
    """

    recipe: Recipe
    spec: ModelSpec
    position: Position
    model: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    random: dict[str, torch.Tensor]
    tally: Tally = field(default_factory=Tally)
    history: tuple[EpochReport, ...] = ()


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Writes to a temporary name, forces it to disk, then renames: killing the process at any moment loses nothing."""
    content = {
        "format": _FORMAT,
        "recipe": checkpoint.recipe.model_dump_json(),
        "spec": checkpoint.spec.model_dump_json(),
        "position": asdict(checkpoint.position),
        "model": checkpoint.model,
        "optimiser": checkpoint.optimiser,
        "random": checkpoint.random,
        "tally": asdict(checkpoint.tally),
        "history": [asdict(report) for report in checkpoint.history],
    }
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint onto the CPU; runs no code from it.

    Raises:
        UniTalkerError: there is none, or it is not one.
    """
    if not path.is_file():
        raise UniTalkerError(
            "checkpoint.not_found", f"There is no checkpoint {path}.", "Start the training with unitalker train run."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return Checkpoint(
            recipe=Recipe.model_validate_json(content["recipe"]),
            spec=ModelSpec.model_validate_json(content["spec"]),
            position=Position(**content["position"]),
            model=content["model"],
            optimiser=content["optimiser"],
            random=content["random"],
            tally=Tally(**content["tally"]),
            history=tuple(EpochReport(**report) for report in content["history"]),
        )
    except (RuntimeError, pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError) as error:
        raise UniTalkerError(
            "checkpoint.unreadable", f"{path} is not a checkpoint of this version: {error}", "Start the training anew."
        ) from error


def random_state() -> dict[str, torch.Tensor]:
    """States of torch's generators; everything else random is derived from the seed and the position."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: dict[str, torch.Tensor]) -> None:
    """Sets torch's generators; a generator of a device that is missing now is left out."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
