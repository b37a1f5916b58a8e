"""What is spoken: the project's own list of sentences in each language, and English text of the user's choice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from backend.errors import UniTalkerError
from training.synthesis.languages import ESPEAK_VOICES

SENTENCES_LICENCE = "CC0-1.0, written for this project"

_LENGTH = (25, 110)
_SPEAKABLE = re.compile(r"[A-Z][A-Za-z ,.'!?;:-]+")
_LIP_LETTERS = re.compile(r"[pbmfvwu]|oo|ou|ow")
_SHOUTED = re.compile(r"[A-Z]{3,}")


@dataclass(frozen=True)
class Sentence:
    """Text in the script that espeak-ng reads (Mandarin: pinyin with tone digits), and its language code."""

    text: str
    language: str


def english_sentences(source: Path, rng: np.random.Generator) -> list[Sentence]:
    """Sentences of running English text, those rich in lip sounds, in random order.

    Args:
        source: a text file or a folder of them; paragraphs may be separated by ``%`` lines as fortune files have.
        rng: decides the order; the same seed and source give the same list.

    Raises:
        UniTalkerError: the source does not exist or has no usable sentence.
    """
    folder = source.iterdir() if source.is_dir() else ()
    files = sorted(f for f in folder if f.is_file() and f.suffix in ("", ".txt")) or [source]
    found: dict[str, None] = {}
    for file in files:
        if not file.is_file():
            raise UniTalkerError(
                "synthesis.text",
                f"{file} with the English sentences does not exist.",
                "Name a text file or a folder of them.",
            )
        found.update(dict.fromkeys(_sentences(file.read_text("utf-8", errors="replace"))))
    if not found:
        raise UniTalkerError(
            "synthesis.text", f"{source} contains no sentence of {_LENGTH[0]} to {_LENGTH[1]} letters."
        )
    rich = sorted(found, key=lip_density, reverse=True)[: max(1, len(found) * 2 // 3)]
    return [Sentence(rich[i], "en") for i in rng.permutation(len(rich))]


def lip_density(text: str) -> float:
    """Share of letters that make the lips move: p b m f v w u, oo, ou, ow."""
    return len(_LIP_LETTERS.findall(text.lower())) / max(len(text), 1)


def listed_sentences(language: str, rng: np.random.Generator) -> list[Sentence]:
    """The project's own sentences in a language, in random order.

    Raises:
        UniTalkerError: there is no list for the language.
    """
    listing = resources.files("training.synthesis").joinpath("sentences", f"{language}.txt")
    if language not in ESPEAK_VOICES or not listing.is_file():
        raise UniTalkerError("synthesis.language", f"There is no list of sentences in {language!r}.")
    lines = [line.strip() for line in listing.read_text("utf-8").splitlines()]
    sentences = [Sentence(line, language) for line in lines if line and not line.startswith("#")]
    return [sentences[i] for i in rng.permutation(len(sentences))]


def _sentences(text: str) -> list[str]:
    sentences: list[str] = []
    for paragraph in re.split(r"\n%\n|\n\s*\n", text):
        for sentence in re.split(r"(?<=[.!?])\s", re.sub(r"\s+", " ", paragraph)):
            plain = sentence.strip()
            if _LENGTH[0] <= len(plain) <= _LENGTH[1] and _SPEAKABLE.fullmatch(plain) and not _SHOUTED.search(plain):
                sentences.append(plain)
    return sentences
