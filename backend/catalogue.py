"""The installed models as clients list them; no torch."""

from __future__ import annotations

from backend.bundle_manifest import MODELS_VARIABLE, BundleEntry, find_bundle, list_bundles, user_models
from backend.errors import UniTalkerError
from backend.protocol import HeadInfo, ModelInfo

DEFAULT_MODEL = "unitalker-s"


def list_models() -> tuple[list[ModelInfo], list[str]]:
    """Every installed model, the default first, and in words what could not be read."""
    entries, problems = list_bundles()
    entries.sort(key=lambda entry: entry.manifest.name != DEFAULT_MODEL)
    return [_describe(entry) for entry in entries], problems


def find_model(wanted: str | None) -> BundleEntry:
    """A model by name or folder; None is the bundled one, or else the first there is.

    Raises:
        UniTalkerError: ``model.not_found``, ``model.unreadable``.
    """
    if wanted is not None:
        return find_bundle(wanted)
    models, problems = list_models()
    if not models:
        hint = f"Put a model folder into {user_models()}, or name the folder that holds it in {MODELS_VARIABLE}."
        raise UniTalkerError("model.not_found", "No model is installed.", " ".join([hint, *problems]))
    return find_bundle(models[0].path)


def _describe(entry: BundleEntry) -> ModelInfo:
    manifest = entry.manifest
    annotations = [head.annotation for head in manifest.spec.heads]
    return ModelInfo(
        name=manifest.name,
        path=str(entry.folder),
        licence=manifest.licence,
        default_head=manifest.default_head,
        default_identity=manifest.default_identity,
        heads=[
            HeadInfo(
                name=a.type_name,
                title=a.title,
                kind=a.kind,
                fps=a.fps,
                unit=a.unit,
                channels=a.dim,
                names=list(a.names),
            )
            for a in annotations
        ],
        identities=list(manifest.spec.identities),
    )
