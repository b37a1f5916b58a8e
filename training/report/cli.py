"""``unitalker train report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.engine import choose_device
from backend.errors import UniTalkerError


def report_command(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; RUN/report.html if left out.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data sets; the run's own if left out.")] = None,
    split: Annotated[str, typer.Option(help="Held-out recordings to show: val or test.")] = "val",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Make one web page about a run: curves, results, where the face misses. It needs no network."""
    import torch

    from training.report.page import write_report
    from training.work_progress import ProgressLines

    if split not in ("val", "test"):
        raise UniTalkerError("report.split", f"There is no split {split!r}.", "Use val or test.")
    page = output or run / "report.html"
    chosen = torch.device(choose_device(device))
    with ProgressLines(transient=True) as lines:
        remarks = write_report(
            run,
            page,
            data_root,
            "val" if split == "val" else "test",
            chosen,
            lambda done, what: lines.update("recordings", done, None, what),
        )
    for remark in remarks:
        typer.echo(f"note: {remark}", err=True)
    typer.echo(f"{page}: {page.stat().st_size / 1e6:.1f} MB")
