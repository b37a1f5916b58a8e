"""What the numbers of a data set in the official layout mean: its annotation.json, or what is known of the release."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from backend.annotation import Annotation, Kind
from backend.errors import UniTalkerError
from backend.official_release import DataSet, data_sets, released_annotations
from training.datasets.clip import DECIMATION
from training.datasets.files import read_json

RELEASED_DUPLICATION = {"D0": 10, "D1": 5, "D2": 4}
"""How often the paper uses each training clip of its smallest sets per epoch; those of the others once."""

_UNITS: dict[Kind, Literal["weight", "m", "parameter"]] = {
    "blendshapes": "weight",
    "vertices": "m",
    "flame": "parameter",
}


@dataclass(frozen=True)
class Description:
    """Of one folder.

    Attributes:
        path: the file it is from.
        content: as ``annotation.json`` has it.
        released: which data set of the release the folder is; ``None`` for all others.
    """

    path: Path
    content: dict[str, Any]
    released: DataSet | None

    @property
    def stored_fps(self) -> float:
        """Frame rate of the files."""
        return float(self.content["fps"])

    @property
    def duplication(self) -> int:
        """How often the paper uses each training clip per epoch."""
        return RELEASED_DUPLICATION.get(self.released.name, 1) if self.released else 1

    @cached_property
    def annotation(self) -> Annotation:
        """At the frame rate of training."""
        content = self.content
        try:
            stored = self.stored_fps
            if stored not in DECIMATION:
                raise UniTalkerError(
                    "data.fps",
                    f"{self.path}: {stored:g} frames per second are not supported.",
                    "Use 25, 30, 60 or 100; unitalker train data convert changes other rates.",
                )
            return Annotation(
                type_name=content["annot_type"],
                title=content.get("title", ""),
                kind=content["kind"],
                dim=content["dim"],
                fps=stored / DECIMATION[stored],
                unit=_UNITS[content["kind"]],
                scale=content.get("scale", 1.0),
                names=tuple(content.get("names", ())),
            )
        except KeyError as error:
            raise UniTalkerError("data.annotation", f"{self.path} lacks {error}.") from error
        except (ValidationError, TypeError, ValueError) as error:
            raise UniTalkerError("data.annotation", f"{self.path} does not describe an annotation: {error}") from error

    def released_identities(self, listed: tuple[str, ...]) -> tuple[str, ...]:
        """``D0/0``, ``D0/1``, ... for a folder of the release with all its identities; empty for any other."""
        if self.released is None or self.released.identities != len(listed):
            return ()
        return tuple(f"{self.released.name}/{number}" for number in range(len(listed)))


def describe(folder: Path) -> Description:
    """What annotation.json says; the folders of the release have none, and their annotation types are known.

    Raises:
        UniTalkerError: neither is the case.
    """
    path, listing = folder / "annotation.json", folder / "train.json"
    if path.exists() or not listing.exists():
        return Description(path, read_json(path), None)
    entries = read_json(listing).get("data") or [{}]
    annotation = released_annotations().get(entries[0].get("annot_type", ""))
    if annotation is None:
        raise UniTalkerError(
            "data.not_found",
            f"{path} is missing, and the annotation type of {listing} is not one of the release.",
            f"Write it, or use one of {', '.join(released_annotations())}.",
        )
    content = {
        "annot_type": annotation.type_name,
        "title": annotation.title,
        "fps": entries[0].get("fps", annotation.fps),
        "kind": annotation.kind,
        "dim": annotation.dim,
        "scale": annotation.scale,
        "names": annotation.names,
    }
    called = (entries[0].get("dataset"), annotation.type_name)
    released = next((data for data in data_sets() if (data.name, data.head) == called), None)
    return Description(listing, content, released)
