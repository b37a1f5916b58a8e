"""``unitalker train finetune``, ``transfer`` and ``oneshot``: from a model there is to one for one's own recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from backend.catalogue import DEFAULT_MODEL

ModelOption = Annotated[str, typer.Option(help="Model to start from: name of an installed one, or folder of a run.")]
OutOption = Annotated[Path | None, typer.Option(help="Folder of the run; runs/NAME if left out.")]
NameOption = Annotated[str | None, typer.Option(help="Of the new model; made from model and data if left out.")]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, help="Passes over the data; chosen by their amount if left out.")
]
CacheOption = Annotated[Path, typer.Option(help="Folder for stored features, shared by runs.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
DataArgument = Annotated[Path, typer.Argument(help="Folder that unitalker train data convert wrote.")]

_CACHE = Path("runs/cache")


def finetune_command(
    data: DataArgument,
    model: ModelOption = DEFAULT_MODEL,
    out: OutOption = None,
    name: NameOption = None,
    epochs: EpochsOption = None,
    cache: CacheOption = _CACHE,
    device: DeviceOption = "auto",
) -> None:
    """Teach a model how a person speaks, from minutes of recordings.

    It keeps its head: the weights of Live Link Face, of video and of Blender
    train its ARKit head by the names of their channels. Only the decoder is
    trained, which takes minutes on a processor too.

    What was decided is in recipe.yaml of the run, to be changed and run again.
    """
    from training.own_recipe import finetuning_recipe
    from training.own_training import Choices, train_own

    train_own(finetuning_recipe, data, Choices(model, out, name, epochs, cache, device))


def transfer_command(
    data: DataArgument,
    model: ModelOption = DEFAULT_MODEL,
    decoder: Annotated[
        Literal["keep", "fresh"],
        typer.Option(help="keep what the model knows of faces, or begin a fresh decoder on its speech encoder."),
    ] = "keep",
    out: OutOption = None,
    name: NameOption = None,
    epochs: EpochsOption = None,
    cache: CacheOption = _CACHE,
    device: DeviceOption = "auto",
) -> None:
    """Give a model a head for shapes or a mesh that it has never seen.

    The head begins from nothing, the decoder from the model. The new model
    has this head alone.
    """
    from training.own_recipe import transfer_recipe
    from training.own_training import Choices, train_own

    train_own(transfer_recipe, data, Choices(model, out, name, epochs, cache, device), decoder)


def oneshot_command(
    clip: Annotated[
        Path, typer.Argument(help="Motion file of a take with its sound beside it, or a folder with one take.")
    ],
    model: ModelOption = DEFAULT_MODEL,
    identity: Annotated[
        str | None, typer.Option(help="Whose face it is; otherwise named after the folder around the take.")
    ] = None,
    out: OutOption = None,
    name: NameOption = None,
    epochs: EpochsOption = None,
    cache: CacheOption = _CACHE,
    device: DeviceOption = "auto",
) -> None:
    """Give a model the manner of a new person from a single take.

    The take is a .csv of Live Link Face, or an .npz or .json of this project,
    with a sound beside it. One longer than 20 s is cut in pauses.

    Nothing is held back to judge the result by: listen and look.
    """
    from training.own_training import Choices, train_one_shot

    train_one_shot(clip, identity, Choices(model, out, name, epochs, cache, device))
