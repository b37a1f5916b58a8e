"""``unitalker train synthesise``: a labelled data set of synthetic speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from backend.errors import UniTalkerError
from training.synthesis.corpus import file_hash
from training.synthesis.pipeline import Plan, make_data_set
from training.synthesis.rules import Articulator
from training.synthesis.takes import Takes, read_takes
from training.synthesis.teacher import Schedule, Teacher, evaluate, load_teacher, train_teacher
from training.synthesis.text import FORTUNES
from training.synthesis.timeline import track

app = typer.Typer(no_args_is_help=True)
_console = Console(stderr=True)


@app.command("synthesise")
def synthesise(
    output: Annotated[Path, typer.Argument(help="New folder for the data set.")],
    takes: Annotated[Path | None, typer.Option(help="Real takes (weights) that the teacher learns from.")] = None,
    phones: Annotated[Path | None, typer.Option(help="Phone times of the takes: phones.json.")] = None,
    teacher: Annotated[Path | None, typer.Option(help="A teacher.safetensors of an earlier run instead.")] = None,
    minutes: Annotated[float, typer.Option(help="Minutes of English speech.")] = 75.0,
    languages: Annotated[str, typer.Option(help="Other languages, e.g. es,fr,de.")] = "",
    language_minutes: Annotated[float, typer.Option(help="Minutes of each of them.")] = 2.0,
    text: Annotated[Path, typer.Option(help="English sentences: a text file or a folder of them.")] = FORTUNES,
    seed: Annotated[int, typer.Option(help="Same seed, same sentences, voices and speeds.")] = 0,
) -> None:
    """Make a labelled data set of synthetic speech for training."""
    codes = [code for code in languages.split(",") if code]
    plan = Plan(minutes, languages=dict.fromkeys(codes, language_minutes), text=text, seed=seed)
    torch.set_num_threads(1)
    try:
        model, provenance = _teacher(takes, phones, teacher, seed)
        make_data_set(plan, model, output, provenance, _console.print)
        model.save(output / "teacher.safetensors")
    except UniTalkerError as error:
        _console.print(f"[red]{error.message}[/red] {error.hint}")
        raise typer.Exit(1) from error


def _teacher(
    takes: Path | None, phones: Path | None, teacher: Path | None, seed: int
) -> tuple[Teacher, dict[str, Any]]:
    if teacher is not None:
        return load_teacher(teacher), {"teacher": {"sha256": file_hash(teacher)}}
    if takes is None or phones is None:
        raise UniTalkerError(
            "synthesis.teacher",
            "Nothing says how faces move.",
            "Give --takes and --phones, or --teacher with the teacher.safetensors of an earlier run.",
        )
    recorded = read_takes(takes, phones)
    schedule = Schedule(seed=seed)
    model = train_teacher(recorded, schedule, _console.print)
    correlation = held_out_correlation(model, recorded)
    _console.print(f"held-out correlation: {correlation}")
    trained_on = {"takes": takes.name, "clips": len(recorded.train), "epochs": schedule.epochs}
    return model, {"teacher": {**trained_on, "correlation": correlation}}


def held_out_correlation(teacher: Teacher, takes: Takes) -> dict[str, dict[str, float]]:
    """Correlation with the validation takes, of the teacher alone and with the articulation rules on top."""
    articulate = Articulator(teacher.names, teacher.fps)
    raw = evaluate(lambda take: teacher(take.phones, len(take.motion)), takes.val, takes.names)
    ruled = evaluate(
        lambda take: articulate(teacher(take.phones, len(take.motion)), track(take.phones)), takes.val, takes.names
    )
    shown = ("aperture", "jawOpen", "mouthClose", "mouthPucker", "mouthFunnel")
    return {
        name: {key: round(values[key], 3) for key in shown if key in values}
        for name, values in (("teacher", raw), ("with_rules", ruled))
    }
