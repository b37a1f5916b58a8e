"""How long work tells how far it is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Stage = Literal["load", "decode", "infer", "write"]

ProgressCallback = Callable[[Stage, int, int], None]
"""Called with stage, done and total; stops the work by raising `backend.errors.Cancelled`."""
