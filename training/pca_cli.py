"""``unitalker train pca``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.errors import UniTalkerError

pca_app = typer.Typer(help="Fit the PCA that dense meshes are trained with.", no_args_is_help=True)


@pca_app.command("fit")
def fit_command(
    data: Annotated[Path, typer.Argument(help="Folder of a data set of vertices in the official layout.")],
    components: Annotated[int, typer.Option(min=1, help="How many are kept. The paper uses 512.")] = 512,
    out: Annotated[Path | None, typer.Option(help="The .npz to write; DATA/pca.npz if left out.")] = None,
    batch: Annotated[int, typer.Option(min=2, help="Frames per step; fewer need less memory.")] = 1024,
    official: Annotated[
        bool, typer.Option("--official", help="Leave out the frames after the last full batch, as the released code.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which frames are taken.")] = 0,
) -> None:
    """Fit a PCA to the training clips of a data set, in memory that does not depend on their number.

    Prints how much of the motion the components explain and how far clips that were not fitted come out from where
    they were, and draws both beside the .npz as .svg.
    """
    from training.datasets.official import OfficialDataSet
    from training.pca import fit_pca, working_memory
    from training.pca_report import draw_explained, explained_rows, held_out_error
    from training.work_progress import work_progress

    opened = OfficialDataSet(data)
    if opened.annotation.kind != "vertices":
        raise UniTalkerError(
            "pca.kind",
            f"{data} holds {opened.annotation.kind}; only vertices need a PCA.",
            "Train on them as they are.",
        )
    frames, dim = opened.frames("train"), opened.annotation.dim
    need = working_memory(components, batch, dim) / 1e9
    typer.echo(f"{len(frames)} frames of {dim // 3} vertices; needs about {need:.1f} GB of memory", err=True)
    with work_progress(f"pca of {data.name}") as report:
        basis = fit_pca(frames, components, batch, not official, seed, progress=report)
    path = out or data / "pca.npz"
    basis.save(path)
    draw_explained(basis, path.with_suffix(".svg"))
    for label, text in explained_rows(basis):
        typer.echo(f"{label:>16}  {text}")
    error = held_out_error(opened, basis)
    if error is not None:
        typer.echo(f"{'held out':>16}  {1000 * error:.3f} mm mean distance of the validation clips")
    typer.echo(f"{path}, {path.with_suffix('.svg')}")
