"""The add-on in other languages: one JSON file a language, English text → translation.

Blender itself looks up labels, tooltips and buttons. Messages with values in them, also those of the backend, reach
the screen as finished English sentences; `translate` recognises them by their templates, in which ``{}`` stands for
a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import bpy

_FOLDER = Path(__file__).parent
_DOMAIN = "unitalker"

CONTEXT = "UniTalker"
"""Of words that mean something else in the rest of Blender."""

_CONTEXTS = ("*", "Operator", CONTEXT)
_SENTENCE_END = re.compile(r"(?<=[.!?:]) ")
_VALUE = "{}"


def register() -> None:
    """Tell Blender every translation there is."""
    found = {path.stem: _read(path.stem) for path in _FOLDER.glob("*.json")}
    texts = {
        locale: {(context, english): text for english, text in words.items() for context in _CONTEXTS}
        for locale, words in found.items()
    }
    bpy.app.translations.register(_DOMAIN, texts)


def unregister() -> None:
    """Take the translations back."""
    bpy.app.translations.unregister(_DOMAIN)


def translate(text: str) -> str:
    """A message in the language of Blender's interface, as far as its sentences are known; else as it is."""
    locale = bpy.app.translations.locale
    if not bpy.context.preferences.view.use_translate_interface or not (_FOLDER / f"{locale}.json").exists():
        return text
    return translate_into(locale, text)


@lru_cache(maxsize=256)
def translate_into(locale: str, text: str) -> str:
    """A message in the language of a file here."""
    words = _read(locale)
    if text in words:
        return words[text]
    for template, pattern, translation in _patterns(locale):
        found = pattern.match(text)
        if found:
            rest = text[found.end() :].lstrip()
            values = _values(locale, template, found.groups())
            return _join(translation.format(*values), translate_into(locale, rest) if rest else "")
    first, *more = _SENTENCE_END.split(text, maxsplit=1)
    if more:
        return _join(words.get(first, first), translate_into(locale, more[0]))
    return text


def _values(locale: str, template: str, values: Sequence[str]) -> list[str]:
    """What a template begins with, and the sentence it ends with, are words of ours too; the rest are names."""
    translated = list(values)
    if template.startswith(_VALUE):
        translated[0] = translate_into(locale, values[0])
    if template.endswith(_VALUE) and " " in values[-1]:
        translated[-1] = translate_into(locale, values[-1])
    return translated


def _join(first: str, second: str) -> str:
    """Two sentences; after a full stop of Chinese and Japanese there is no space."""
    return f"{first}{'' if first.endswith('。') else ' '}{second}".rstrip()


@lru_cache(maxsize=4)
def _read(locale: str) -> dict[str, str]:
    words: dict[str, str] = json.loads((_FOLDER / f"{locale}.json").read_text(encoding="utf-8"))
    return words


@lru_cache(maxsize=4)
def _patterns(locale: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Templates, their patterns and translations, the longest first, so that the most exact one is found."""
    templates = [(english, text) for english, text in _read(locale).items() if _VALUE in english]
    templates.sort(key=lambda pair: -len(pair[0]))
    return [(english, _pattern(english), text) for english, text in templates]


def _pattern(template: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in template.split(_VALUE)]
    return re.compile("(.+?)".join(parts) + r"(?=\s|$)", re.DOTALL)
