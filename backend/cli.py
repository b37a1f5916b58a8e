"""The `unitalker` command."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from backend import __version__
from backend.batch.command import batch_command
from backend.bundle_manifest import MODELS_VARIABLE, ONNX_FILE, find_bundle, search_path
from backend.catalogue import list_models
from backend.engine import ENGINE_PACKAGES, EngineChoice, engine_needed, packages_needed
from backend.errors import UniTalkerError
from backend.export import WRITABLE, write_motion
from backend.inference import AnimateOptions
from backend.model_inspection import inspect_model
from backend.motion.presets import DirectionChoice
from backend.progress import ProgressCallback, Stage
from backend.protocol import Device, ModelInfo
from backend.session import Order, Outcome, Session
from backend.takes import TakeStore, takes_folder
from backend.viewer.command import view_command

PLUGIN_GROUP = "unitalker.commands"
MOST_IDENTITIES_SHOWN = 20

app = typer.Typer(
    name="unitalker",
    help="Makes a 3D face speak from a sound file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="List, import and inspect models.", invoke_without_command=True)
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line; what a person can act on is shown once, without a traceback."""
    add_plugins(app, sys.argv[1:])
    try:
        app(prog_name="unitalker")
    except UniTalkerError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"       {error.hint}", err=True)
        sys.exit(error.exit_code)


def add_plugins(commands: typer.Typer, arguments: list[str]) -> None:
    """Add the commands of other packages, of which `train` is one: a Typer application, or one command's function.

    They are imported only for their own call and for the help, so that a plug-in costs the other commands nothing.
    """
    called = arguments[0] if arguments else "--help"
    for plugin in sorted(entry_points(group=PLUGIN_GROUP), key=lambda entry: entry.name):
        if called in (plugin.name, "-h", "--help"):
            _add_plugin(commands, plugin)


