# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""What the mouth does in each sound: IPA and ARPAbet symbols as articulatory features.

A phone is named by its IPA symbol or ``SIL``. Features, not phone names, are what the teacher and the articulation
rules see, so that what was learned on English reaches the sounds of other languages. All features lie in 0 to 1.
The values for places and manners of articulation follow the IPA chart; the graded ones (rounding, protrusion,
spread) are how strongly the lips take part, on the scale of [u], [ʃ] and [i].
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from functools import cache

import numpy as np

SILENCE = "SIL"


@dataclass(frozen=True)
class Articulation:
    """State of the vocal tract in one half of a diphthong or in one phone; every field is 0 to 1.

    Attributes:
        silence: nothing is spoken.
        bilabial: lips together; 1 is full closure (p, b, m), less is an approximation (ɸ, β).
        labiodental: lower lip at the upper teeth.
        rounding: lips narrowed, u is 1.
        protrusion: lips pushed out and open, ʃ is 1.
        spread: mouth corners drawn apart, i is 1.
        opening: openness of a vowel, a is 1.
        raised_jaw: jaw that must stay high, s and i are 1.
        front, back: tongue position of a vowel.
        vowel, dental, coronal, postalveolar, dorsal, glottal: place; several may hold at once.
        plosive, fricative, nasal, liquid, voiced: manner.
    """

    silence: float = 0.0
    bilabial: float = 0.0
    labiodental: float = 0.0
    rounding: float = 0.0
    protrusion: float = 0.0
    spread: float = 0.0
    opening: float = 0.0
    raised_jaw: float = 0.0
    front: float = 0.0
    back: float = 0.0
    vowel: float = 0.0
    dental: float = 0.0
    coronal: float = 0.0
    postalveolar: float = 0.0
    dorsal: float = 0.0
    glottal: float = 0.0
    plosive: float = 0.0
    fricative: float = 0.0
    nasal: float = 0.0
    liquid: float = 0.0
    voiced: float = 0.0

    def vector(self) -> np.ndarray:
        """float32 (FEATURE_COUNT,), in the order of the fields."""
        return np.array(astuple(self), np.float32)


FEATURES = tuple(field.name for field in fields(Articulation))
FEATURE_COUNT = len(FEATURES)
FEATURE_INDEX = {name: index for index, name in enumerate(FEATURES)}


# symbol: opening, front, back, rounding, protrusion, spread
_VOWELS: dict[str, tuple[float, float, float, float, float, float]] = {
    "i": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    "y": (0.0, 1.0, 0.0, 1.0, 0.4, 0.0),
    "ɨ": (0.05, 0.5, 0.5, 0.0, 0.0, 0.3),
    "ʉ": (0.05, 0.5, 0.5, 0.9, 0.3, 0.0),
    "ɯ": (0.05, 0.0, 1.0, 0.1, 0.0, 0.2),
    "u": (0.05, 0.0, 1.0, 1.0, 0.3, 0.0),
    "ɪ": (0.25, 0.85, 0.15, 0.0, 0.0, 0.4),
    "ᵻ": (0.25, 0.6, 0.4, 0.0, 0.0, 0.2),
    "ʏ": (0.25, 0.85, 0.15, 0.8, 0.3, 0.0),
    "ʊ": (0.25, 0.15, 0.85, 0.6, 0.3, 0.0),
    "e": (0.4, 1.0, 0.0, 0.0, 0.0, 0.7),
    "ø": (0.4, 1.0, 0.0, 0.8, 0.4, 0.0),
    "ɘ": (0.4, 0.5, 0.5, 0.0, 0.0, 0.1),
    "ɵ": (0.4, 0.5, 0.5, 0.6, 0.3, 0.0),
    "ɤ": (0.4, 0.0, 1.0, 0.0, 0.0, 0.0),
    "o": (0.4, 0.0, 1.0, 0.7, 0.5, 0.0),
    "ə": (0.4, 0.5, 0.5, 0.0, 0.0, 0.0),
    "ɚ": (0.4, 0.5, 0.5, 0.1, 0.4, 0.0),
    "ɝ": (0.45, 0.5, 0.5, 0.1, 0.4, 0.0),
    "ɜ": (0.5, 0.5, 0.5, 0.1, 0.3, 0.0),
    "ɛ": (0.65, 0.95, 0.05, 0.0, 0.0, 0.4),
    "œ": (0.65, 0.9, 0.1, 0.6, 0.4, 0.0),
    "ʌ": (0.6, 0.2, 0.8, 0.0, 0.0, 0.0),
    "ɐ": (0.7, 0.5, 0.5, 0.0, 0.0, 0.1),
    "ɔ": (0.85, 0.0, 1.0, 0.5, 0.6, 0.0),
    "æ": (0.95, 0.9, 0.1, 0.0, 0.0, 0.5),
    "a": (1.0, 0.6, 0.4, 0.0, 0.0, 0.2),
    "ɑ": (1.0, 0.1, 0.9, 0.0, 0.0, 0.0),
    "ɒ": (0.95, 0.0, 1.0, 0.3, 0.4, 0.0),
}

