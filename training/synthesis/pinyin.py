"""Mandarin from pinyin to IPA with tones: eSpeak NG writes its tones so that they cannot be told apart.

Initials and finals as in the tables of standard Mandarin phonology (Duanmu 2007; Lin 2007).
"""

from __future__ import annotations

import re

_INITIALS = {
    **{"b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x"},
    **{"zh": "ʈʂ", "ch": "ʈʂʰ", "sh": "ʂ", "r": "ɻ", "z": "ts", "c": "tsʰ", "s": "s", "j": "tɕ", "q": "tɕʰ", "x": "ɕ"},
}
_FINALS = {
    **{"a": "a", "o": "wo", "e": "ɤ", "ai": "ai", "ei": "ei", "ao": "au", "ou": "ou", "an": "an", "en": "ən"},
    **{"ang": "aŋ", "eng": "əŋ", "ong": "ʊŋ", "er": "ɚ", "i": "i", "ia": "ja", "ie": "je", "iao": "jau", "iu": "jou"},
    **{"ian": "jɛn", "in": "in", "iang": "jaŋ", "ing": "iŋ", "iong": "jʊŋ", "u": "u", "ua": "wa", "uo": "wo"},
    **{"uai": "wai", "ui": "wei", "uan": "wan", "un": "wən", "uang": "waŋ", "ueng": "wəŋ"},
    **{"ü": "y", "üe": "ɥe", "üan": "ɥɛn", "ün": "yn"},
}
# Syllables without an initial are spelled with y or w.
_BARE = {
    **{"yi": "i", "ya": "ia", "ye": "ie", "yao": "iao", "you": "iu", "yan": "ian", "yin": "in", "yang": "iang"},
    **{"ying": "ing", "yong": "iong", "wu": "u", "wa": "ua", "wo": "uo", "wai": "uai", "wei": "ui", "wan": "uan"},
    **{"wen": "un", "wang": "uang", "weng": "ueng", "yu": "ü", "yue": "üe", "yuan": "üan", "yun": "ün"},
}
_SYLLABLE = re.compile(r"([a-zü]+)([1-5])")
_THIRD, _SECOND = "3", "2"


def syllables(clause: str) -> list[tuple[str, str]]:
    """(IPA, tone digit) of each syllable of a clause, the third tone before a third spoken as a second.

    Args:
        clause: pinyin with tone digits, ``v`` or ``ü`` for the front rounded vowel; no punctuation.

    Raises:
        ValueError: something is not a pinyin syllable with a tone digit.
    """
    words = clause.lower().replace("v", "ü").split()
    matches = [_SYLLABLE.fullmatch(word) for word in words]
    wrong = [word for word, match in zip(words, matches, strict=True) if match is None]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not a pinyin syllable with a tone digit")
    spelled = [(match[1], match[2]) for match in matches if match is not None]
    result = []
    for i, (syllable, tone) in enumerate(spelled):
        followed = spelled[i + 1][1] if i + 1 < len(spelled) else ""
        result.append((syllable_ipa(syllable), _SECOND if tone == followed == _THIRD else tone))
    return result


def syllable_ipa(syllable: str) -> str:
    """IPA of a pinyin syllable without its tone.

    Raises:
        ValueError: it is not one.
    """
    if syllable in _BARE:
        return _FINALS[_BARE[syllable]]
    initial = syllable[:2] if syllable[:2] in _INITIALS else syllable[:1] if syllable[:1] in _INITIALS else ""
    final = syllable[len(initial) :]
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "ü" + final[1:]
    if final not in _FINALS:
        raise ValueError(f"{syllable!r} is not a pinyin syllable")
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        return _INITIALS[initial] + "ɨ"
    if final == "o" and initial == "":
        return "o"
    return _INITIALS.get(initial, "") + _FINALS[final]
