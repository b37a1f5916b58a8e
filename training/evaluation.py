"""An evaluation from end to end: of a run or a model folder, kept and shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from backend.bundle import Bundle, load_bundle
from backend.errors import UniTalkerError
from training.config import Recipe, parse_recipe
from training.console import training_console
from training.datasets.clip import Split
from training.datasets.corpus import Corpus
from training.evaluate import Predictor, evaluate_motion, evaluate_speech, linear_floor
from training.export import open_run
from training.motion_measures.phones import phones_in
from training.places import read_places
from training.results import Results, Row, write_results
from training.runs import frozen_features
from training.sequences import Sequence
from training.start_comparison import start_predictor
from training.trainer import CHECKPOINT


def evaluate(
    source: Path,
    data_root: Path | None,
    split: Split,
    speech: Path | None,
    phones: Path | None,
    with_floor: bool,
    device: torch.device,
    per_identity: bool = False,
) -> Results:
    """Measures a run or a model folder; the results of a run are kept in it.

    Args:
        source: folder of either.
        data_root: of the data sets; a run knows its own.
        split: held-out data.
        speech: folder of sounds without motion.
        phones: further phone times for these.
        with_floor: compare a run with a linear head.
        device: where to compute.
        per_identity: also rows for each speaker.

    Raises:
        UniTalkerError: neither run nor model, or the data are missing.
    """
    is_run = (source / CHECKPOINT).is_file()
    bundle, recipe = open_run(source, device) if is_run else _open_bundle(source, device)
    if data_root is None and not is_run and speech is None:
        raise UniTalkerError("evaluation.data", "There is nothing to evaluate on.", "Give --data-root or --speech.")
    rows: list[Row] = []
    root = data_root or (read_places(source).data_root if is_run else None)
    if root is not None:
        compared = _compared(source, bundle, recipe, with_floor, device) if is_run else None
        annotations = [head.annotation for head in bundle.manifest.spec.heads]
        rows += evaluate_motion(bundle, recipe, Corpus(recipe, root, annotations), split, compared, per_identity)
    if speech is not None:
        rows += evaluate_speech(bundle, speech, phones_in(speech, phones))
    results = Results(tuple(rows))
    if is_run:
        write_results(results, source)
    return results


def _open_bundle(folder: Path, device: torch.device) -> tuple[Bundle, Recipe]:
    bundle = load_bundle(folder, device)
    recipe = bundle.manifest.provenance.get("recipe")
    if recipe is None:
        raise UniTalkerError(
            "evaluation.recipe", f"{folder} does not say how it was trained.", "Evaluate the folder of its run."
        )
    return bundle, parse_recipe(recipe, str(folder))


def _compared(run: Path, bundle: Bundle, recipe: Recipe, with_floor: bool, device: torch.device) -> Predictor:
    """What else is asked about each recording: the model that the run started from, and the linear floor."""
    start = start_predictor(recipe, device)
    floor = _floor(run, bundle, recipe, device) if with_floor else None
    predictors = [predictor for predictor in (start, floor) if predictor is not None]

    def predict(sequence: Sequence) -> dict[str, np.ndarray]:
        return {system: values for predictor in predictors for system, values in predictor(sequence).items()}

    return predict


def _floor(run: Path, bundle: Bundle, recipe: Recipe, device: torch.device) -> Predictor:
    with training_console() as console:
        model, training, validation = frozen_features(run, bundle.model, recipe, device, console.preparation)
    return linear_floor(training, validation, model)
