"""What all sections of a recipe have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"the range {list(ends)} ends before it begins")
    return ends


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
"""Lowest and highest value."""


class Section(BaseModel):
    """Plain data that does not change; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
