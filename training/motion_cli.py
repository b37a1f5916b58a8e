"""``unitalker evaluate-motion`` and ``unitalker train measures``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from backend.bundle_manifest import find_bundle
from backend.catalogue import DEFAULT_MODEL
from backend.engine import EngineChoice, load_engine, packages_needed
from backend.engines.base import Engine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions
from backend.protocol import Device

if TYPE_CHECKING:
    from training.motion_measures.phones import Phone
    from training.motion_measures.takes import Take

_PACKAGES = ("scikit-learn", "pyyaml")


def evaluate_motion_command(
    sounds: Annotated[Path, typer.Argument(help="Folder of sounds, at any depth.")],
    motion: Annotated[
        Path | None,
        typer.Option(help="Folder of motion files (.npz, .json, .csv) named as the sounds; without it a model speaks."),
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Folder of measured motion files named as the sounds.")] = None,
    phones: Annotated[
        Path | None, typer.Option(help="Phone times as JSON, besides those beside the sounds.", exists=True)
    ] = None,
    model: Annotated[str, typer.Option(help="Name or folder of a model.")] = DEFAULT_MODEL,
    head: Annotated[str | None, typer.Option(help="Head of the model; its default if left out.")] = None,
    identity: Annotated[str | None, typer.Option(help="Speaking style; the model's default if left out.")] = None,
    lips: Annotated[
        Path | None, typer.Option(help="The lip vertices of a head of vertices, a .npy of indices.", exists=True)
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = "auto",
    engine: Annotated[EngineChoice, typer.Option(help="What computes; auto is torch where it is installed.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Measure how well mouths go with their sounds, with and without measured motion to compare with.

    Closures on p b m, rounding, lip to teeth and vowels need phone times (NAME.phone.json or phones.json beside the
    sounds); the rest needs the sounds alone. What each number means and what is good: docs/measures.md.
    """
    with packages_needed("evaluate-motion", _PACKAGES):
        from training.motion_measures.evaluation import evaluate_takes, show_evaluation
        from training.motion_measures.folders import beside_sounds, find_sounds, hear_sounds, read_motions
        from training.motion_measures.phones import phones_in

    files = find_sounds(sounds)
    known = phones_in(sounds, phones)
    measured = read_motions(truth, files) if truth else {}
    if motion is None:
        options = AnimateOptions(head=head, identity=identity)
        subject, takes = _spoken(load_engine(find_bundle(model), engine, device), files, known, options)
    else:
        subject = str(motion)
        takes = list(beside_sounds(read_motions(motion, files), hear_sounds(files, known)))
    found = evaluate_takes(subject, _with_lips(takes, lips), measured)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=1))
    else:
        show_evaluation(found)


def measures_command(
    data_root: Annotated[Path, typer.Argument(help="Folder of data sets of real motion in the official layout.")],
    speech: Annotated[
        Path | None, typer.Option(help="Also: folder of sounds with phone times, to which the bundled model speaks.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Document whose tables to replace; printed if left out.")
    ] = None,
) -> None:
    """Show which measure tells real motion from late, early, swapped, frozen, smoothed and jittered motion.

    Uses the validation and test clips; phone times are those of phones.json beside the sounds.
    """
    from training.motion_measures.folders import find_sounds
    from training.motion_measures.phones import phones_in
    from training.motion_measures.separation import markdown_of, separate, write_tables
    from training.motion_measures.takes import read_root

    tables = [
        markdown_of(f"{name}, {len(takes)} clips", separate(takes)) for name, takes in read_root(data_root).items()
    ]
    if speech is not None:
        engine = load_engine(find_bundle(DEFAULT_MODEL), "auto", "auto")
        subject, takes = _spoken(engine, find_sounds(speech), phones_in(speech), AnimateOptions())
        tables.append(markdown_of(f"{subject}, {len(takes)} sounds of {speech.name}", separate(takes)))
    if output is None:
        typer.echo("\n\n".join(tables))
    else:
        write_tables(output, tables)


def _spoken(
    engine: Engine, sounds: list[Path], phones: dict[str, list[Phone]], options: AnimateOptions
) -> tuple[str, list[Take]]:
    """What a model says, with its name."""
    from training.motion_measures.folders import animated
    from training.work_progress import work_progress

    manifest = engine.manifest
    takes = []
    with work_progress("animate") as progress:
        for number, take in enumerate(animated(engine, sounds, phones, options), start=1):
            takes.append(take)
            progress(number, len(sounds), take.name)
    names = manifest.name, manifest.head_name(options.head), manifest.identity_name(options.identity)
    return ", ".join(names), takes


def _with_lips(takes: list[Take], lips: Path | None) -> list[Take]:
    """Takes of vertices need to know which are the lips; others stay as they are."""
    from training.datasets.files import open_array
    from training.motion_measures.folders import with_lips

    annotation = takes[0].motion.annotation
    if annotation.kind != "vertices":
        return takes
    if lips is None:
        raise UniTalkerError(
            "evaluation.lips",
            f"{annotation.type_name} consists of vertices, and which of them are lips is not known.",
            "Name them with --lips, a .npy of vertex indices.",
        )
    return with_lips(takes, np.asarray(open_array(lips)).reshape(-1))
