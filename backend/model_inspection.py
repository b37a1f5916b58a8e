"""What a bundle or an official checkpoint contains, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.bundle_manifest import BundleEntry, find_bundle
from backend.model.spec import HeadSpec
from backend.official_release import identity_names, released_annotations

Rows = list[tuple[str, str]]

CHECKPOINT_SUFFIXES = (".pt", ".pth")


def inspect_model(model: str | Path) -> Rows:
    """Label and text of everything worth knowing about a bundle (name or folder) or a ``.pt`` file.

    Raises:
        UniTalkerError: ``model.not_found``, ``model.unreadable``.
    """
    path = Path(model)
    if path.suffix in CHECKPOINT_SUFFIXES and not path.is_dir():
        return _checkpoint_rows(path)
    return _bundle_rows(find_bundle(model))


def _bundle_rows(entry: BundleEntry) -> Rows:
    manifest = entry.manifest
    spec = manifest.spec
    rows = [
        ("model", f"{manifest.name} {manifest.version}, {manifest.title}"),
        ("folder", str(entry.folder)),
        ("licence", manifest.licence),
        ("encoder", spec.encoder.kind),
        ("decoder", f"{spec.decoder.kind}, {spec.decoder.width} channels"),
        ("identities", _identities(spec.identities, manifest.default_identity)),
    ]
    rows += [(f"head {head.annotation.type_name}", _describe_head(head)) for head in spec.heads]
    rows.append(("default head", manifest.default_head))
    return rows + [row for key, value in manifest.provenance.items() for row in _provenance(key, value)]


def _checkpoint_rows(path: Path) -> Rows:
    # torch takes seconds to import; a bundle is described without it.
    from backend.official_checkpoint import HeadContents, read_checkpoint, read_contents

    def describe(head: HeadContents) -> str:
        annotation = released_annotations().get(head.type_name)
        if annotation is None:
            return f"{head.width} numbers, not an annotation type of the release"
        text = f"{annotation.dim} channels at {annotation.fps:g} fps ({annotation.kind})"
        if head.width == annotation.dim:
            return text
        inside = f"{head.stored_components} stored here" if head.stored_components else "PCA file needed"
        return f"{text} from {head.width} PCA components, {inside}"

    tensors = read_checkpoint(path)
    contents = read_contents(tensors, path)
    names, released = identity_names(contents.identity_rows)
    rows = [
        ("checkpoint", str(path)),
        ("variant", f"UniTalker-{contents.encoder.variant}, encoder {contents.encoder.title}"),
        ("decoder", f"{contents.decoder.kind}, {contents.decoder.width} channels"),
        ("identities", _identities(names, names[-1]) if released else f"{len(names)}, not those of the release"),
        ("tensors", f"{len(tensors)} with {sum(tensor.numel() for tensor in tensors.values()):,} numbers"),
    ]
    return rows + [(f"head {head.type_name}", describe(head)) for head in contents.heads]


def _describe_head(head: HeadSpec) -> str:
    annotation = head.annotation
    text = f"{annotation.dim} channels at {annotation.fps:g} fps ({annotation.kind}, {annotation.unit})"
    if head.components:
        text += f" from {head.components} PCA components"
    return text + (", with template" if head.has_template else "")


def _provenance(key: str, value: Any) -> Rows:
    """One row for each entry of a table or list."""
    if isinstance(value, dict):
        return [(f"made from: {key} {name}", str(entry)) for name, entry in value.items()]
    entries = value if isinstance(value, list | tuple) else [value]
    return [(f"made from: {key}", str(entry)) for entry in entries]


def _identities(names: tuple[str, ...], default: str) -> str:
    return f"{len(names)}, {names[0]} to {names[-1]}, default {default}"
