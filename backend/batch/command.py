"""`unitalker batch`: the command line of batches."""

from __future__ import annotations

import itertools
import re
import time
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from backend.batch.manifest import Defaults, read_items
from backend.batch.report import Report
from backend.batch.run import Batch, run_batch
from backend.bundle_manifest import Manifest
from backend.catalogue import find_model
from backend.engine import EngineChoice
from backend.errors import UniTalkerError
from backend.export.atomic import check_writable
from backend.inference import AnimateOptions
from backend.motion.presets import DirectionChoice

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+(,\d+)*)?")


class OutputFormat(StrEnum):
    """Of the motion files."""

    NPZ = "npz"
    CSV = "csv"
    JSON = "json"


def batch_command(
    source: Annotated[Path, typer.Argument(help="CSV manifest (docs/batch.md), or a folder of sounds.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; it is made.")],
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="Of results whose name the manifest does not give.")
    ] = OutputFormat.NPZ,
    model: Annotated[str | None, typer.Option(help="Name or folder of a model; the bundled one if left out.")] = None,
    head: Annotated[
        list[str] | None, typer.Option(help="Head of the model; several share the listening to each sound.")
    ] = None,
    identity: Annotated[list[str] | None, typer.Option(help="Speaking style; several as with --head.")] = None,
    fps: Annotated[float | None, typer.Option(min=1, max=1000, help="Frame rate; the head's own if left out.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Direction: natural, broad, subtle, anime, game, or a .json file.")
    ] = None,
    direction: Annotated[
        Path | None, typer.Option(help="JSON file with sliders that replace those of the preset.")
    ] = None,
    intensity: Annotated[float | None, typer.Option(min=0, max=10, help="0 is still, 1 as the model says.")] = None,
    smoothing: Annotated[float | None, typer.Option(min=0, max=10, help="Smoothing window in seconds.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes; one per device if left out.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda, or several: cuda:0,1.")] = "auto",
    engine: Annotated[EngineChoice, typer.Option(help="What computes; auto is torch where it is installed.")] = "auto",
    ray: Annotated[
        str | None,
        typer.Option(help="Work on a Ray cluster: local starts one here, auto joins the running one, or its address."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file for what became of each item.")] = None,
) -> None:
    """Turn many sound files into face motion; a second run does only what is not done."""
    started = time.monotonic()
    devices = parse_devices(device)
    entry = find_model(model)
    if report is not None:
        check_writable(report)
    choice = DirectionChoice(preset, direction, intensity, smoothing)
    options = AnimateOptions(fps=fps, direction=choice.direction())
    variants = _variants(entry.manifest, head or [], identity or [], options)
    items, failed = read_items(source, Defaults(out, f".{output_format}", variants, choice))
    told = Report(entry.manifest.name)
    told.results += failed
    _run(Batch(items, entry, devices, engine, jobs, ray), told)
    told.finish(items, time.monotonic() - started)
    told.show(Console(stderr=True, markup=False, highlight=False))
    if report is not None:
        told.write(report)
    raise typer.Exit(told.exit_code)


def parse_devices(text: str) -> tuple[str, ...]:
    """``cuda:0,1`` is ``cuda:0`` and ``cuda:1``; anything else is one device.

    Raises:
        UniTalkerError: ``engine.device``.
    """
    if not _DEVICE.fullmatch(text):
        raise UniTalkerError(
            "engine.device", f"The device {text!r} is not understood.", "Write auto, cpu, mps, cuda or cuda:0,1."
        )
    kind, _, numbers = text.partition(":")
    return tuple(f"{kind}:{number}" for number in numbers.split(",")) if numbers else (kind,)


def _variants(
    manifest: Manifest, heads: list[str], identities: list[str], options: AnimateOptions
) -> tuple[AnimateOptions, ...]:
    """Every head with every identity; a name that the model does not have is an error of the whole run."""
    chosen_heads = [manifest.head_name(name) for name in heads or [""]]
    chosen_identities = [manifest.identity_name(name) for name in identities or [""]]
    return tuple(
        replace(options, head=head, identity=identity)
        for head, identity in itertools.product(chosen_heads, chosen_identities)
    )


def _run(batch: Batch, report: Report) -> None:
    """Take the results as they come; Ctrl-C ends the run, and what is done stays done."""
    columns = (TextColumn("batch"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    try:
        with (
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
            closing(run_batch(batch)) as results,
        ):
            for result in bar.track(results, total=len(batch.items)):
                report.results.append(result)
    except KeyboardInterrupt:
        report.interrupted = True
