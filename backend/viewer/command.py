"""`unitalker view`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from backend.export.atomic import check_writable
from backend.importing import read_motion
from backend.topology import triangles_of

BUNDLED_HEAD = Path(__file__).resolve().parents[2] / "assets" / "heads" / "makehuman_head.glb"


def view_command(
    motion: Annotated[Path, typer.Argument(help="Motion: .json, .npz or .csv (Live Link Face).")],
    audio: Annotated[
        Path | None, typer.Option(help="Its sound; if left out, the one that the .json names, beside it.")
    ] = None,
    entry: Annotated[
        str | None, typer.Option(help="Which result of an .npz in the official form: SOUND/DATA SET.")
    ] = None,
    head: Annotated[Path, typer.Option(help="Head to show: a .glb or .vrm with shape keys.")] = BUNDLED_HEAD,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; beside the motion if left out.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Make one web page that plays the face with its sound; it needs no network."""
    from backend.viewer.page import write_page
    from backend.viewer.parts import head_of_shapes, head_of_vertices
    from backend.viewer.sound import sound_for

    page = output or motion.with_suffix(".html")
    check_writable(page)
    face = read_motion(motion, entry)
    sound, remark = sound_for(motion, face.sound, audio)
    if face.annotation.kind == "vertices":
        drawn = head_of_vertices(face, triangles_of(face.annotation))
    else:
        drawn = head_of_shapes(face, head)
    write_page(page, face, drawn, sound, motion.name)
    for note in (*face.notes, *drawn.notes, remark):
        if note:
            typer.echo(f"note: {note}", err=True)
    typer.echo(f"{page}: {page.stat().st_size / 1e6:.1f} MB, {face.duration:.2f} s")
    if open_it and not webbrowser.open(page.absolute().as_uri()):
        typer.echo(f"note: no browser could be started; open {page} yourself.", err=True)
