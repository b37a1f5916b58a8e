"""The speech engines by name."""

from __future__ import annotations

from training.synthesis.engines.base import Engine
from training.synthesis.engines.flite import Flite
from training.synthesis.engines.kokoro import Kokoro
from training.synthesis.engines.piper import Piper

ENGINES: dict[str, type[Engine]] = {"flite": Flite, "piper": Piper, "kokoro": Kokoro}
