"""Import of the released UniTalker checkpoints: a ``.pt`` and its PCA files become a bundle."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from backend import __version__
from backend.bundle import build_model, save_bundle
from backend.bundle_manifest import NAME_PATTERN, Manifest
from backend.errors import UniTalkerError
from backend.model.spec import HeadSpec, ModelSpec
from backend.official_checkpoint import (
    Contents,
    HeadContents,
    bad_checkpoint,
    pca_prefix,
    read_checkpoint,
    read_contents,
    without_head,
)
from backend.official_release import identity_names, released_annotations
from backend.official_resources import PCA_FILE, TEMPLATE_FILE, expected_files, find_pca, find_template

_LICENCE = "as the UniTalker release: code Apache-2.0, data sets under terms of their own"
_PREFERRED_HEADS = ("3DETF_blendshape_weight", "inhouse_blendshape_weight")


@dataclass
class ImportReport:
    """What became of a checkpoint.

    Attributes:
        folder: of the new bundle.
        name: of the model.
        encoder: the pretrained model that its encoder began as.
        heads: annotation types that work.
        left_out: annotation types that do not, with the reason.
        notes: what is missing or was assumed, in words.
    """

    folder: Path
    name: str
    encoder: str
    heads: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def import_checkpoint(checkpoint: Path, pca_root: Path | None, name: str, destination: Path) -> ImportReport:
    """Make a bundle of a checkpoint that the official training code saved.

    B and L are told apart by the shapes. Weights stay float32, so that the results are those of the official code.

    Args:
        checkpoint: ``UniTalker-B-D0-D7.pt``, ``UniTalker-L-D0-D7.pt``, or one trained from these.
        pca_root: data root of the official layout, with ``D0_BIWI/pca.npz``, ``id_template.npy`` and so on;
            ``None`` where there is none.
        name: of the model.
        destination: folder in which the model's folder is made; nothing is written when anything is wrong.

    Raises:
        UniTalkerError: ``model.not_found``, ``model.unreadable`` with the first offending tensor or file and what was
            expected, ``output.unwritable``.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise UniTalkerError(
            "output.unwritable",
            f"{name!r} cannot be the name of a model.",
            "Use letters, digits and . _ + - and begin with a letter or digit.",
        )
    folder = destination / name
    if folder.exists():
        raise UniTalkerError("output.unwritable", f"{folder} exists already.", "Choose another name, or delete it.")
    if pca_root is not None and not pca_root.is_dir():
        raise UniTalkerError("model.not_found", f"{pca_root} is no folder.", "Give the data root with D0_BIWI in it.")
    tensors = read_checkpoint(checkpoint)
    contents = read_contents(tensors, checkpoint)
    report = ImportReport(folder, name, contents.encoder.title)
    heads, tensors = _gather_heads(contents, tensors, pca_root, checkpoint, report)
    spec = ModelSpec(
        encoder=contents.encoder.spec, decoder=contents.decoder, heads=heads, identities=_identities(contents, report)
    )
    manifest = _manifest(spec, contents, checkpoint, report)
    model = build_model(spec, tensors, checkpoint)
    save_bundle(model, manifest, folder, _card(manifest, report), stored_type="float32")
    return report


def _gather_heads(
    contents: Contents, tensors: dict[str, Tensor], root: Path | None, source: Path, report: ImportReport
) -> tuple[tuple[HeadSpec, ...], dict[str, Tensor]]:
    """Heads that can work, and all tensors they need: those of the checkpoint, PCA, templates."""
    heads = []
    for head in contents.heads:
        basis = _basis(head, root)
        reason = _why_not(head, basis, source)
        if reason:
            report.left_out[head.type_name] = reason
            tensors = without_head(tensors, head.type_name)
            continue
        tensors |= {f"{pca_prefix(head.type_name)}{key}": tensor for key, tensor in basis.items()}
        spec = _head_spec(head, tensors, root, report)
        if spec.has_template:
            tensors[f"template_dict.{head.type_name}"] = _template_tensor(spec, root)
        heads.append(spec)
        report.heads.append(head.type_name)
    if not heads:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in report.left_out.items())
        raise bad_checkpoint(source, f"no head can work ({reasons})")
    return tuple(heads), tensors


