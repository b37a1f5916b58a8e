"""A training at one moment, in one file that is complete or not there at all."""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from backend.errors import UniTalkerError
from backend.model.spec import ModelSpec
from training.config import Recipe
from training.observer import EpochReport, StageName
from training.revision import git_revision
from training.stage_training import StageState, evaluated_weights
from training.tally import Tally

_FORMAT = 2


@dataclass(frozen=True)
class Position:
    """Where a training stands: the next batch to be trained.

    It is also the state of everything random: the order of an epoch, and the cuts, identities and dropout of a step
    follow from the seed and the position.

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
        model: state dict as it is trained.
        stage: optimiser and what goes with it; empty at the beginning and the end of a stage.
        tally: of the epoch's steps so far.
        history: reports of all epochs so far.
        data: digest of the data's manifest, see `training.data_manifest`.
        revision: git revision of the program that wrote it; ``None`` outside of a checkout.
    """

    recipe: Recipe
    spec: ModelSpec
    position: Position
    model: dict[str, torch.Tensor]
    stage: StageState = field(default_factory=StageState)
    tally: Tally = field(default_factory=Tally)
    history: tuple[EpochReport, ...] = ()
    data: str = ""
    revision: str | None = None

    @property
    def evaluated_model(self) -> dict[str, torch.Tensor]:
        """State dict to be evaluated and exported: with the best or the averaged weights where the recipe asks."""
        return self.model | evaluated_weights(self.stage)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Writes to a temporary name, forces it to disk, then renames: killing the process at any moment loses nothing.

    Raises:
        UniTalkerError: it cannot be written; the one before is as it was.
    """
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            torch.save(_content(checkpoint), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _force_to_disk(path.parent)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        # torch's writer hides what the system said behind an error of its own.
        cause = error if isinstance(error, OSError) else error.__context__
        reason = cause.strerror if isinstance(cause, OSError) else error
        raise UniTalkerError(
            "checkpoint.unwritable",
            f"The checkpoint {path} cannot be written: {reason}. The one before is untouched.",
            f"Free some space, then go on with unitalker train resume {path.parent}.",
        ) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint onto the CPU; runs no code from it.

    Raises:
        UniTalkerError: there is none, it is damaged, or another version of this program wrote it.
    """
    if not path.is_file():
        raise UniTalkerError(
            "checkpoint.not_found", f"There is no checkpoint {path}.", "Start the training with unitalker train run."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != _FORMAT:
            raise _other_version(path, content)
        return Checkpoint(
            recipe=Recipe.model_validate_json(content["recipe"]),
            spec=ModelSpec.model_validate_json(content["spec"]),
            position=Position(**content["position"]),
            model=content["model"],
            stage=StageState(**content["stage"]),
            tally=Tally(**content["tally"]),
            history=tuple(EpochReport(**report) for report in content["history"]),
            data=content["data"],
            revision=content["revision"],
        )
    except (OSError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError) as error:
        raise UniTalkerError(
            "checkpoint.unreadable", f"{path} is not a checkpoint of this version: {error}", "Start the training anew."
        ) from error


def _content(checkpoint: Checkpoint) -> dict[str, object]:
    """Plain data and tensors, which are read without unpickling anything else."""
    stage = checkpoint.stage
    return {
        "format": _FORMAT,
        "recipe": checkpoint.recipe.model_dump_json(),
        "spec": checkpoint.spec.model_dump_json(),
        "position": asdict(checkpoint.position),
        "model": checkpoint.model,
        # Not by asdict, which would copy every tensor.
        "stage": {
            "optimiser": stage.optimiser,
            "scaler": stage.scaler,
            "average": stage.average,
            "best": stage.best,
        },
        "tally": asdict(checkpoint.tally),
        "history": [asdict(report) for report in checkpoint.history],
        "data": checkpoint.data,
        "revision": git_revision(),
    }


def _other_version(path: Path, content: dict[str, object]) -> UniTalkerError:
    revision = content.get("revision")
    return UniTalkerError(
        "checkpoint.version",
        f"{path} is a checkpoint of format {content['format']}, and this version reads format {_FORMAT}.",
        f"Finish that training with the version that began it{f' ({revision})' if revision else ''}, or start anew.",
    )


def _force_to_disk(folder: Path) -> None:
    """Makes a rename survive a loss of power; Windows does so by itself and cannot open folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
