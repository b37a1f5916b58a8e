"""``unitalker train check``: what a recipe would train, and whether all is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.config import find_recipe, load_recipe, parse_changes

if TYPE_CHECKING:
    from rich.table import Table

    from training.planning import Plan

_WIDE = 160
"""Columns where nobody looks at a terminal, so that lines in a log are not broken."""


def check_command(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or the name of one in training/recipes.")],
    data_root: Annotated[Path, typer.Option(help="Folder of the data sets.")] = Path("data"),
    only: Annotated[
        list[str] | None, typer.Option(help="Use only this data set of the recipe; may be repeated.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a field, such as decoder.kind=transformer; may be repeated."),
    ] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Encoder file or folder in place of the recipe's source.", exists=True)
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch the encoder from the Hugging Face hub.")] = False,
) -> None:
    """Read recipe, encoder and every clip, and say what would be trained; nothing is computed or written.

    Ends with exit code 1 if a clip cannot be used.
    """
    from training.places import Places
    from training.planning import plan
    from training.work_progress import ProgressLines

    settings = load_recipe(find_recipe(recipe), only or (), parse_changes(changes or ()))
    places = Places(data_root, Path(), encoder, download=download)
    with ProgressLines(transient=True) as lines:
        found = plan(settings, places, lambda name: lambda done, what: lines.update(name, done, None, what))
    _show(found)
    if found.problems:
        raise typer.Exit(1)


def _show(found: Plan) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(f"[bold]{escape(found.recipe.name)}[/]  {escape(found.recipe.title)}", highlight=False)
    for table in (_data_table(found), _head_table(found), _training_table(found)):
        console.print(table)
        console.print()
    for problem in found.problems:
        console.print(f"[red]problem[/]  {escape(str(problem))}", highlight=False)
    console.print("Some clips cannot be used." if found.problems else "All is there.")


def _data_table(found: Plan) -> Table:
    from rich.table import Table

    table = Table("data set", "split", "clips", "minutes", "people", box=None, title_justify="left")
    for own in found.splits:
        name = f"{own.name} (held out)" if own.name in found.recipe.held_out else own.name
        table.add_row(name, own.split, str(own.clips), f"{own.seconds / 60:.1f}", str(len(own.people)))
    return table


def _head_table(found: Plan) -> Table:
    from rich.table import Table

    table = Table("head", "numbers per frame", "fps", "PCA", box=None)
    for head in found.heads:
        pca = f"{head.components} components, {head.pca}" if head.components else ""
        table.add_row(head.name, f"{head.channels:,}", f"{head.fps:g}", pca)
    return table


def _training_table(found: Plan) -> Table:
    from rich.table import Table

    about = "" if found.is_exact else "about "
    table = Table(box=None, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    kind, layers = found.recipe.encoder.kind, found.recipe.encoder.layers or "all"
    millions = found.parameters / 1e6
    rows = [
        ("network", f"{millions:.1f} M parameters, of them {found.encoder_parameters / 1e6:.1f} M of the encoder"),
        ("encoder", f"{kind}, {layers} layers"),
        ("decoder", f"{found.recipe.decoder.kind}, {found.recipe.decoder.width} channels"),
        ("sequences", f"{about}{found.sequences:,} in an epoch"),
    ]
    rows += [
        (
            stage.name,
            f"{stage.epochs} epochs, {about}{stage.steps:,} steps of {stage.batch}; "
            f"{stage.parameters / 1e6:.1f} M parameters are trained",
        )
        for stage in found.stages
    ]
    rows.append(("stored features", f"about {found.stored / 1e9:.2g} GB, with motion and sound"))
    for row in rows:
        table.add_row(*row)
    return table
