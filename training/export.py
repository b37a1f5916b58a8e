"""A trained model as a model folder: weights, manifest and card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from backend import __version__
from backend.bundle import Bundle, save_bundle
from backend.bundle_manifest import MANIFEST_FILE, BundleEntry, Manifest, search_path, user_models
from backend.engine import packages_needed
from backend.errors import UniTalkerError
from backend.model.spec import PIVOT, ModelSpec
from backend.model.unitalker import UniTalker
from training.checkpoint import Checkpoint, load_checkpoint
from training.config import Recipe
from training.model_card import model_card
from training.results import read_results
from training.trainer import CHECKPOINT


@dataclass(frozen=True)
class Exported:
    """A model folder that was written.

    Attributes:
        name: of the model.
        folder: of it.
        notes: in words, what is not as it could be.
    """

    name: str
    folder: Path
    notes: tuple[str, ...]


def export_run(run: Path, folder: Path | None = None) -> Exported:
    """Writes the model of a run as fp16 bundle with its card and, where the network has one, its graph as ONNX.

    Args:
        run: its evaluation goes into the card if there is one.
        folder: of the bundle, replaced if it exists; ``None`` is one of the model's name among the user's models,
            where the add-on finds it.

    Raises:
        UniTalkerError: no checkpoint, the folder cannot be written, or a model of this name would hide the new one.
    """
    results = read_results(run)
    bundle, recipe = open_run(run, torch.device("cpu"))
    name = bundle.manifest.name
    target = folder or _own_place(name)
    save_bundle(bundle.model, bundle.manifest, target, model_card(bundle.manifest, recipe, results))
    notes = [] if bundle.manifest.provenance["finished"] else ["The training of this run is not finished."]
    if results is None:
        notes.append(f"It has no numbers in its card: unitalker train evaluate {run}, then export again.")
    return Exported(name, target, (*notes, *_add_graph(BundleEntry(target, bundle.manifest))))


def _own_place(name: str) -> Path:
    """Folder of the user's models for a name, unless another model of it is found first."""
    for root in search_path():
        if root == user_models():
            break
        if (root / name / MANIFEST_FILE).is_file():
            raise UniTalkerError(
                "export.name",
                f"There is a model {name} in {root}, which would be found before this one.",
                "Export it to a folder that you name, or train it under another name.",
            )
    return user_models() / name


def _add_graph(entry: BundleEntry) -> list[str]:
    """What the engine onnx, the fast one, computes with; in words why there is none."""
    try:
        with packages_needed("The export as ONNX", ("onnx", "onnxruntime")):
            from backend.engines.onnx_export import export_onnx
        export_onnx(entry)
    except UniTalkerError as error:
        if error.code not in ("engine.missing", "model.no_onnx"):
            raise
        return [f"Without model.onnx, so it needs the engine torch: {error}"]
    return []


def open_run(run: Path, device: torch.device) -> tuple[Bundle, Recipe]:
    """The model of a run as if it had been exported, in single precision."""
    checkpoint = load_checkpoint(run / CHECKPOINT)
    model = UniTalker(checkpoint.spec)
    model.load_state_dict(checkpoint.evaluated_model)
    manifest = _manifest(checkpoint)
    return Bundle(run, manifest, model.eval().to(device), device), checkpoint.recipe


def _manifest(checkpoint: Checkpoint) -> Manifest:
    recipe, spec = checkpoint.recipe, checkpoint.spec
    provenance: dict[str, Any] = {
        "recipe": _without_places(recipe).model_dump(mode="json"),
        "trained_with": {"unitalker": __version__, "torch": torch.__version__.split("+")[0]},
        "revision": checkpoint.revision,
        "data": checkpoint.data,
        "finished": checkpoint.position.done,
        "date": datetime.now(UTC).date().isoformat(),
    }
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        title=recipe.title,
        licence=recipe.licence,
        spec=spec,
        default_head=spec.heads[0].annotation.type_name,
        default_identity=_default_identity(spec),
        provenance=provenance,
    )


def _default_identity(spec: ModelSpec) -> str:
    """The pivot, which stands for many people; of a single person it is only a weaker copy."""
    return PIVOT if spec.has_pivot and len(spec.identities) != 2 else spec.identities[0]


def _without_places(recipe: Recipe) -> Recipe:
    """Where the start model lay is nobody else's concern; what it is called is."""
    if recipe.start is None:
        return recipe
    return recipe.model_copy(update={"start": recipe.start.model_copy(update={"model": Path(recipe.start.model).name})})
