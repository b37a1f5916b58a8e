"""``unitalker train``: from data sets to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.engine import choose_device
from backend.errors import UniTalkerError
from training.check_cli import check_command
from training.config import find_recipe, load_recipe, parse_changes
from training.datasets.cli import data_app
from training.datasets.clip import Split
from training.lips_cli import lips_command
from training.motion_cli import measures_command
from training.pca_cli import pca_app
from training.report.cli import report_command
from training.reproduce.cli import reproduce_app
from training.starting_cli import finetune_command, oneshot_command, transfer_command
from training.synthesis.cli import not_speech_command, relabel_command, synthesise_command
from training.whisper_source import read_encoder, save_encoder

app = typer.Typer(
    help="Train models: from a folder of recordings, or from a recipe, to a head that speaks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
RecipeArgument = Annotated[str, typer.Argument(help="A YAML file, or the name of one in training/recipes.")]
DataRootOption = Annotated[Path, typer.Option(help="Folder of the data sets.")]
OnlyOption = Annotated[list[str] | None, typer.Option(help="Use only this data set of the recipe; may be repeated.")]
ChangesOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change a field, such as decoder.kind=transformer; may be repeated.")
]
RunArgument = Annotated[Path, typer.Argument(help="Folder of the run.")]

# Panels of --help, in the order in which somebody meets them.
_OWN, _MODELS, _JUDGING, _PAPER, _SPEECH = (
    "Your own recordings",
    "Models from recipes",
    "Judge and use",
    "The paper",
    "Data made or mended",
)

app.add_typer(data_app, name="data", rich_help_panel=_OWN)
app.command("finetune", rich_help_panel=_OWN)(finetune_command)
app.command("transfer", rich_help_panel=_OWN)(transfer_command)
app.command("oneshot", rich_help_panel=_OWN)(oneshot_command)
app.command("check", rich_help_panel=_MODELS)(check_command)
app.command("report", rich_help_panel=_JUDGING)(report_command)
app.command("measures", rich_help_panel=_JUDGING)(measures_command)
app.add_typer(pca_app, name="pca", rich_help_panel=_MODELS)
app.add_typer(reproduce_app, name="reproduce", rich_help_panel=_PAPER)
app.command("synthesise", rich_help_panel=_SPEECH)(synthesise_command)
app.command("relabel", rich_help_panel=_SPEECH)(relabel_command)
app.command("not-speech", rich_help_panel=_SPEECH)(not_speech_command)
app.command("lips", rich_help_panel=_SPEECH)(lips_command)


@app.command("encoder", rich_help_panel=_MODELS)
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


@app.command("run", rich_help_panel=_MODELS)
def run_command(
    recipe: RecipeArgument,
    data_root: DataRootOption = Path("data"),
    only: OnlyOption = None,
    changes: ChangesOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/NAME if left out.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder for stored features, shared by runs.")] = Path("runs/cache"),
    encoder: Annotated[
        Path | None, typer.Option(help="Encoder file or folder in place of the recipe's source.", exists=True)
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch the encoder from the Hugging Face hub.")] = False,
    device: DeviceOption = "auto",
) -> None:
    """Train a model from the beginning."""
    import torch

    from training.places import Places
    from training.running import train_run

    settings = load_recipe(find_recipe(recipe), only or (), parse_changes(changes or ()))
    run = out or Path("runs") / settings.name
    places = Places(data_root, cache, encoder, download=download)
    if train_run(settings, run, places, torch.device(choose_device(device))):
        typer.echo(f"{run} is trained. Next: unitalker train evaluate {run}, unitalker train export {run}")


@app.command("resume", rich_help_panel=_MODELS)
def resume_command(run: RunArgument, device: DeviceOption = "auto") -> None:
    """Go on with a training that was interrupted."""
    import torch

    from training.running import resume_run

    if resume_run(run, torch.device(choose_device(device))):
        typer.echo(f"{run} is trained.")


@app.command("evaluate", rich_help_panel=_JUDGING)
def evaluate_command(
    source: Annotated[Path, typer.Argument(help="Folder of a run or of a model.")],
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data sets; the run's own if left out.")] = None,
    split: Annotated[str, typer.Option(help="val or test.")] = "val",
    speech: Annotated[Path | None, typer.Option(help="Also: folder of sounds without motion.")] = None,
    phones: Annotated[Path | None, typer.Option(help="Phone times of these sounds as JSON.")] = None,
    floor: Annotated[bool, typer.Option(help="Compare with a linear head on the frozen features (runs only).")] = True,
    per_identity: Annotated[bool, typer.Option("--per-identity", help="Also a table for each speaker.")] = False,
    per_channel: Annotated[bool, typer.Option("--per-channel", help="Also r and lag of every channel.")] = False,
    device: DeviceOption = "auto",
) -> None:
    """Measure a model on held-out data; the numbers of a run go into the card of its export.

    In brackets are 95 % intervals (bootstrap over recordings). What each number means: docs/measures.md.
    """
    import torch

    from training.evaluation import evaluate
    from training.results_table import show_results

    if split not in ("val", "test"):
        raise UniTalkerError("evaluation.split", f"There is no split {split!r}.", "Use val or test.")
    chosen = torch.device(choose_device(device))
    held_out: Split = "val" if split == "val" else "test"
    results = evaluate(source, data_root, held_out, speech, phones, floor, chosen, per_identity)
    show_results(results, per_channel)


@app.command("export", rich_help_panel=_JUDGING)
def export_command(
    run: RunArgument,
    output: Annotated[
        Path | None,
        typer.Argument(help="Folder of the model to write, replaced if it exists; among your models if left out."),
    ] = None,
) -> None:
    """Make a model of a run: fp16 weights, manifest, card, and the graph for the fast engine.

    Without a folder it goes among your own models, where the add-on and
    unitalker models list it.
    """
    from training.export import export_run

    exported = export_run(run, output)
    for note in exported.notes:
        typer.echo(f"note: {note}", err=True)
    size = sum(file.stat().st_size for file in exported.folder.iterdir())
    typer.echo(f"{exported.folder}: {size / 1e6:.1f} MB")
    speaker = exported.name if output is None else exported.folder
    typer.echo(f"Hear and see it: unitalker animate SOUND.wav --model {speaker} -o face.csv")


@app.command("official-results", rich_help_panel=_PAPER)
def official_results_command(
    sounds: Annotated[Path, typer.Argument(help="Folder of .wav and .mp3 files, or one file.", exists=True)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .npz to write.")],
    model: Annotated[str, typer.Option(help="Name or folder of an imported checkpoint.")],
    resources: Annotated[
        Path | None, typer.Option(help="The release's binary_resources, for the heads that predict no vertices.")
    ] = None,
    pca_root: Annotated[
        Path | None, typer.Option(help="Data root of the release, for the template of each data set.")
    ] = None,
    identity: Annotated[str | None, typer.Option(help="Speaking style; the pivot if left out.")] = None,
    device: DeviceOption = "auto",
) -> None:
    """Write the vertices of every sound and data set as the official demo does."""
    from backend.bundle import load_bundle
    from training.official_results import (
        find_sounds,
        find_templates,
        official_results,
        read_geometries,
        write_results,
    )

    found, (geometries, missing), templates = find_sounds(sounds), read_geometries(resources), find_templates(pca_root)
    bundle = load_bundle(model, choose_device(device))
    names = write_results(official_results(bundle, found, geometries, templates, identity), output)
    for note in missing:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{output}: {', '.join(names)}")
