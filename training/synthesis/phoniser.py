"""Text to IPA with the `espeak-ng` program, in units that a neural voice can be asked the duration of."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from dataclasses import dataclass

from backend.errors import UniTalkerError
from training.synthesis.languages import ESPEAK_VOICES, TIE, standard_ipa
from training.synthesis.phones import SECONDARY, SILENCE, split_symbol
from training.synthesis.pinyin import syllables

PUNCTUATION = ",.;:!?"

_STRESS = "ˈˌ"
_LETTERS_THAT_LOOK_LIKE_MODIFIERS = "ᵻ"
_COMPOSED = {"c\u0327": "\u00e7"}
_LATIN_PUNCTUATION = str.maketrans({"।": ".", "、": ",", "。": ".", "،": ",", "؟": "?", "¿": "", "¡": ""})


@dataclass(frozen=True)
class Unit:
    """A phone, word space or punctuation mark as espeak-ng spells it.

    Attributes:
        symbol: IPA letters without marks; ``SIL`` for punctuation; empty for a space.
        spelling: the same with length marks and diacritics, without tie.
        stress: the stress mark in front, or nothing.
    """

    symbol: str
    spelling: str
    stress: str = ""


def phonise(text: str, language: str) -> list[Unit]:
    """Units of a sentence; punctuation is kept as a unit because the voices pause there.

    Args:
        text: one sentence.
        language: a key of `ESPEAK_VOICES`; Mandarin is written in pinyin with tone digits.

    Raises:
        UniTalkerError: espeak-ng is missing or fails, or the language is not known.
        ValueError: text that is not pinyin.
    """
    if language not in ESPEAK_VOICES:
        raise UniTalkerError(
            "synthesis.language", f"No speech can be made in {language!r}.", f"Use one of {', '.join(ESPEAK_VOICES)}."
        )
    units: list[Unit] = []
    for clause, mark in re.findall(rf"([^{PUNCTUATION}]+)([{PUNCTUATION}]?)", text.translate(_LATIN_PUNCTUATION)):
        spoken = _mandarin(clause) if language == "zh" else units_of(_espeak(clause.strip(), language))
        if not spoken:
            continue
        if units:
            units.append(Unit("", " "))
        units.extend(spoken)
        if mark:
            units.append(Unit(SILENCE, mark))
    return units


def units_of(ipa: str) -> list[Unit]:
    """Units of an IPA string in which letters of one phone are joined by `TIE`."""
    units: list[Unit] = []
    stress, tied = "", False
    for character in _decomposed(ipa):
        if character in _STRESS:
            stress = character
        elif character == TIE:
            tied = True
        elif character.isspace():
            if units and units[-1].symbol:
                units.append(Unit("", " "))
        elif _is_modifier(character):
            tied = False
            if units and units[-1].symbol:
                last = units.pop()
                secondary = character if character in SECONDARY else ""
                units.append(Unit(last.symbol + secondary, last.spelling + character, last.stress))
        elif tied and units:
            last = units.pop()
            units.append(Unit(last.symbol + character, last.spelling + character, last.stress))
            tied = False
        else:
            units.append(Unit(character, character, stress))
            stress, tied = "", False
    return units


def _decomposed(ipa: str) -> str:
    text = unicodedata.normalize("NFD", ipa)
    for parts, whole in _COMPOSED.items():
        text = text.replace(parts, whole)
    return text


def _is_modifier(character: str) -> bool:
    if character in _LETTERS_THAT_LOOK_LIKE_MODIFIERS:
        return False
    return unicodedata.category(character) in {"Lm", "Mn", "Sk", "Nd", "Pd", "Po"}


def _mandarin(clause: str) -> list[Unit]:
    """Units of a clause in pinyin; the tone digit is part of the spelling of a syllable's last phone."""
    units: list[Unit] = []
    for ipa, tone in syllables(clause):
        phones = split_symbol(ipa.replace("ʰ", ""))
        aspirated = "ʰ" in ipa
        for i, symbol in enumerate(phones):
            breath = "ʰ" if aspirated and i == 0 else ""
            units.append(Unit(symbol, symbol + breath + (tone if i == len(phones) - 1 else "")))
        units.append(Unit("", " "))
    return units[:-1]


def _espeak(clause: str, language: str) -> str:
    program = shutil.which("espeak-ng")
    if program is None:
        raise UniTalkerError(
            "synthesis.missing_program", "The program espeak-ng is not installed.", "Debian: apt install espeak-ng."
        )
    run = subprocess.run(
        [program, "-q", "--ipa", f"--tie={TIE}", "-v", ESPEAK_VOICES[language], "--", clause],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    if run.returncode:
        raise UniTalkerError("synthesis.espeak", f"espeak-ng failed on {clause!r}: {run.stderr.strip()}")
    return standard_ipa(run.stdout, language).strip()
