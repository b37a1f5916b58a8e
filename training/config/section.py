"""What all sections of a recipe have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Range = tuple[float, float]


class Section(BaseModel):
    """Plain data that does not change; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
