"""The speech engines by name."""

from __future__ import annotations

from pathlib import Path

from training.synthesis.engines.base import Engine
from training.synthesis.engines.espeak import Espeak
from training.synthesis.engines.festival import Festival
from training.synthesis.engines.flite import Flite
from training.synthesis.engines.kokoro import Kokoro
from training.synthesis.engines.piper import Piper


def speech_engines(kokoro_voices: Path | None = None) -> dict[str, Engine]:
    """All engines by name, installed or not (`Engine.missing`); fast ones come first.

    Args:
        kokoro_voices: folder ``voices`` of the npm package ``kokoro-js``; without it Kokoro has five voices.
    """
    engines: tuple[Engine, ...] = (Flite(), Festival(), Espeak(), Piper(), Kokoro(kokoro_voices))
    return {engine.name: engine for engine in engines}
