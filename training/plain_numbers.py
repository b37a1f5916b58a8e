"""Numbers in JSON, which knows no NaN."""

from __future__ import annotations

import math
from typing import Any


def without_nan(value: Any) -> Any:
    """Plain data in which every number that is not finite is None."""
    if isinstance(value, dict):
        return {name: without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_number(value: float | None) -> float:
    """What `without_nan` made None is NaN again."""
    return math.nan if value is None else value