def _basis(head: HeadContents, root: Path | None) -> dict[str, Tensor]:
    """PCA buffers from the file, where the checkpoint needs them and carries none."""
    annotation = released_annotations().get(head.type_name)
    if annotation is None or head.stored_components or head.width == annotation.dim or annotation.kind != "vertices":
        return {}
    arrays = find_pca(root, annotation)
    return {key: torch.from_numpy(array) for key, array in arrays.items()} if arrays else {}


def _why_not(head: HeadContents, basis: dict[str, Tensor], source: Path) -> str | None:
    """Why a head cannot work; ``None`` when it can.

    Raises:
        UniTalkerError: its tensors contradict its annotation type.
    """
    annotation = released_annotations().get(head.type_name)
    if annotation is None:
        known = ", ".join(released_annotations())
        return f"its channels are unknown, since this annotation type is not one of the release ({known})"
    if head.width == annotation.dim:
        return None
    tensor = f"out_head_dict.{head.type_name}.weight"
    if annotation.kind != "vertices":
        raise bad_checkpoint(source, f"tensor {tensor} has {head.width} rows; expected {annotation.dim}")
    stored = head.stored_components or (len(basis["feat_to_data"]) if basis else None)
    if stored is None:
        return f"its PCA is missing; put it at {expected_files(annotation, PCA_FILE)} below the data root"
    if stored < head.width:
        raise bad_checkpoint(source, f"tensor {tensor} has {head.width} rows; its PCA has only {stored} components")
    return None


def _head_spec(head: HeadContents, tensors: dict[str, Tensor], root: Path | None, report: ImportReport) -> HeadSpec:
    annotation = released_annotations()[head.type_name]
    basis = tensors.get(f"{pca_prefix(head.type_name)}feat_to_data")
    template = find_template(root, annotation)
    if template:
        report.notes.append(f"{head.type_name}: the template is {template.source}.")
    else:
        meaning = {
            "blendshapes": "zero is the resting face",
            "vertices": "gives displacements from the resting face, not positions",
            "flame": "gives parameters relative to the speaker's",
        }[annotation.kind]
        files = expected_files(annotation, TEMPLATE_FILE)
        report.notes.append(f"{head.type_name}: {meaning}, for want of a template ({files}).")
    return HeadSpec(
        annotation=annotation,
        layers=head.layers,
        components=None if basis is None else head.width,
        stored_components=None if basis is None else len(basis),
        has_template=template is not None,
    )


def _template_tensor(spec: HeadSpec, root: Path | None) -> Tensor:
    template = find_template(root, spec.annotation)
    assert template is not None
    return torch.from_numpy(template.values)


def _identities(contents: Contents, report: ImportReport) -> tuple[str, ...]:
    names, released = identity_names(contents.identity_rows)
    if not released:
        report.notes.append(
            f"The identity table has {len(names)} rows, not those of the release: they are named by number, "
            "and the last is taken for the pivot."
        )
    return names


def _manifest(spec: ModelSpec, contents: Contents, checkpoint: Path, report: ImportReport) -> Manifest:
    default = next((name for name in _PREFERRED_HEADS if name in report.heads), report.heads[0])
    return Manifest(
        name=report.name,
        version=__version__,
        title=f"UniTalker-{contents.encoder.variant} (official)",
        licence=_LICENCE,
        spec=spec,
        default_head=default,
        default_identity=spec.identities[-1],
        provenance={
            "checkpoint": checkpoint.name,
            "sha256": _sha256(checkpoint),
            "encoder": contents.encoder.title,
            "left_out": report.left_out,
            "notes": report.notes,
        },
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _card(manifest: Manifest, report: ImportReport) -> str:
    lines = [
        f"# {manifest.title}",
        "",
        f"Imported from `{manifest.provenance['checkpoint']}` (SHA-256 `{manifest.provenance['sha256']}`); "
        f"encoder {report.encoder}; weights unchanged, float32.",
        "",
        f"Licence: {manifest.licence}.",
        "",
        "| head | channels | frames per second |",
        "|---|---|---|",
        *(f"| {h.annotation.type_name} | {h.annotation.dim} | {h.annotation.fps:g} |" for h in manifest.spec.heads),
        "",
        *(f"- {name} was left out: {reason}." for name, reason in report.left_out.items()),
        *(f"- {note}" for note in report.notes),
    ]
    return "\n".join(lines).rstrip() + "\n"
