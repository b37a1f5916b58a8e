"""Flite: the voices of Debian's package ``flite``, which prints the end time of each phone."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from backend.errors import UniTalkerError
from training.synthesis.engines.base import Source, at_speech_rate, missing_programs
from training.synthesis.phones import from_arpabet
from training.synthesis.text import Sentence
from training.synthesis.timeline import Phone, Timeline, Utterance


class Flite:
    """Four English voices: three of unit-selected CMU ARCTIC speakers, one of diphones."""

    name = "flite"
    source = Source("Flite voices slt, rms, awb, kal16", "BSD-style (CMU)", "Debian package flite")
    languages: tuple[str, ...] = ("en",)

    def missing(self) -> str | None:
        """See `Engine.missing`."""
        return missing_programs("flite")

    def voices(self, language: str) -> tuple[str, ...]:
        """See `Engine.voices`."""
        return ("slt", "rms", "awb", "kal16")

    def synthesise(self, sentence: Sentence, voice: str, rng: np.random.Generator) -> Utterance:
        """See `Engine.synthesise`."""
        program = shutil.which("flite")
        if program is None:
            raise UniTalkerError(
                "synthesis.missing_program", "The program flite is not installed.", "Debian: apt install flite."
            )
        stretch = f"duration_stretch={rng.uniform(0.85, 1.25):.3f}"
        with tempfile.TemporaryDirectory() as folder:
            wave = Path(folder) / "speech.wav"
            command = [program, "-voice", voice, "-psdur", "--setf", stretch, "-t", sentence.text, "-o", str(wave)]
            run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
            if run.returncode or not wave.is_file():
                raise UniTalkerError("synthesis.flite", f"flite failed on {sentence.text!r}: {run.stderr.strip()}")
            samples, rate = soundfile.read(wave, dtype="float32")
        return Utterance(at_speech_rate(samples, rate), parse_phone_ends(run.stdout), voice)


def parse_phone_ends(text: str) -> Timeline:
    """Timeline from ``phone:end`` pairs as ``flite -psdur`` prints them.

    Raises:
        ValueError: the text has another form.
    """
    phones: list[Phone] = []
    clock = 0.0
    for pair in text.split():
        name, _, end = pair.rpartition(":")
        phones.append(Phone(clock, float(end), from_arpabet(name)))
        clock = float(end)
    return tuple(phones)
