"""The interface of a speech engine, and how phone durations become a timeline."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
import soxr

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from training.synthesis.phones import SILENCE, is_known, split_symbol
from training.synthesis.phoniser import Unit
from training.synthesis.text import Sentence
from training.synthesis.timeline import Phone, Timeline, Utterance


@dataclass(frozen=True)
class Source:
    """Where a voice comes from: for the manifest. `licence` is an SPDX identifier or the name of the terms."""

    title: str
    licence: str
    origin: str


class Engine(Protocol):
    """A text-to-speech engine that knows when each phone sounds.

    Attributes:
        name: part of the identity ``synthetic_<name>_<voice>``.
        source: licence and origin of its voices.
        languages: codes it can speak.
    """

    name: str
    source: Source
    languages: tuple[str, ...]

    def missing(self) -> str | None:
        """What must be installed before it can speak, in words; ``None`` if nothing."""
        ...

    def voices(self, language: str) -> tuple[str, ...]:
        """Names of the voices that speak a language, at least one."""
        ...

    def synthesise(self, sentence: Sentence, voice: str, rng: np.random.Generator) -> Utterance:
        """Speaks a sentence at a speed drawn from `rng`; phone times are calibrated against the sound.

        Raises:
            UniTalkerError: the engine is not installed or cannot speak this.
        """
        ...


def require(module: str) -> ModuleType:
    """Imports a module of the extra ``synthesis``.

    Raises:
        UniTalkerError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UniTalkerError(
            "synthesis.missing_package",
            f"The Python package {module!r} is not installed.",
            "In a checkout of this project: pip install '.[synthesis]'.",
        ) from error


def at_speech_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    """float32 (n,) at 16 kHz from mono samples at `rate`."""
    mono = np.asarray(samples, np.float32).reshape(-1)
    return mono if rate == SAMPLE_RATE else np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), np.float32)


def phones_from_durations(
    units: Sequence[Unit], tokens_per_unit: Sequence[int], durations: np.ndarray, start: float
) -> Timeline:
    """Timeline of the units of a neural voice.

    Args:
        units: of the sentence.
        tokens_per_unit: how many of the voice's tokens spell each unit.
        durations: seconds of each token, (sum of `tokens_per_unit`,).
        start: time of the first token, seconds.

    Returns:
        One or more phones per unit; spaces lengthen the phone before them, units without tokens are left out.

    Raises:
        ValueError: counts and durations do not match, or a unit has no known articulation.
    """
    if sum(tokens_per_unit) != len(durations):
        raise ValueError(f"{sum(tokens_per_unit)} tokens have {len(durations)} durations")
    phones: list[Phone] = []
    clock, position = start, 0
    for unit, count in zip(units, tokens_per_unit, strict=True):
        end = clock + float(durations[position : position + count].sum())
        position += count
        if not unit.symbol:
            if phones:
                last = phones.pop()
                phones.append(Phone(last.start, end, last.symbol))
        elif count:
            phones.extend(phones_of_symbol(unit.symbol, clock, end))
        clock = end
    return tuple(phones)


def phones_of_symbol(symbol: str, start: float, end: float) -> list[Phone]:
    """Phones of a run of IPA letters, in equal shares of its time.

    Raises:
        ValueError: a letter without a known articulation.
    """
    symbols = [symbol] if symbol == SILENCE else split_symbol(symbol)
    unknown = [part for part in symbols if not is_known(part)]
    if unknown:
        raise ValueError(f"no articulation is known for {unknown[0]!r}")
    edges = np.linspace(start, end, len(symbols) + 1)
    return [Phone(float(a), float(b), s) for a, b, s in zip(edges[:-1], edges[1:], symbols, strict=True)]


def missing_programs(*programs: str) -> str | None:
    """The Debian packages to install for programs of the same name that are not there; ``None`` if all are."""
    missing = [program for program in programs if shutil.which(program) is None]
    return f"Debian package {' '.join(missing)}" if missing else None


def missing_modules(**packages: str) -> str | None:
    """The packages to install for Python modules that are not there, by module; ``None`` if all are."""
    missing = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
    return f"Python package {' '.join(missing)}" if missing else None
