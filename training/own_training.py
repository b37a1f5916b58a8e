"""Trainings on one's own recordings, from a folder or a take to a finished run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import typer

from backend.engine import choose_device
from backend.errors import UniTalkerError
from training.config import Recipe, Start
from training.datasets.channel_matching import shared_channels
from training.datasets.convert import convert
from training.datasets.layouts import Opening, open_source
from training.datasets.live_link_face import TAKE_FILE
from training.datasets.source import Source
from training.own_recipe import ONE_SHOT, OwnData, finetuning_recipe, model_name, open_own_data
from training.places import Places
from training.running import train_run
from training.runs import check_is_new
from training.starting import StartingPoint, open_starting_point
from training.work_progress import work_progress

RecipeMaker = Callable[[OwnData, StartingPoint, Start, str], Recipe]


@dataclass(frozen=True)
class Choices:
    """What can be said of any of these trainings.

    Attributes:
        model: to start from: name of an installed one, or folder of a run or a model.
        out: folder of the run; ``None`` is runs/NAME.
        name: of the new model; ``None`` makes one of model and data.
        epochs: passes over the data; ``None`` leaves them to the recipe.
        cache: folder for stored features.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    model: str
    out: Path | None
    name: str | None
    epochs: int | None
    cache: Path
    device: str


def train_own(make: RecipeMaker, folder: Path, choices: Choices, decoder: Literal["keep", "fresh"] = "keep") -> Path:
    """Trains on a converted folder; returns the run.

    Args:
        make: makes the recipe.
        folder: that ``unitalker train data convert`` wrote.
        choices: of the user.
        decoder: whether that of the start model is kept.

    Raises:
        UniTalkerError: the folder is not one, does not fit the model, or the run exists.
    """
    own = open_own_data(folder)
    start = Start(model=choices.model, decoder=decoder)
    point = open_starting_point(start)
    name = choices.name or model_name(point.name, folder)
    run = choices.out or Path("runs") / name
    recipe = with_epochs(make(own, point, start, name), choices.epochs)
    _tell(recipe, own, point)
    places = Places(folder.resolve().parent, choices.cache)
    train_run(recipe, run, places, torch.device(choose_device(choices.device)))
    typer.echo(f"{run} is trained. How good is it: unitalker train evaluate {run}")
    typer.echo(f"To use it in Blender: unitalker train export {run}")
    return run


def train_one_shot(path: Path, identity: str | None, choices: Choices) -> Path:
    """Trains on one take; returns the run.

    Args:
        path: motion file with a sound beside it, or a folder with one such file.
        identity: whose face it is; told by the folder if left out.
        choices: of the user.

    Raises:
        UniTalkerError: there is no take or more than one, or it does not fit the model.
    """
    source = _one_take(path, identity)
    (take,) = source.recordings
    point = open_starting_point(Start(model=choices.model))
    name = choices.name or model_name(point.name, Path(take.identity))
    run = choices.out or Path("runs") / name
    check_is_new(run)
    folder = run / take.identity
    shutil.rmtree(folder, ignore_errors=True)
    with work_progress(f"convert {take.name}") as report:
        result = convert(replace(source, recordings=(replace(take, split="train"),)), folder, report)
    for problem in result.left_out:
        typer.echo(f"left out: {problem}", err=True)

    def make(own: OwnData, point: StartingPoint, start: Start, name: str) -> Recipe:
        return finetuning_recipe(own, point, start, name, ONE_SHOT)

    return train_own(make, folder, replace(choices, out=run, name=name))


def with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    """The recipe with so many passes of decoder warm-up; as it is for ``None``."""
    if epochs is None:
        return recipe
    return recipe.model_copy(update={"warm_up": recipe.warm_up.model_copy(update={"epochs": epochs})})


def _one_take(path: Path, identity: str | None) -> Source:
    """The only recording of a folder, or that of a file.

    Raises:
        UniTalkerError: there are several, or none.
    """
    folder = path.parent if path.is_file() else path
    if (folder / TAKE_FILE).is_file():
        identity = identity or folder.resolve().parent.name
    source = open_source(folder, opening=Opening(identity))
    found = [one for one in source.recordings if not path.is_file() or one.name == path.stem]
    if not found:
        raise UniTalkerError(
            "data.empty",
            f"{path} is no motion file that has a sound beside it.",
            "Name a .csv of Live Link Face, or an .npz or .json of this project; the sound has the same name.",
        )
    if len(found) > 1:
        raise UniTalkerError(
            "oneshot.several",
            f"{path} holds {len(found)} takes: {', '.join(one.name for one in found[:3])}, ...",
            "Name the motion file of one of them, or convert the folder and use unitalker train finetune.",
        )
    return replace(source, recordings=tuple(found))


def _tell(recipe: Recipe, own: OwnData, point: StartingPoint) -> None:
    """What is about to be done, before it takes its time."""
    (type_name,) = recipe.heads
    typer.echo(
        f"{own.folder}: {own.seconds / 60:.1f} minutes of {', '.join(own.data.identities)} train "
        f"{'the head' if type_name in point.annotations else 'a new head'} {type_name} of {point.name}."
    )
    if recipe.data[0].head is not None:
        names, head = own.annotation.names, point.annotations[type_name]
        shared = shared_channels(own.annotation, head)
        unused = [name for name in names if name not in shared]
        missing = [name for name in head.names if name not in shared]
        parts = [f"{len(shared)} channels are matched by name"]
        parts += [f"not used: {', '.join(unused)}"] if unused else []
        parts += [f"not in these data, and left as they are: {', '.join(missing)}"] if missing else []
        typer.echo("; ".join(parts) + ".")
