"""``unitalker train synthesise``: a labelled data set of synthetic speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def synthesise_command(
    output: Annotated[Path, typer.Argument(help="New folder for the data set.")],
    takes: Annotated[Path | None, typer.Option(help="Real takes (weights) that the teacher learns from.")] = None,
    phones: Annotated[Path | None, typer.Option(help="Phone times of the takes: phones.json.")] = None,
    teacher: Annotated[Path | None, typer.Option(help="A teacher.safetensors of an earlier run instead.")] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Minutes of English speech.")] = 75.0,
    languages: Annotated[str, typer.Option(help="Other languages, e.g. es,fr,de.")] = "",
    language_minutes: Annotated[float, typer.Option(min=0, help="Minutes of each of them.")] = 1.5,
    text: Annotated[
        Path | None, typer.Option(help="English sentences: a text file or a folder of them; fortunes if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same sentences, voices and speeds.")] = 0,
) -> None:
    """Make a labelled data set of synthetic speech for training."""
    import torch

    from training.synthesis.pipeline import Plan, make_data_set
    from training.synthesis.teaching import prepare_teacher
    from training.synthesis.text import FORTUNES

    codes = [code for code in languages.split(",") if code]
    plan = Plan(minutes, languages=dict.fromkeys(codes, language_minutes), text=text or FORTUNES, seed=seed)
    torch.set_num_threads(1)
    model, provenance = prepare_teacher(takes, phones, teacher, seed, typer.echo)
    make_data_set(plan, model, output, provenance, typer.echo)
    model.save(output / "teacher.safetensors")
