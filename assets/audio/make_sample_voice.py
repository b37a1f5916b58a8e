"""Make the sample voice of the demo, with the time of every word and phone, from a CC0 voice.

Needs the extra `synthesis` and the program espeak-ng. The voice samples its own noise, so every run sounds a little
different; the result in this folder is one that was kept.

usage: python assets/audio/make_sample_voice.py
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile

from backend.audio import SAMPLE_RATE
from training.synthesis.engines.piper import Piper
from training.synthesis.phones import SILENCE, split_symbol
from training.synthesis.phoniser import phonise
from training.synthesis.text import Sentence
from training.synthesis.timeline import Phone, Utterance

FOLDER = Path(__file__).parent
# Many p, b, m, f, v and rounded vowels, and a pause between the two in which the mouth must close.
SENTENCES = ("My mother bought five very big plums.", "Why would Bob move a blue piano over the moon?")
PAUSE = 0.8
EDGE = 0.4
LEVEL = 0.7


def phones_per_word(text: str) -> list[int]:
    """How many phones each word of the sentence has, counted as the engine counts them."""
    units = [unit for unit in phonise(text, "en") if unit.symbol != SILENCE]
    words = [list(group) for spoken, group in groupby(units, key=lambda unit: bool(unit.symbol)) if spoken]
    return [sum(len(split_symbol(unit.symbol)) for unit in word) for word in words]


def words_of(text: str, spoken: list[Phone]) -> list[dict[str, object]]:
    """Word, start and end, and the phones within."""
    texts = text.rstrip(".?!").split()
    counts = phones_per_word(text)
    if len(texts) != len(counts) or sum(counts) != len(spoken):
        raise SystemExit(f"espeak-ng joins words of {text!r}: {counts} for {texts}; choose another wording")
    words: list[dict[str, object]] = []
    position = 0
    for word, count in zip(texts, counts, strict=True):
        own = spoken[position : position + count]
        position += count
        phones = [{"phone": p.symbol, "start": round(p.start, 3), "end": round(p.end, 3)} for p in own]
        words.append({"word": word, "start": phones[0]["start"], "end": phones[-1]["end"], "phones": phones})
    return words


def shifted(utterance: Utterance, seconds: float) -> list[Phone]:
    spoken = [phone for phone in utterance.phones if phone.symbol != SILENCE]
    return [Phone(phone.start + seconds, phone.end + seconds, phone.symbol) for phone in spoken]


def main() -> None:
    # A seed for which the voice is asked to speak slowly.
    rng = np.random.default_rng(118)
    engine = Piper()
    pieces = [np.zeros(int(EDGE * SAMPLE_RATE), np.float32)]
    words: list[dict[str, object]] = []
    for index, text in enumerate(SENTENCES):
        if index:
            pieces.append(np.zeros(int(PAUSE * SAMPLE_RATE), np.float32))
        start = sum(map(len, pieces)) / SAMPLE_RATE
        utterance = engine.synthesise(Sentence(text, "en"), engine.voices("en")[0], rng)
        pieces.append(utterance.samples)
        words += words_of(text, shifted(utterance, start))
    pieces.append(np.zeros(int(EDGE * SAMPLE_RATE), np.float32))
    samples = np.concatenate(pieces)
    samples *= LEVEL / np.abs(samples).max()
    soundfile.write(FOLDER / "demo_voice.ogg", samples, SAMPLE_RATE)
    (FOLDER / "demo_voice.json").write_text(json.dumps({"words": words}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{len(samples) / SAMPLE_RATE:.1f} s, {len(words)} words")


if __name__ == "__main__":
    main()