def _add_plugin(commands: typer.Typer, plugin: EntryPoint) -> None:
    try:
        loaded = plugin.load()
    # Other people's code: whatever it raises, the rest of the command works.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        typer.echo(f"note: the command {plugin.name} is not available ({reason}).", err=True)
        return
    if isinstance(loaded, typer.Typer):
        commands.add_typer(loaded, name=plugin.name)
    else:
        commands.command(plugin.name)(loaded)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unitalker {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Makes a 3D face speak from a sound file."""


@app.command("animate")
def animate_command(
    audio: Annotated[Path, typer.Argument(help="Sound file: wav, flac, ogg or mp3.")],
    output: Annotated[Path, typer.Option("--output", "-o", help=f"Result: {WRITABLE}.")],
    model: Annotated[str | None, typer.Option(help="Name or folder of a model; the bundled one if left out.")] = None,
    head: Annotated[str | None, typer.Option(help="Head of the model; its default if left out.")] = None,
    identity: Annotated[str | None, typer.Option(help="Speaking style; the model's default if left out.")] = None,
    identity_b: Annotated[
        str | None, typer.Option(help="A second speaking style, for style_blend in the direction.")
    ] = None,
    fps: Annotated[float | None, typer.Option(min=1, max=1000, help="Frame rate; the head's own if left out.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Direction: natural, broad, subtle, anime, game, or a .json file.")
    ] = None,
    direction: Annotated[
        Path | None, typer.Option(help="JSON file with sliders that replace those of the preset.")
    ] = None,
    intensity: Annotated[float | None, typer.Option(min=0, max=10, help="0 is still, 1 as the model says.")] = None,
    smoothing: Annotated[float | None, typer.Option(min=0, max=10, help="Smoothing window in seconds.")] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = "auto",
    engine: Annotated[EngineChoice, typer.Option(help="What computes; auto is torch where it is installed.")] = "auto",
) -> None:
    """Turn a sound file into face motion."""
    directed = DirectionChoice(preset, direction, intensity, smoothing).direction()
    options = AnimateOptions(head=head, identity=identity, identity_b=identity_b, fps=fps, direction=directed)
    started = time.monotonic()
    with _progress_bar() as report:
        order = Order(audio, output, model, device, options, engine)
        outcome = Session(TakeStore(takes_folder())).animate(order, report)
        report("write", 0, 1)
        write_motion(outcome.motion, output)
    _show_outcome(outcome, output, time.monotonic() - started)


app.command("view")(view_command)


@contextmanager
def _progress_bar() -> Iterator[ProgressCallback]:
    """A bar on stderr for people; nothing where nobody watches."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>6}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1)

        def report(stage: Stage, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        yield report


def _show_outcome(outcome: Outcome, output: Path, seconds: float) -> None:
    motion = outcome.motion
    for note in motion.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(
        f"{output}: {len(motion.values)} frames, {motion.duration:.2f} s at {motion.fps:g} fps, "
        f"{motion.annotation.dim} channels of {motion.annotation.type_name}, "
        f"identity {outcome.identity}, {outcome.engine} on {outcome.device}, made in {seconds:.1f} s"
    )


app.command("batch")(batch_command)


@models_app.callback()
def models_command(context: typer.Context) -> None:
    """List, import and inspect models."""
    if context.invoked_subcommand is None:
        models_list_command()


@models_app.command("list")
def models_list_command() -> None:
    """List the installed models."""
    models, problems = list_models()
    for model in models:
        _show_model(model)
    if not models:
        typer.echo("No model is installed.")
    for problem in problems:
        typer.echo(f"note: {problem}", err=True)


def _show_model(model: ModelInfo) -> None:
    table = Table(title=f"{model.name} ({model.licence}) in {model.path}", title_justify="left")
    for column in ("head", "what it is", "kind", "fps", "unit", "channels"):
        table.add_column(column)
    for head in model.heads:
        name = f"{head.name} (default)" if head.name == model.default_head else head.name
        table.add_row(name, head.title, head.kind, f"{head.fps:g}", head.unit, str(head.channels))
    shown = ", ".join(model.identities[:MOST_IDENTITIES_SHOWN])
    if len(model.identities) > MOST_IDENTITIES_SHOWN:
        shown += f" and so on, {len(model.identities)} in all"
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"identities: {shown} (default: {model.default_identity})\n")


@models_app.command("import")
def models_import_command(
    checkpoint: Annotated[Path, typer.Argument(help="Released checkpoint, e.g. UniTalker-B-D0-D7.pt.")],
    name: Annotated[str | None, typer.Option(help="Of the model; that of the file if left out.")] = None,
    pca_root: Annotated[
        Path | None, typer.Option(help="Data root of the release: D0_BIWI/pca.npz, id_template.npy and so on.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help=f"Folder of models; the last one of {MODELS_VARIABLE}, or else the user's own.")
    ] = None,
) -> None:
    """Make a model folder of a released checkpoint, once."""
    with engine_needed():
        from backend.official import import_checkpoint

    chosen = checkpoint.stem if name is None else name
    report = import_checkpoint(checkpoint, pca_root, chosen, into or search_path()[-1])
    typer.echo(f"{report.folder}: {report.encoder}; heads {', '.join(report.heads)}")
    for head, reason in report.left_out.items():
        typer.echo(f"note: the head {head} is left out: {reason}.", err=True)
    for note in report.notes:
        typer.echo(f"note: {note}", err=True)


@models_app.command("onnx")
def models_onnx_command(
    model: Annotated[str, typer.Argument(help="Name or folder of a model.")],
) -> None:
    """Give a model the graph that the engine onnx needs."""
    entry = find_bundle(model)
    with packages_needed("The export", (*ENGINE_PACKAGES["torch"], "onnx", "onnxruntime")):
        from backend.engines.onnx_export import export_onnx

    difference = export_onnx(entry)
    typer.echo(f"{entry.folder / ONNX_FILE}: at most {difference:.1g} from what torch computes")


@models_app.command("inspect")
def models_inspect_command(
    model: Annotated[str, typer.Argument(help="Name or folder of a model, or a released checkpoint (.pt).")],
) -> None:
    """Show what a model or a checkpoint contains."""
    with engine_needed():
        rows = inspect_model(model)
    table = Table(show_header=False)
    for label, text in rows:
        table.add_row(label, text)
    Console(markup=False, highlight=False).print(table)


@app.command("doctor")
def doctor_command() -> None:
    """Say what works on this machine, and what to do about the rest."""
    from backend.doctor import examine

    checks = examine()
    table = Table()
    for column in ("", "what", "found", "what to do"):
        table.add_column(column)
    for check in checks:
        table.add_row("ok" if check.ok else "NO", check.name, check.found, check.advice)
    Console(markup=False, highlight=False).print(table)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command("serve")
def serve_command() -> None:
    """Answer the Blender add-on on stdin and stdout (docs/protocol.md)."""
    from backend.server import serve

    raise typer.Exit(serve())
