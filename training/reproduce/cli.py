"""``unitalker train reproduce``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from backend.engine import choose_device

reproduce_app = typer.Typer(help="Repeat the paper's experiments.", no_args_is_help=True)

_BASE = Path(__file__).parents[1] / "recipes" / "mini.yaml"


@reproduce_app.command("mini")
def mini_command(
    budget: Annotated[str, typer.Option(help="Time for everything, such as 2h or 75min.")] = "2h",
    data_root: Annotated[Path, typer.Option(help="Folder of the data sets G0 to G4.")] = Path("data"),
    out: Annotated[Path, typer.Option(help="Working folder; the same one goes on where it was.")] = Path(
        "runs/reproduce-mini"
    ),
    document: Annotated[Path, typer.Option(help="The Markdown file to write.")] = Path("docs/reproduction.md"),
    encoder: Annotated[
        Path | None, typer.Option(help="Encoder file in place of the recipe's packages.", exists=True, dir_okay=False)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How often each training is made; more can be added later.")] = 3,
    workers: Annotated[
        int, typer.Option(min=1, help="Trainings at the same time, each on one thread; 1 on a GPU.")
    ] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """The paper's experiments in miniature, on five small sets of real recordings, as long as the budget allows.

    Every training is as long as the budget allows, the same for all that are compared. Interrupt it at any time: the
    same command goes on, and only the training that was under way is repeated. It ends with a document that holds the
    numbers beside the paper's claims, and says what held.
    """
    import torch

    from training.config import load_recipe
    from training.reproduce.budget import parse_budget
    from training.reproduce.mini import mini_suite
    from training.reproduce.reproduction import Reproduction
    from training.reproduce.running import Site, Workplace
    from training.work_progress import work_progress

    seconds = parse_budget(budget)
    deadline = time.monotonic() + seconds
    settings = load_recipe(_BASE).encoder
    place = Workplace(Site(mini_suite(), _BASE, data_root, out, encoder, torch.device(choose_device(device))))
    reproduction = Reproduction(place, seeds, workers)
    beginning = reproduction.begin(seconds)
    plan, left = beginning.plan, reproduction.seconds_left(beginning)
    typer.echo(
        f"{plan.seeds * len(place.suite.trainings)} trainings; for each data set {plan.epoch * plan.warm_up:.0f} steps "
        f"of warm-up and {plan.epoch * plan.joint:.0f} through the encoder; about {left / workers / 60:.0f} minutes"
    )
    if left > seconds * workers:
        typer.echo("warning: the budget is too small for all of them; what does not fit is left out", err=True)
    if not plan.is_meaningful:
        typer.echo("warning: so few steps teach hardly anything; raise the budget", err=True)
    with work_progress("reproduce") as report:
        reproduction.run(beginning, deadline, lambda done, total, what: report(round(done), round(total), what))
    title = f"{settings.credit.split(' (')[0]}, {settings.layers} of its layers"
    reproduction.write(beginning, document, title)
    typer.echo(f"{document}: written; numbers in {out / 'results.json'}")
