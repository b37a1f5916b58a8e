"""A trained model as a model folder: weights, manifest and card."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from backend import __version__
from backend.bundle import Bundle, save_bundle
from backend.bundle_manifest import Manifest
from backend.model.spec import PIVOT, ModelSpec
from backend.model.unitalker import UniTalker
from training.checkpoint import load_checkpoint
from training.config import Recipe
from training.model_card import model_card
from training.results import read_results
from training.trainer import CHECKPOINT


def export_run(run: Path, folder: Path) -> None:
    """Writes the model of a run as fp16 bundle with its card.

    Args:
        run: its evaluation goes into the card if there is one.
        folder: of the bundle; its name should be the model's.

    Raises:
        UniTalkerError: no checkpoint, or the folder cannot be written.
    """
    results = read_results(run)
    bundle, recipe = open_run(run, torch.device("cpu"))
    save_bundle(bundle.model, bundle.manifest, folder, model_card(bundle.manifest, recipe, results))


def open_run(run: Path, device: torch.device) -> tuple[Bundle, Recipe]:
    """The model of a run as if it had been exported, in single precision."""
    checkpoint = load_checkpoint(run / CHECKPOINT)
    model = UniTalker(checkpoint.spec)
    model.load_state_dict(checkpoint.evaluated_model)
    manifest = _manifest(checkpoint.recipe, checkpoint.spec, checkpoint.position.done)
    return Bundle(run, manifest, model.eval().to(device), device), checkpoint.recipe


def _manifest(recipe: Recipe, spec: ModelSpec, finished: bool) -> Manifest:
    provenance: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json"),
        "trained_with": {"unitalker": __version__, "torch": torch.__version__.split("+")[0]},
        "finished": finished,
        "date": datetime.now(UTC).date().isoformat(),
    }
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        title=recipe.title,
        licence=recipe.licence,
        spec=spec,
        default_head=spec.heads[0].annotation.type_name,
        default_identity=PIVOT if spec.has_pivot else spec.identities[0],
        provenance=provenance,
    )