_PLACES: dict[str, Articulation] = {
    "bilabial": Articulation(bilabial=1.0),
    "labiodental": Articulation(labiodental=1.0),
    "dental": Articulation(dental=1.0, coronal=0.5),
    "alveolar": Articulation(coronal=1.0, raised_jaw=0.4),
    "postalveolar": Articulation(postalveolar=1.0, coronal=0.5, protrusion=1.0, raised_jaw=0.8),
    "retroflex": Articulation(postalveolar=0.7, coronal=0.7, protrusion=0.2, raised_jaw=0.4),
    "palatal": Articulation(dorsal=0.5, postalveolar=0.5, spread=0.4, raised_jaw=0.6),
    "velar": Articulation(dorsal=1.0),
    # The tongue root draws back, so the jaw is lower than in [k] and [x]; lowest in the throat.
    "uvular": Articulation(dorsal=1.0, back=0.4, opening=0.15),
    "pharyngeal": Articulation(dorsal=0.5, glottal=0.5, back=0.5, opening=0.3),
    "glottal": Articulation(glottal=1.0),
}

# manner, place: symbols; "voiceless voiced" within one string
_CONSONANTS: tuple[tuple[str, str, str, str], ...] = (
    ("plosive", "bilabial", "p", "bɓ"),
    ("nasal", "bilabial", "", "m"),
    ("fricative", "labiodental", "f", "v"),
    ("nasal", "labiodental", "", "ɱ"),
    ("fricative", "dental", "θ", "ð"),
    ("plosive", "alveolar", "t", "dɾ"),
    ("nasal", "alveolar", "", "n"),
    ("liquid", "alveolar", "ɬ", "lɫɮr"),
    ("fricative", "postalveolar", "ʃ", "ʒ"),
    ("fricative", "retroflex", "ʂ", "ʐ"),
    ("plosive", "retroflex", "ʈ", "ɖɽ"),
    ("nasal", "retroflex", "", "ɳ"),
    ("liquid", "retroflex", "", "ɭ"),
    ("plosive", "palatal", "c", "ɟ"),
    ("fricative", "palatal", "ç", "ʝ"),
    ("nasal", "palatal", "", "ɲ"),
    ("liquid", "palatal", "", "jʎ"),
    ("plosive", "velar", "k", "ɡgɠ"),
    ("fricative", "velar", "x", "ɣ"),
    ("nasal", "velar", "", "ŋ"),
    ("liquid", "velar", "", "ɰʟ"),
    ("plosive", "uvular", "q", "ɢ"),
    ("fricative", "uvular", "χ", "ʁ"),
    ("nasal", "uvular", "", "ɴ"),
    ("liquid", "uvular", "", "ʀ"),
    ("fricative", "pharyngeal", "ħ", "ʕ"),
    ("fricative", "glottal", "h", "ɦ"),
    ("plosive", "glottal", "ʔ", ""),
)

