"""eSpeak NG: formant synthesis, over a hundred languages. Its library tells the time of each phone as it speaks.

The program prints no times, so the library ``libespeak-ng.so.1`` of the same Debian package is called. It has one
state per process and is used from one thread only.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from backend.errors import UniTalkerError
from training.synthesis.engines.base import Source, at_speech_rate, phones_of_symbol
from training.synthesis.languages import ESPEAK_VOICES, standard_ipa
from training.synthesis.phones import SILENCE
from training.synthesis.phoniser import units_of
from training.synthesis.text import Sentence
from training.synthesis.timeline import Phone, Timeline, Utterance

_SYNCHRONOUS = 2
_PHONE_EVENTS_AS_IPA = 0x0001 | 0x0002
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_PHONE_EVENT = 7
_LABELS_LATE = 0.0
_SHORTEST_PAUSE = 0.045
"""Seconds; a shorter empty event is the closure before a stop."""

# Voices that sound like a person: five male, five female variants of the formant synthesiser.
_VARIANTS = ("m1", "f1", "m3", "f2", "m4", "f3", "m6", "f4", "m7", "f5")


class Espeak:
    """Ten voice variants, the same in each language."""

    name = "espeak"
    source = Source("eSpeak NG, formant synthesis", "GPL-3.0-or-later (program); no recordings", "Debian espeak-ng")
    languages: tuple[str, ...] = tuple(ESPEAK_VOICES)

    def missing(self) -> str | None:
        """See `Engine.missing`."""
        return None if ctypes.util.find_library("espeak-ng") else "Debian package espeak-ng"

    def voices(self, language: str) -> tuple[str, ...]:
        """See `Engine.voices`."""
        return _VARIANTS

    def synthesise(self, sentence: Sentence, voice: str, rng: np.random.Generator) -> Utterance:
        """See `Engine.synthesise`."""
        settings = {_RATE: int(rng.integers(125, 185))} | {key: int(rng.integers(30, 71)) for key in (_PITCH, _RANGE)}
        samples, events = self._library.speak(f"{ESPEAK_VOICES[sentence.language]}+{voice}", sentence.text, settings)
        phones = phones_of_events(events, len(samples) / self._library.rate, sentence.language)
        return Utterance(at_speech_rate(samples, self._library.rate), phones, voice)

    @cached_property
    def _library(self) -> _Library:
        return _Library()


def phones_of_events(events: Sequence[tuple[float, str]], duration: float, language: str) -> Timeline:
    """Phones from what the library reports.

    Args:
        events: start in seconds and eSpeak's IPA of each phone; empty for a pause.
        duration: of the sound, seconds.
        language: whose spelling of IPA is meant.

    Raises:
        ValueError: a phone has no known articulation.
    """
    phones: list[Phone] = []
    ends = [start for start, _ in events[1:]] + [duration]
    for (start, spelled), end in zip(events, ends, strict=True):
        if end <= start:
            continue
        symbol = "".join(unit.symbol for unit in units_of(standard_ipa(spelled, language)))
        if symbol:
            phones.extend(phones_of_symbol(symbol, start - _LABELS_LATE, end - _LABELS_LATE))
        elif phones and end - start < _SHORTEST_PAUSE:
            last = phones.pop()
            phones.append(Phone(last.start, end - _LABELS_LATE, last.symbol))
        else:
            phones.append(Phone(start - _LABELS_LATE, end - _LABELS_LATE, SILENCE))
    return tuple(phones)


class _EventId(ctypes.Union):
    _fields_: ClassVar = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Library:
    """The library, collecting sound and events of one call at a time."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise UniTalkerError(
                "synthesis.missing_program", "The library espeak-ng is not installed.", "Debian: apt install espeak-ng."
            )
        self._library: Any = ctypes.CDLL(name)
        self._sound: list[np.ndarray] = []
        self._events: list[tuple[float, str]] = []
        self._callback = _Callback(self._collect)
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONE_EVENTS_AS_IPA | _DO_NOT_EXIT)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, voice: str, text: str, settings: dict[int, int]) -> tuple[np.ndarray, list[tuple[float, str]]]:
        """float32 (n,) at `rate`, and (seconds, IPA) of each phone."""
        self._sound.clear()
        self._events.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise UniTalkerError("synthesis.espeak", f"This espeak-ng has no voice {voice!r}.")
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode()
        if self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, _UTF8, None, None):
            raise UniTalkerError("synthesis.espeak", f"espeak-ng failed on {text!r}.")
        self._library.espeak_Synchronize()
        sound = np.concatenate(self._sound) if self._sound else np.zeros(0, np.int16)
        return sound.astype(np.float32) / 32768, list(self._events)

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count:
            self._sound.append(np.ctypeslib.as_array(samples, (count,)).copy())
        position = 0
        while events[position].type:
            event = events[position]
            if event.type == _PHONE_EVENT:
                # A name of eight bytes is cut, at times within a letter.
                name = bytes(event.id.string).partition(b"\0")[0].decode("utf-8", "ignore")
                self._events.append((event.audio_position / 1000, name))
            position += 1
        return 0
