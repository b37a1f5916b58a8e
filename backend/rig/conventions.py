"""Names of facial shapes in use, read from ``assets/rigs``; the add-on reads the same files."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.errors import UniTalkerError

RIGS = Path(__file__).resolve().parents[2] / "assets" / "rigs"
ARKIT = "arkit52"

Method = Literal["direct", "least squares", "one at a time"]


class Channel(BaseModel):
    """One shape of a convention.

    Attributes:
        names: spellings, best first; case and separators do not matter when they are compared.
        halves: names of the two shape keys that some heads split it into.
        sum: ARKit shape → weight: what the channel is made of. Of `sum` and `pose` at most one is given; a channel
            with neither stays at rest.
        pose: ARKit shape → weight: the face that the channel shows at 1, for those that are solved for.
        optional: heads of this convention often lack it.
        unless: channels that replace it; it stays at rest on a head that has one of them.
        rest: the mouth at rest, where shapes are shown one at a time.
        closure: what is shown where lips come together inside speech, and only there, where shapes are shown one at a
            time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...] = Field(min_length=1)
    halves: tuple[str, ...] = ()
    sum: dict[str, float] = {}
    pose: dict[str, float] = {}
    optional: bool = False
    unless: tuple[str, ...] = ()
    rest: bool = False
    closure: bool = False


class Convention(BaseModel):
    """A set of shapes that heads have under agreed names.

    Attributes:
        method: ``direct``: every channel is a sum of ARKit shapes. ``least squares``: poses are mixed so that the lips
            come as close as they can. ``one at a time``: the strongest pose is shown alone.
        sure: how sure names and poses are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    convention: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    method: Method
    about: str
    sources: tuple[str, ...] = Field(min_length=1)
    sure: str
    channels: dict[str, Channel]


def convention_names() -> tuple[str, ...]:
    """The conventions that there are, in alphabetical order."""
    return tuple(path.stem for path in sorted(RIGS.glob("*.json")) if "convention" in _read(path))


@functools.cache
def load_convention(name: str) -> Convention:
    """The convention called `name`.

    Raises:
        UniTalkerError: ``rig.unknown_convention``, or ``rig.damaged`` when its file is not what it should be.
    """
    path = RIGS / f"{name}.json"
    if not path.is_file():
        raise UniTalkerError(
            "rig.unknown_convention",
            f"There is no convention '{name}' of facial shapes.",
            f"There are {', '.join(convention_names())}.",
        )
    try:
        return Convention.model_validate(_read(path))
    except ValidationError as error:
        raise UniTalkerError("rig.damaged", f"{path} is damaged: {error}.", "Install the backend again.") from error


@functools.cache
def arkit_names() -> dict[str, str]:
    """The 52 ARKit shapes: lower-case name → name."""
    return {name.lower(): name for name in load_convention(ARKIT).channels}


@functools.cache
def lip_metric() -> tuple[tuple[str, ...], np.ndarray]:
    """Mouth shapes and the matrix M, float64, in which ``w' M w`` is how far weights w move the lips, squared."""
    data = _read(RIGS / "lip_metric.json")
    return tuple(data["channels"]), np.array(data["matrix"])


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
