# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""The languages that can be spoken: their voice in eSpeak NG, and where its IPA differs from the chart's."""

from __future__ import annotations

import re

TIE = "͡"

ESPEAK_VOICES = {
    **{"en": "en-us", "es": "es", "fr": "fr", "it": "it", "pt": "pt-br", "hi": "hi", "ja": "ja"},
    **{"zh": "cmn-latn-pinyin", "de": "de", "ru": "ru", "ar": "ar"},
}

# What eSpeak NG writes for one language only, longest first where one contains another.
_LOCAL_LETTERS: dict[str, dict[str, str]] = {
    # Emphatic consonants and the vowels beside them.
    "ar": {"s̪": "sˤ", "t̪": "tˤ", "a.": "ɑ", "i.": "ɨ", "u.": "ʊ"},
    # r is uvular, and vocalised where eSpeak writes r; ɜ is the ending -er.
    "de": {"ɾ": "ʁ", "r": "ɐ", "ɜ": "ɐ"},
    "hi": {"c": f"t{TIE}ʃ", "ɟ": f"d{TIE}ʒ", "r.": "ɽ"},
    "pt": {"y": "i", "æ": "ɐ"},
    "ru": {"y": "ɨ", "ɭ": "ɫ", 'u"': "ʉ"},
    "zh": {
        **{"ts.h": "tʂʰ", "ts.": "tʂ", "s.": "ʂ", "tɕh": "tɕʰ", "tsh": "tsʰ", "ph": "pʰ", "th": "tʰ", "kh": "kʰ"},
        **{"onɡ": "ʊŋ", "o-": "ɤ", "i.": "ɨ", "i̪": "ɨ", "χ": "x", "yæ": "ɥɛ", "iɛ": "jɛ", "iou": "jou", "uo": "wo"},
    },
}
_SWITCH_OF_LANGUAGE = re.compile(r"\([^)]*\)")


def standard_ipa(spelled: str, language: str) -> str:
    """IPA as in the chart from what eSpeak NG writes in a language; marks of a change of language are dropped."""
    plain = _SWITCH_OF_LANGUAGE.sub("", spelled)
    letters = _LOCAL_LETTERS.get(language, {})
    if not letters:
        return plain
    return re.sub("|".join(map(re.escape, letters)), lambda match: letters[match[0]], plain)
