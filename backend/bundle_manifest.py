"""`model.json` of a bundle, and where bundles are looked for. Imports no torch: `hello` comes before it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.errors import UniTalkerError
from backend.model.spec import PIVOT, ModelSpec

SCHEMA = 1
MANIFEST_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"
ONNX_FILE = "model.onnx"
CARD_FILE = "MODEL_CARD.md"

MODELS_VARIABLE = "UNITALKER_MODELS"

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"


class Manifest(BaseModel):
    """What is known of a model without its weights.

    Attributes:
        schema_version: of this file's form.
        name: of the model; the folder has the same.
        title: what a person reads in a list.
        licence: of the weights, as an SPDX expression or a sentence.
        default_head: annotation type used when none is asked for.
        default_identity: identity used when none is asked for.
        provenance: what it was made from: data sets, recipe, versions, source file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    version: str
    title: str
    licence: str
    spec: ModelSpec
    default_head: str
    default_identity: str = PIVOT
    provenance: dict[str, Any] = Field(default_factory=dict)

    def model_post_init(self, _context: object) -> None:
        self.spec.head(self.default_head)
        if self.default_identity not in self.spec.identities:
            raise ValueError(f"default identity {self.default_identity!r} is not in the identity table")

    def head_name(self, name: str | None) -> str:
        """The head's annotation type; ``None`` is the default head.

        Raises:
            UniTalkerError: ``model.unknown_head`` with the names that exist.
        """
        name = name or self.default_head
        heads = [head.annotation.type_name for head in self.spec.heads]
        if name not in heads:
            raise UniTalkerError(
                "model.unknown_head", f"{self.name} has no head {name!r}.", f"It has: {', '.join(heads)}."
            )
        return name

    def identity_name(self, name: str | None) -> str:
        """The identity; ``None`` is the default identity.

        Raises:
            UniTalkerError: ``model.unknown_identity`` with the names that exist.
        """
        name = name or self.default_identity
        identities = self.spec.identities
        if name not in identities:
            raise UniTalkerError(
                "model.unknown_identity",
                f"{self.name} has no identity {name!r}.",
                f"It has: {', '.join(_ranges(identities))}.",
            )
        return name

    def identity_index(self, name: str | None) -> int:
        """Row of the identity table; as `identity_name`."""
        return self.spec.identities.index(self.identity_name(name))


def _ranges(identities: Sequence[str]) -> Iterator[str]:
    """Names as people read them: of an official data set with hundreds of people only the first and the last."""
    for data_set, members in groupby(identities, lambda name: name.rpartition("/")[0]):
        names = list(members)
        if data_set and len(names) > 2:
            yield f"{names[0]} to {names[-1]}"
        else:
            yield from names


@dataclass(frozen=True)
class BundleEntry:
    """A bundle found on disk, not loaded."""

    folder: Path
    manifest: Manifest


def read_manifest(folder: Path) -> Manifest:
    """Read and check `model.json`.

    Raises:
        UniTalkerError: ``model.not_found``, ``model.unreadable``.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise UniTalkerError(
            "model.not_found", f"{folder} holds no {MANIFEST_FILE}.", "A model is a folder with model.json in it."
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UniTalkerError("model.unreadable", f"{path} cannot be read: {error}.", "Copy the model again.") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        raise UniTalkerError(
            "model.unreadable",
            f"{path} has schema version {version}; this program knows {SCHEMA}.",
            "Update UniTalker.",
        )
    try:
        return Manifest.model_validate(data)
    except (ValidationError, KeyError) as error:
        raise UniTalkerError(
            "model.unreadable", f"{path}: {_first_problem(error)}.", "Copy the model again."
        ) from error


def user_models() -> Path:
    """Where a user's own models are kept, as each system wants it; it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "unitalker" / "models"


def search_path() -> list[Path]:
    """Folders that hold bundles: `assets/models` beside this package, the user's, those of ``UNITALKER_MODELS``."""
    own = Path(__file__).resolve().parent.parent / "assets" / "models"
    named = [Path(part) for part in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if part]
    return [own, user_models(), *named]


def list_bundles() -> tuple[list[BundleEntry], list[str]]:
    """Every bundle on the search path, and in words what could not be read."""
    entries: dict[str, BundleEntry] = {}
    problems = []
    for root in search_path():
        for path in sorted(root.glob(f"*/{MANIFEST_FILE}")):
            try:
                manifest = read_manifest(path.parent)
            except UniTalkerError as error:
                problems.append(str(error))
                continue
            # As with PATH, the first of a name is the one that is used.
            entries.setdefault(manifest.name, BundleEntry(path.parent, manifest))
    return list(entries.values()), problems


def find_bundle(name_or_path: str | Path) -> BundleEntry:
    """A bundle by the path of its folder or by its name.

    Raises:
        UniTalkerError: ``model.not_found`` with what there is, ``model.unreadable``.
    """
    folder = Path(name_or_path)
    if (folder / MANIFEST_FILE).is_file():
        return BundleEntry(folder, read_manifest(folder))
    entries, problems = list_bundles()
    for entry in entries:
        if entry.manifest.name == str(name_or_path):
            return entry
    there = ", ".join(entry.manifest.name for entry in entries) or "none"
    hint = " ".join([f"Models here: {there}.", f"Others are found through {MODELS_VARIABLE}.", *problems])
    raise UniTalkerError("model.not_found", f"There is no model {str(name_or_path)!r}.", hint)


def _first_problem(error: ValidationError | KeyError) -> str:
    if isinstance(error, KeyError):
        return str(error.args[0])
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'model'}: {first['msg']}"
