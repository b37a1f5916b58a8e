"""The user's own models: folders with `model.json`, brought in and deleted; those of the extension are left alone."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from .errors import UniTalkerError
from .installed_environment import data_folder

MANIFEST_FILE = "model.json"
CARD_FILE = "MODEL_CARD.md"


def models_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the user's own models are kept; the backend looks there too."""
    return data_folder(environ) / "models"


def is_own(model: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a model lies in the user's folder, and may be deleted."""
    return model.parent == models_folder(environ)


def import_folder(source: Path, environ: Mapping[str, str], stop: threading.Event) -> Path | None:
    """Copy a model folder to the user's own; None when `stop` was set meanwhile, and then nothing is there.

    Raises:
        UniTalkerError: ``model.unreadable``, ``model.exists``, ``model.not_copied``.
    """
    target = models_folder(environ) / _model_name(source)
    if target.exists():
        raise UniTalkerError("model.exists", f"There is a model {target.name} already.", "Delete that one first.")
    temporary = target.with_name(f".{target.name}.new")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for file in (path for path in source.rglob("*") if path.is_file()):
            if stop.is_set():
                return None
            copy = temporary / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        temporary.rename(target)
    except OSError as error:
        raise UniTalkerError(
            "model.not_copied",
            f"The model cannot be copied to {target.parent}: {error.strerror or error}.",
            "Make room or give yourself the right to write there.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def delete_model(model: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Delete one of the user's own models.

    Raises:
        UniTalkerError: ``model.not_own``, ``model.not_deleted``.
    """
    if not is_own(model, environ):
        raise UniTalkerError(
            "model.not_own",
            f"{model} is not in your own folder of models.",
            f"Only those in {models_folder(environ)} can be deleted here.",
        )
    doomed = model.with_name(f".{model.name}.removed")
    try:
        if doomed.exists():
            shutil.rmtree(doomed)
        model.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise UniTalkerError(
            "model.not_deleted", f"{model} cannot be deleted: {error.strerror or error}.", "Close what uses it."
        ) from error


def _model_name(source: Path) -> str:
    """The name in `model.json`; the folder is to have the same."""
    try:
        name = json.loads((source / MANIFEST_FILE).read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UniTalkerError(
            "model.unreadable",
            f"{source} is not a model: its {MANIFEST_FILE} cannot be read ({error}).",
            "Choose the model.json of a model folder, or a released checkpoint (.pt).",
        ) from error
    if not isinstance(name, str) or not name or Path(name).name != name or name.startswith("."):
        raise UniTalkerError("model.unreadable", f"{source / MANIFEST_FILE} gives no usable name.", "Copy it again.")
    return name
