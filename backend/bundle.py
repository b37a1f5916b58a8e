"""Model folders in and out: `model.json`, `model.safetensors`, `MODEL_CARD.md`. No pickles, no code from files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from backend.bundle_manifest import CARD_FILE, MANIFEST_FILE, WEIGHTS_FILE, Manifest, find_bundle
from backend.errors import UniTalkerError
from backend.model.spec import ModelSpec
from backend.model.unitalker import UniTalker

StoredType = Literal["float16", "float32"]

# Kept once on disk: the other is its transpose.
_DERIVED_SUFFIX = ".data_to_feat"
_SOURCE_SUFFIX = ".feat_to_data"


@dataclass(frozen=True)
class Bundle:
    """A model ready to run.

    Attributes:
        folder: where it came from.
        manifest: names, heads, identities, licence.
        model: in evaluation mode on `device`, computing in float32.
    """

    folder: Path
    manifest: Manifest
    model: UniTalker
    device: torch.device


def load_bundle(name_or_path: str | Path, device: str | torch.device = "cpu") -> Bundle:
    """Load a bundle by name or folder.

    Raises:
        UniTalkerError: ``model.not_found``; ``model.unreadable``, naming the first tensor that is not as expected.
    """
    entry = find_bundle(name_or_path)
    weights = entry.folder / WEIGHTS_FILE
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise UniTalkerError(
            "model.unreadable", f"{weights} cannot be read: {error}.", "Copy the model again."
        ) from error
    model = build_model(entry.manifest.spec, tensors, weights).eval().to(device)
    return Bundle(entry.folder, entry.manifest, model, torch.device(device))


def build_model(spec: ModelSpec, tensors: Mapping[str, Tensor], source: Path) -> UniTalker:
    """A model on the CPU out of tensors under official names, in float32; every one of them, and nothing else.

    The model takes float32 tensors over without copying them, and no random weights are drawn before.

    Raises:
        UniTalkerError: ``model.unreadable`` with the first offending tensor and what was expected.
    """
    with torch.device("meta"):
        model = UniTalker(spec)
    state = {name: tensor.float() for name, tensor in tensors.items()}
    for name in list(state):
        if name.endswith(_SOURCE_SUFFIX):
            state[name.removesuffix(_SOURCE_SUFFIX) + _DERIVED_SUFFIX] = state[name].T
    _check_tensors(model.state_dict(), state, source)
    model.load_state_dict(state, assign=True)
    return model


def _check_tensors(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], source: Path) -> None:
    for name, tensor in expected.items():
        if name not in state:
            raise _bad_tensor(source, name, f"is missing; expected shape {tuple(tensor.shape)}")
        if state[name].shape != tensor.shape:
            raise _bad_tensor(source, name, f"has shape {tuple(state[name].shape)}; expected {tuple(tensor.shape)}")
        if not torch.isfinite(state[name]).all():
            raise _bad_tensor(source, name, "has values that are not finite; expected finite numbers")
    for name in state:
        if name not in expected:
            raise _bad_tensor(source, name, "is not part of this model")


def save_bundle(
    model: UniTalker, manifest: Manifest, folder: Path, card: str, stored_type: StoredType = "float16"
) -> None:
    """Write a bundle; the folder appears whole or not at all, and replaces one that is there.

    Args:
        folder: its name should be the model's.
        card: the model card, Markdown.
        stored_type: of the tensors on disk.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    dtype = torch.float16 if stored_type == "float16" else torch.float32
    tensors = {
        name: tensor.detach().cpu().to(dtype).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.endswith(_DERIVED_SUFFIX)
    }
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise _bad_tensor(folder, name, f"has values that {stored_type} cannot hold")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            save_file(tensors, partial / WEIGHTS_FILE)
            (partial / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
            (partial / CARD_FILE).write_text(card, encoding="utf-8")
            # Temporary folders and safetensors files are made for their owner alone.
            partial.chmod(0o755)
            (partial / WEIGHTS_FILE).chmod(0o644)
            _replace_folder(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UniTalkerError(
            "output.unwritable", f"{folder} cannot be written: {error}.", "Choose another folder."
        ) from error


def _replace_folder(new: Path, target: Path) -> None:
    if not target.exists():
        new.replace(target)
        return
    old = new.with_name(new.name + "-old")
    target.replace(old)
    try:
        new.replace(target)
    except OSError:
        old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _bad_tensor(source: Path, name: str, problem: str) -> UniTalkerError:
    return UniTalkerError("model.unreadable", f"{source}: tensor {name} {problem}.", "This is not the model it says.")
