"""``unitalker train synthesise`` and ``not-speech``: labelled data sets of synthetic sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.errors import UniTalkerError


def synthesise_command(
    output: Annotated[Path, typer.Argument(help="Folder for the data set: new, or of an interrupted run.")],
    takes: Annotated[Path | None, typer.Option(help="Real takes (weights) that the teacher learns from.")] = None,
    phones: Annotated[Path | None, typer.Option(help="Phone times of the takes: phones.json.")] = None,
    teacher: Annotated[Path | None, typer.Option(help="A teacher.safetensors of an earlier run instead.")] = None,
    languages: Annotated[
        str, typer.Option(help="Languages, with minutes where they differ from --minutes: en:20,zh,es,fr.")
    ] = "en",
    minutes: Annotated[float, typer.Option(min=0, help="Minutes of each language.")] = 4.0,
    engines: Annotated[
        str | None, typer.Option(help="Engines that may speak, e.g. kokoro,espeak; all that are installed if left out.")
    ] = None,
    kokoro_voices: Annotated[
        Path | None, typer.Option(help="Folder voices of the npm package kokoro-js: 49 more voices for Kokoro.")
    ] = None,
    text: Annotated[Path | None, typer.Option(help="More English sentences: a text file or a folder of them.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same sentences, voices and speeds.")] = 0,
) -> None:
    """Make a labelled data set of synthetic speech for training; the same command again goes on after a stop."""
    import torch

    from training.synthesis.journal import TEACHER_FILE, check_folder
    from training.synthesis.pipeline import Plan, make_data_set
    from training.synthesis.teacher import load_teacher
    from training.synthesis.teaching import prepare_teacher

    names = tuple(engines.split(",")) if engines else None
    plan = Plan(minutes_by_language(languages, minutes), names, text, kokoro_voices, seed)
    torch.set_num_threads(1)
    check_folder(output)
    kept = output / TEACHER_FILE
    if kept.is_file():
        model = load_teacher(kept)
    else:
        model = prepare_teacher(takes, phones, teacher, seed, typer.echo)
        output.mkdir(parents=True, exist_ok=True)
        model.save(kept)
    make_data_set(plan, model, output, typer.echo)


def relabel_command(
    data: Annotated[Path, typer.Argument(help="Finished data set of synthesise.")],
    teacher: Annotated[Path, typer.Option(help="The teacher.safetensors to label with.")],
) -> None:
    """Give synthetic speech the motion of another teacher, without speaking it again."""
    import torch

    from training.synthesis.relabel import relabel
    from training.synthesis.teaching import prepare_teacher

    torch.set_num_threads(1)
    count = relabel(data, prepare_teacher(None, None, teacher, 0, typer.echo))
    typer.echo(f"{data}: {count} clips labelled")


def not_speech_command(
    output: Annotated[Path, typer.Argument(help="Folder for the data set: new, or of an interrupted run.")],
    beside: Annotated[
        list[Path], typer.Option(help="Data set of blendshape weights whose people rest here; may be repeated.")
    ],
    minutes: Annotated[float, typer.Option(min=0, help="Minutes of sound.")] = 8.0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same sounds.")] = 0,
) -> None:
    """Make a data set of music, breath, noise and crowds in which the mouth rests."""
    from training.synthesis.not_speech import make_not_speech

    made = make_not_speech(output, beside, minutes, seed)
    typer.echo(", ".join(f"{kind} {share:.1f}" for kind, share in made.items()) + " minutes")


def minutes_by_language(text: str, minutes: float) -> dict[str, float]:
    """Minutes of each language of a list such as ``en:20,zh,es``.

    Raises:
        UniTalkerError: an entry is not a code, or its minutes are not a positive number.
    """
    result = {}
    for entry in filter(None, text.split(",")):
        code, _, own = entry.strip().partition(":")
        try:
            result[code] = float(own) if own else minutes
        except ValueError:
            result[code] = 0.0
        if result[code] <= 0:
            raise UniTalkerError("synthesis.language", f"{entry!r} names no minutes.", "Write for example en:20,zh,es.")
    return result
