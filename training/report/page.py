"""The page: everything gathered and filled into ``page.html``."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write, check_writable
from training.checkpoint import load_checkpoint
from training.config import Recipe
from training.datasets.clip import Split
from training.datasets.corpus import Corpus
from training.export import open_run
from training.pca import PcaBasis
from training.places import read_places
from training.report.charts import loss_chart, rate_chart
from training.report.facts import data_facts, duration, run_facts
from training.report.head_section import head_section
from training.report.held_out import PASSAGE_SECONDS, held_out_findings
from training.results import Results, Row, read_results
from training.results_table import result_cell
from training.run_log import LOG_FILE, read_log
from training.trainer import CHECKPOINT

_FOLDER = Path(__file__).parent
Progress = Callable[[int, str], None]


def write_report(
    run: Path, output: Path, data_root: Path | None, split: Split, device: torch.device, progress: Progress
) -> list[str]:
    """Writes the page of a run; what cannot be shown is said in it.

    Args:
        run: folder.
        output: the ``.html`` file.
        data_root: of the data sets; the run's own if left out.
        split: held-out recordings to show.
        device: where to compute.
        progress: told how many recordings are done, and the name of the last.

    Returns:
        What could not be shown, a sentence each.

    Raises:
        UniTalkerError: `run` is no run, or `output` cannot be written.
    """
    check_writable(output)
    content, remarks = _gather(run, data_root, split, device, progress)
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = environment.get_template("page.html").render(**content, style=Markup(style), style_hash=f"sha256-{digest}")
    with atomic_write(output) as file:
        file.write(page.encode())
    return remarks


def _gather(
    run: Path, data_root: Path | None, split: Split, device: torch.device, progress: Progress
) -> tuple[dict[str, Any], list[str]]:
    bundle, recipe = open_run(run, device)
    checkpoint = load_checkpoint(run / CHECKPOINT)
    log = read_log(run / LOG_FILE)
    root = data_root or read_places(run).data_root
    heads = [head.annotation for head in bundle.manifest.spec.heads]
    corpus, no_corpus = _corpus(recipe, root, heads)
    results, no_results = _results(run)
    findings = {} if corpus is None else held_out_findings(bundle, recipe, corpus, split, progress)
    remarks = [remark for remark in (no_corpus, no_results) if remark]
    if log.damaged:
        lines = "1 line" if log.damaged == 1 else f"{log.damaged} lines"
        remarks.append(f"{lines} of {LOG_FILE} could not be read.")
    charts = [*(loss_chart(head.type_name, log.epochs) for head in heads), rate_chart(log.epochs, log.steps)]
    content = {
        "name": recipe.name,
        "title": recipe.title,
        "version": recipe.version,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "run": run.name,
        "facts": list(run_facts(run, checkpoint, bundle.manifest)),
        "data": data_facts(recipe, corpus),
        "limits": recipe.limits,
        "remarks": remarks,
        "charts": [Markup(chart) for chart in charts if chart],
        "tables": [] if results is None else _tables(results),
        "evaluate": f"unitalker train evaluate {shlex.quote(str(run))}",
        "heads": [
            head_section(head, findings.get(head.type_name), corpus, _basis(run, head.type_name)) for head in heads
        ],
        "split": split,
        "cell": result_cell,
        "passage_seconds": PASSAGE_SECONDS,
        "duration": duration,
        "recipe": yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
    }
    return content, remarks


def _corpus(recipe: Recipe, root: Path, heads: list[Annotation]) -> tuple[Corpus | None, str]:
    """The data sets, or why nothing of them is shown."""
    try:
        return Corpus(recipe, root, heads), ""
    except UniTalkerError as error:
        return None, f"Held-out recordings are not shown: {error} Say where the data sets are with --data-root."


def _results(run: Path) -> tuple[Results | None, str]:
    try:
        return read_results(run), ""
    except UniTalkerError as error:
        return None, str(error)


def _tables(results: Results) -> list[tuple[str, list[Row], list[str]]]:
    """Title, systems, and the names of their numbers, for each data set."""
    tables = []
    for (data, head), rows in groupby(results.rows, key=lambda row: (row.data, row.head)):
        systems = list(rows)
        names = list(dict.fromkeys(name for row in systems for name in row.numbers))
        tables.append((f"{data}: {head}", systems, names))
    return tables


def _basis(run: Path, head: str) -> PcaBasis | None:
    path = run / "pca" / f"{head}.npz"
    return PcaBasis.load(path) if path.is_file() else None
