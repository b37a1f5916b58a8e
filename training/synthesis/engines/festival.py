# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""Festival: the Russian voice of Debian's package ``festvox-ru``, which joins recorded units and lists its phones."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from backend.errors import UniTalkerError
from training.synthesis.engines.base import Source, at_speech_rate, missing_programs
from training.synthesis.phones import SILENCE
from training.synthesis.text import Sentence
from training.synthesis.timeline import Phone, Timeline, Utterance

_VOICE = "msu_ru_nsh"
_VOICE_FOLDER = Path("/usr/share/festival/voices/russian/msu_ru_nsh_clunits")

# Of the voice's phone set; a doubled letter is the palatalised consonant.
_VOWELS = {
    **{"ii": "i", "yy": "ɨ", "uu": "u", "ee": "ɛ", "oo": "o", "aa": "a", "a": "ʌ", "e": "e", "i": "ɪ", "y": "ɨ"},
    **{"u": "u", "ae": "ə", "ay": "ə", "ur": "ʊ"},
}
_CONSONANTS = {
    **{"p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "g": "ɡ", "f": "f", "v": "v", "s": "s", "z": "z", "m": "m"},
    **{"n": "n", "l": "ɫ", "r": "r", "h": "x"},
}
_OTHERS = {"pau": SILENCE, "sh": "ʂ", "zh": "ʐ", "sch": "ɕ", "c": "ts", "ch": "tɕ", "j": "j", "ll": "lʲ"}


class Festival:
    """One Russian man."""

    name = "festival"
    source = Source("Festival voice msu_ru_nsh", "BSD-style (Shmyrev)", "Debian packages festival and festvox-ru")
    languages: tuple[str, ...] = ("ru",)

    def missing(self) -> str | None:
        """See `Engine.missing`."""
        return missing_programs("festival") or (None if _VOICE_FOLDER.is_dir() else "Debian package festvox-ru")

    def voices(self, language: str) -> tuple[str, ...]:
        """See `Engine.voices`."""
        return (_VOICE,)

    def synthesise(self, sentence: Sentence, voice: str, rng: np.random.Generator) -> Utterance:
        """See `Engine.synthesise`."""
        program = shutil.which("festival")
        if program is None or not _VOICE_FOLDER.is_dir():
            raise UniTalkerError(
                "synthesis.missing_program",
                "Festival or its Russian voice is not installed.",
                "Debian: apt install festival festvox-ru.",
            )
        stretch = rng.uniform(0.9, 1.2)
        with tempfile.TemporaryDirectory() as folder:
            wave, script = Path(folder) / "speech.wav", Path(folder) / "speak.scm"
            script.write_text(_script(sentence.text, stretch, wave), "utf-8")
            run = subprocess.run(
                [program, "-b", str(script)], capture_output=True, encoding="utf-8", timeout=60, check=False
            )
            if run.returncode or not wave.is_file():
                raise UniTalkerError(
                    "synthesis.festival", f"festival failed on {sentence.text!r}: {run.stderr.strip()}"
                )
            samples, rate = soundfile.read(wave, dtype="float32")
        return Utterance(at_speech_rate(samples, rate), parse_segments(run.stdout), voice)


def parse_segments(text: str) -> Timeline:
    """Timeline from lines of a phone of the Russian set and its end in seconds.

    Raises:
        ValueError: the text has another form.
    """
    phones: list[Phone] = []
    clock = 0.0
    for line in text.splitlines():
        name, end = line.split()
        if float(end) > clock:
            phones.append(Phone(clock, float(end), _ipa(name)))
            clock = float(end)
    return tuple(phones)


def _ipa(name: str) -> str:
    for table in (_OTHERS, _VOWELS, _CONSONANTS):
        if name in table:
            return table[name]
    if name[:1] in _CONSONANTS and name == 2 * name[0]:
        return _CONSONANTS[name[0]] + "ʲ"
    raise ValueError(f"{name!r} is not in the Russian phone set")


def _script(text: str, stretch: float, wave: Path) -> str:
    quoted = text.replace("\\", " ").replace('"', " ")
    return (
        f"(voice_{_VOICE}_clunits)\n"
        f"(Parameter.set 'Duration_Stretch {stretch:.3f})\n"
        f'(set! spoken (SynthText "{quoted}"))\n'
        f'(utt.save.wave spoken "{wave.as_posix()}" \'riff)\n'
        '(mapcar (lambda (s) (format t "%s %f\\n" (item.name s) (item.feat s \'end)))'
        " (utt.relation.items spoken 'Segment))\n"
    )