AFFRICATES = {
    **{"tʃ": "ʃ", "dʒ": "ʒ", "ʧ": "ʃ", "ʤ": "ʒ"},
    **{"ts": "s", "dz": "z", "ʦ": "s", "ʣ": "z"},
    **{"tɕ": "ɕ", "dʑ": "ʑ", "ʨ": "ɕ", "ʥ": "ʑ", "tʂ": "ʂ", "dʐ": "ʐ"},
    **{"ʈʂ": "ʂ", "ɖʐ": "ʐ"},
}
SECONDARY = {
    # Lips: labialised, compressed as in Japanese u. Tongue: palatalised, pharyngealised or velarised, which in Arabic
    # comes with slightly pushed lips (Lehn 1963).
    "ʷ": {"rounding": 0.7, "protrusion": 0.2},
    "ᵝ": {"rounding": 0.4},
    "ʲ": {"spread": 0.3, "raised_jaw": 0.5, "front": 0.3},
    "ˤ": {"back": 0.4, "rounding": 0.2, "protrusion": 0.2},
    "ˠ": {"back": 0.4},
}
"""Marks after a letter that change what the mouth does: the least that each asks of a feature."""

DIPHTHONGS = frozenset(
    {"aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ", "əʊ", "ɔø", "aɪə", "aɪɚ", "ɪə", "eə", "ʊə", "ai", "au", "ei", "ou", "ɐʊ", "ow"}
)

