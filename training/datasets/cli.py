"""``unitalker train data``: look at recordings, and bring them into the layout that is trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from backend.errors import UniTalkerError

data_app = typer.Typer(help="Check recordings and bring them into the form that is trained on.", no_args_is_help=True)

LayoutOption = Annotated[
    str | None,
    typer.Option(
        help="official, biwi, vocaset, multiface, 3d-etf, live-link-face, motion or video; "
        "told by what is there if left out."
    ),
]
IdentityOption = Annotated[
    str | None, typer.Option(help="Whose face it is; otherwise named after the folder around the takes.")
]
TaskOption = Annotated[
    Path | None, typer.Option(help="For video: MediaPipe's face_landmarker.task, which you download once.")
]


@data_app.command("check")
def check_command(
    paths: Annotated[list[Path], typer.Argument(help="Folders of recordings, or folders of such folders.")],
    layout: LayoutOption = None,
    identity: IdentityOption = None,
    face_task: TaskOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything that was found as JSON.")] = False,
) -> None:
    """Say what is in recordings and what is wrong with them.

    Shows clips, minutes, frame rate, people, missing files, NaN, how far sound and mouth are apart, and channels that
    do not move or stop at a highest value. Ends with exit code 1 when something cannot be used.
    """
    from training.datasets.check import check
    from training.datasets.check_table import show_findings
    from training.datasets.layouts import Opening, find_sets, open_source
    from training.work_progress import work_progress

    reports = []
    usable = True
    for path in (folder for given in paths for folder in find_sets(given, layout)):
        try:
            source = open_source(path, layout, Opening(identity, face_task))
        except UniTalkerError as error:
            usable = False
            reports.append({"name": path.name, "usable": False, "unusable": [str(error)]})
            typer.echo(f"{path.name}: {error}", err=True)
            continue
        with work_progress(f"check {path.name}") as report:
            findings = check(source, report)
        usable &= findings.is_usable
        reports.append(findings.as_json())
        if not as_json:
            show_findings(findings)
    if as_json:
        typer.echo(json.dumps(reports, indent=1, ensure_ascii=False))
    if not usable:
        raise typer.Exit(1)


@data_app.command("convert")
def convert_command(
    source: Annotated[Path, typer.Argument(help="Folder of recordings, or one movie.")],
    out: Annotated[Path, typer.Argument(help="New folder, which train run takes.")],
    layout: LayoutOption = None,
    identity: IdentityOption = None,
    face_task: TaskOption = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of the clips, 25, 30, 60 or 100; their own if left out.")
    ] = None,
) -> None:
    """Bring recordings into the layout that is trained on.

    Long takes are cut where it is quiet, recordings that cannot be used are left out and named, and people's clips are
    dealt out to training, validation and test. When it is interrupted, the same command goes on.
    """
    from training.datasets.convert import convert
    from training.datasets.layouts import Opening, open_source
    from training.work_progress import work_progress

    opened = open_source(source, layout, Opening(identity, face_task))
    with work_progress(f"convert {source.name}") as report:
        result = convert(opened, out, report, fps)
    for problem in (*opened.problems, *result.left_out):
        typer.echo(f"left out: {problem}", err=True)
    counts = ", ".join(f"{count} {split}" for split, count in result.clips.items())
    typer.echo(f"{out}: {counts} clips, {result.seconds / 60:.1f} minutes at {result.fps:g} fps")
    typer.echo(f"Next: unitalker train data check {out}, then unitalker train finetune {out}")
