"""``unitalker train lips``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def lips_command(
    weights: Annotated[Path, typer.Argument(help="Data set of ARKit weights from MediaPipe.")],
    mesh: Annotated[Path, typer.Argument(help="Data set of MediaPipe's 468 vertices of the same recordings.")],
    out: Annotated[Path, typer.Argument(help="New folder for the data set.")],
    phones: Annotated[
        Path | None, typer.Option(help="Phone times of the clips; phones.json beside their sounds if left out.")
    ] = None,
) -> None:
    """Take the lip weights that MediaPipe measures badly from the lips of its mesh.

    Prints how well lips show their phones before and after, on the validation clips.
    """
    from rich.console import Console
    from rich.table import Table

    from training.lip_takes import derive_lips

    found = derive_lips(weights, mesh, out, phones, typer.echo)
    typer.echo(f"{out}: lips of {found.measured} clips from their mesh, of {found.estimated} estimated")
    for name, agreement in found.agreement.items():
        typer.echo(f"  estimate of {name}: correlation {agreement:.2f} with the mesh")
    if found.before:
        table = Table("validation clips", "weights", "from the lips")
        for name, reading in found.before.items():
            table.add_row(name, f"{reading.value:.3f}", f"{found.after[name].value:.3f}")
        Console().print(table)