ARPABET = {
    **{"AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AX": "ə", "AXR": "ɚ", "AY": "aɪ"},
    **{"EH": "ɛ", "ER": "ɚ", "EY": "eɪ", "IH": "ɪ", "IX": "ɪ", "IY": "i", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "u"},
    **{"B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "DX": "ɾ", "EL": "l", "EM": "m", "EN": "n", "F": "f", "G": "ɡ"},
    **{"HH": "h", "HV": "h", "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "NX": "n", "P": "p"},
    **{"Q": "ʔ", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "UX": "u", "V": "v", "W": "w", "Y": "j"},
    **{"Z": "z", "ZH": "ʒ"},
}
_ARPABET_SILENCES = frozenset({"SIL", "PAU", "H#", "SP", "SPN", "NSN", ""})
_NEAREST_ARPABET = {
    **{"ə": "AH", "ɐ": "AH", "ɜ": "ER", "ɝ": "ER", "ɚ": "ER", "ᵻ": "IH", "o": "OW", "e": "EY", "a": "AA", "ɒ": "AA"},
    **{"əʊ": "OW", "ou": "OW", "ai": "AY", "au": "AW", "ei": "EY", "g": "G", "ɫ": "L", "r": "R", "ɾ": "D", "l": "L"},
    **{"ʔ": "T", "ʧ": "CH", "ʤ": "JH", "x": "K", "h": "HH", "n": "N", "m": "M", "u": "UW", "ɪ": "IH", "ɬ": "L"},
}


def from_arpabet(symbol: str) -> str:
    """IPA for an ARPAbet symbol, stress digits and case ignored; ``SIL`` for pauses and noises.

    Raises:
        ValueError: not an ARPAbet symbol.
    """
    plain = symbol.upper().rstrip("012")
    if plain in _ARPABET_SILENCES or plain[0] in "<+[":
        return SILENCE
    if plain not in ARPABET:
        raise ValueError(f"{symbol!r} is not an ARPAbet symbol")
    return ARPABET[plain]


def from_label(label: str) -> str:
    """IPA for a label of a ``phones.json``: ARPAbet in capitals, IPA for sounds that English lacks.

    Raises:
        ValueError: neither.
    """
    if not label.islower() or label.startswith("<"):
        return from_arpabet(label)
    articulations(label)
    return label


def to_arpabet(symbol: str) -> str:
    """The ARPAbet symbol of an IPA phone of English; the IPA symbol itself where ARPAbet has none."""
    if symbol in _NEAREST_ARPABET:
        return _NEAREST_ARPABET[symbol]
    return next((arpabet for arpabet, ipa in ARPABET.items() if ipa == symbol), symbol)


@cache
def _letters() -> dict[str, Articulation]:
    table: dict[str, Articulation] = {}
    for symbol, (opening, front, back, rounding, protrusion, spread) in _VOWELS.items():
        table[symbol] = Articulation(
            opening=opening,
            front=front,
            back=back,
            rounding=rounding,
            protrusion=protrusion,
            spread=spread,
            raised_jaw=max(0.0, (0.5 - opening) / 0.5),
            vowel=1.0,
            voiced=1.0,
        )
    for manner, place, voiceless, voiced in _CONSONANTS:
        for symbols, voicing in ((voiceless, 0.0), (voiced, 1.0)):
            for symbol in symbols:
                table[symbol] = replace(_PLACES[place], **{manner: 1.0}, voiced=voicing)
    table |= _special_consonants(table)
    return table


def _special_consonants(table: dict[str, Articulation]) -> dict[str, Articulation]:
    sibilant = replace(_PLACES["alveolar"], fricative=1.0, raised_jaw=1.0)
    palatal_sibilant = replace(_PLACES["postalveolar"], fricative=1.0, protrusion=0.5, spread=0.3)
    labiovelar = Articulation(rounding=1.0, protrusion=0.3, dorsal=1.0, liquid=1.0, raised_jaw=0.8)
    rhotic = Articulation(postalveolar=0.5, coronal=0.5, protrusion=0.35, rounding=0.2, liquid=1.0, voiced=1.0)
    bilabial_fricative = Articulation(bilabial=0.5, fricative=1.0)
    return {
        "s": sibilant,
        "z": replace(sibilant, voiced=1.0),
        "ɕ": palatal_sibilant,
        "ʑ": replace(palatal_sibilant, voiced=1.0),
        "ʍ": labiovelar,
        "w": replace(labiovelar, voiced=1.0),
        "ɥ": replace(labiovelar, dorsal=0.5, postalveolar=0.5, voiced=1.0),
        "ɹ": rhotic,
        "ɻ": rhotic,
        "ɸ": bilabial_fricative,
        "β": replace(bilabial_fricative, voiced=1.0),
        "ʋ": replace(table["v"], labiodental=0.6, fricative=0.0, liquid=1.0),
        "j": replace(table["j"], spread=0.5, raised_jaw=0.8),
        "ʂ": replace(table["ʂ"], protrusion=0.8, raised_jaw=0.8),
        "ʐ": replace(table["ʐ"], protrusion=0.8, raised_jaw=0.8),
    }


def is_known(symbol: str) -> bool:
    """Whether `articulations` understands this IPA letter, diphthong, affricate or ``SIL``."""
    plain = symbol.rstrip("".join(SECONDARY))
    return symbol == SILENCE or plain in AFFRICATES or (bool(plain) and all(letter in _letters() for letter in plain))


@cache
def articulations(symbol: str) -> tuple[Articulation, ...]:
    """What happens during a phone, in order and in equal shares of its time: two or three states for diphthongs.

    Args:
        symbol: an IPA letter, diphthong or affricate without stress, length or tie marks, a mark of `SECONDARY` may
            follow; or ``SIL``.

    Raises:
        ValueError: a letter that is not in the table.
    """
    if symbol == SILENCE:
        return (Articulation(silence=1.0),)
    plain = symbol.rstrip("".join(SECONDARY))
    if not plain:
        raise ValueError("an empty phone symbol")
    if plain in AFFRICATES:
        states = [replace(_letter(AFFRICATES[plain]), plosive=1.0)]
    else:
        states = [_letter(letter) for letter in plain]
    return tuple(_with_marks(state, symbol[len(plain) :]) for state in states)


def _with_marks(state: Articulation, marks: str) -> Articulation:
    for mark in marks:
        state = replace(state, **{name: max(getattr(state, name), least) for name, least in SECONDARY[mark].items()})
    return state


def _letter(letter: str) -> Articulation:
    letters = _letters()
    if letter not in letters:
        raise ValueError(f"no articulation is known for the IPA letter {letter!r} (U+{ord(letter):04X})")
    return letters[letter]


def split_symbol(symbol: str) -> list[str]:
    """Phones of a run of IPA letters: diphthongs and affricates stay whole, everything else is one letter each.

    Marks of `SECONDARY` stay with the letter before them.
    """
    phones: list[str] = []
    position = 0
    while position < len(symbol):
        length = next(
            (n for n in (3, 2) if symbol[position : position + n] in DIPHTHONGS | AFFRICATES.keys()),
            1,
        )
        while symbol[position + length : position + length + 1] in SECONDARY:
            length += 1
        phones.append(symbol[position : position + length])
        position += length
    return phones
