# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""Phones as articulatory features, and text as phones."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.synthesis.engines.espeak import Espeak
from training.synthesis.languages import ESPEAK_VOICES, TIE, standard_ipa
from training.synthesis.phones import (
    AFFRICATES,
    ARPABET,
    DIPHTHONGS,
    SECONDARY,
    SILENCE,
    articulations,
    from_arpabet,
    from_label,
    is_known,
    split_symbol,
    to_arpabet,
)
from training.synthesis.phoniser import phonise, units_of
from training.synthesis.pinyin import syllable_ipa, syllables
from training.synthesis.text import english_sentences, lip_density, listed_sentences
from training.synthesis.timeline import Phone, with_silences

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
CMU = sorted(set(ARPABET) - {"AX", "AXR", "DX", "EL", "EM", "EN", "HV", "IX", "NX", "Q", "UX"})


def test_every_phone_of_the_real_takes_is_understood(shared: Path) -> None:
    timelines = json.loads((shared / "bench/audio_grid_s1/phones.json").read_text("utf-8"))
    labels = {row[2] for rows in timelines.values() for row in rows}
    assert len(labels) > 30
    for label in labels:
        assert articulations(from_label(label))


@pytest.mark.parametrize("symbol", CMU)
def test_arpabet_survives_the_way_through_ipa(symbol: str) -> None:
    assert to_arpabet(from_arpabet(symbol + "1")) == symbol
    assert from_label(symbol) == ARPABET[symbol]


@pytest.mark.parametrize("pause", ["pau", "h#", "<sil>", "[NOISE]", "+BREATH+", "SIL"])
def test_pauses_and_noises_are_silence(pause: str) -> None:
    assert from_arpabet(pause) == SILENCE


@pytest.mark.parametrize("symbol", [*ARPABET.values(), *DIPHTHONGS, *AFFRICATES, "ʁ", "œ", "ɕ", "ɲ", SILENCE])
def test_features_are_shares(symbol: str) -> None:
    for state in articulations(symbol):
        assert state.vector().min() >= 0 and state.vector().max() <= 1 and state.vector().any()


def test_lips_and_jaw_are_ordered_as_in_the_ipa_chart() -> None:
    state = {symbol: articulations(symbol)[0] for symbol in "aɛeiuoypbmfvwsʃnkt"}
    assert all(state[s].bilabial == 1 for s in "pbm")
    assert all(state[s].bilabial == 0 for s in "fvwnktu")
    assert all(state[s].labiodental == 1 for s in "fv")
    assert state["a"].opening > state["ɛ"].opening > state["e"].opening > state["i"].opening
    assert state["u"].rounding > state["o"].rounding > state["i"].rounding
    assert state["y"].rounding == state["u"].rounding
    assert state["y"].front == state["i"].front
    assert state["ʃ"].protrusion > state["s"].protrusion


def test_an_unknown_letter_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="U\\+0398"):
        articulations("Θ")
    with pytest.raises(ValueError, match="QQ"):
        from_arpabet("QQ")


def test_diphthongs_and_affricates_stay_whole() -> None:
    assert split_symbol("ɑɹ") == ["ɑ", "ɹ"]
    assert split_symbol("tʃaɪm") == ["tʃ", "aɪ", "m"]


def test_ties_stress_and_length_belong_to_their_unit() -> None:
    units = units_of(f"t{TIE}ʃˈuːz bˈɔ{TIE}ɪ")
    assert [unit.symbol for unit in units] == ["tʃ", "u", "z", "", "b", "ɔɪ"]
    assert units[1].spelling == "uː" and units[1].stress == "ˈ"


def test_other_languages_reach_features_that_english_has() -> None:
    state = {
        symbol: articulations(symbol)[0] for symbol in ("y", "i", "ø", "ɛ", "q", "k", "ħ", "h", "ʂ", "s", "ʈ", "t")
    }
    assert state["y"].rounding == 1 and state["y"].front == state["i"].front and state["y"].spread == 0
    assert state["ø"].rounding > 0.5 and state["ø"].opening < state["ɛ"].opening
    assert state["q"].opening > state["k"].opening, "the tongue root lowers the jaw"
    assert state["ħ"].opening > state["h"].opening
    assert state["ʂ"].protrusion > state["s"].protrusion and state["ʈ"].protrusion > state["t"].protrusion


@pytest.mark.parametrize("mark", SECONDARY)
def test_secondary_articulation_adds_to_its_consonant(mark: str) -> None:
    assert split_symbol(f"at{mark}i") == ["a", f"t{mark}", "i"]
    plain, marked = articulations("t")[0], articulations(f"t{mark}")[0]
    assert is_known(f"t{mark}") and is_known(f"tʃ{mark}") and not is_known(mark)
    assert (marked.vector() >= plain.vector()).all() and marked != plain
    assert from_label(f"t{mark}") == f"t{mark}"


# Consonants and vowels of the phone inventories of the ten languages (Handbook of the IPA, 1999).
INVENTORIES = {
    "en": "pbtdkɡmnŋfvθðszʃʒhlɹwjiɪeɛæɑɔoʊuʌəɜ",
    "zh": "ptkmnŋfsʂɕxʐɻljwɥaɤoiuyɨə",
    "ja": "pbtdkɡmnɴɸsɕzʑçhɾjwaieoɯ",
    "es": "pbtdkɡmnɲfθsxβðɣʝʎlrɾjwaeiou",
    "fr": "pbtdkɡmnɲŋfvszʃʒʁljwɥieɛaɑɔouyøœə",
    "de": "pbtdkɡʔmnŋfvszʃʒçxχhʁlʀjiɪeɛaɔoʊuyʏøœəɐ",
    "hi": "pbtdʈɖkɡqmnɳŋfʋszʃʂxɣɦhrɾɽljieɛæaəɔoʊuɪ",
    "ar": "btdkqʔmnfθðszʃxɣχħʕhrljwaiuɑ",
    "ru": "pbtdkɡmnfvszʂʐɕʑxrlɫjaeiouɨɵʉəɐʌɪʊ",
    "pt": "pbtdkɡmnɲfvszʃʒʁxhlʎɾrwjaeɛioɔuɐəɪʊ",
}


@pytest.mark.parametrize("language", INVENTORIES)
def test_the_sounds_of_ten_languages_are_known_and_lips_meet_only_where_they_do(language: str) -> None:
    assert language in ESPEAK_VOICES
    for symbol in INVENTORIES[language]:
        (state,) = articulations(symbol)
        assert (state.bilabial == 1) == (symbol in "pbm"), symbol
        assert (state.labiodental > 0) == (symbol in "fvʋ"), symbol
        assert (state.vowel == 1) == (symbol in "iɪyʏeɛæøœaɑɐəɜʌɔoʊuɤɨɯɵʉ"), symbol


@needs_espeak
@pytest.mark.parametrize("language", ESPEAK_VOICES)
def test_every_sound_that_is_spoken_is_known(language: str) -> None:
    sentences = listed_sentences(language, np.random.default_rng(0))
    assert len(sentences) >= (18 if language == "it" else 40)
    assert len({sentence.text for sentence in sentences}) == len(sentences)
    espeak, rng, spoken = Espeak(), np.random.default_rng(0), set()
    for sentence in sentences[::2]:
        units = phonise(sentence.text, language)
        phones = [p for unit in units if unit.symbol not in ("", SILENCE) for p in split_symbol(unit.symbol)]
        assert len(phones) >= 8
        assert [p for p in phones if not is_known(p)] == []
        uttered = [p.symbol for p in espeak.synthesise(sentence, "f1", rng).phones if p.symbol != SILENCE]
        assert 0.7 < len(uttered) / len(phones) < 1.4, "both say the same words"
        spoken.update(uttered)
    states = [articulations(symbol)[0] for symbol in spoken]
    features = ["bilabial", "rounding", "opening", "spread", *(["labiodental"] if language != "ja" else [])]
    for feature in features:
        assert max(getattr(state, feature) for state in states) > 0.4


def test_pinyin_is_spoken_as_mandarin() -> None:
    spoken = {"zhi": "ʈʂɨ", "xue": "ɕɥe", "qu": "tɕʰy", "nü": "ny", "you": "jou", "weng": "wəŋ", "er": "ɚ", "bo": "pwo"}
    assert {syllable: syllable_ipa(syllable) for syllable in spoken} == spoken
    assert syllables("ni3 hao3 ma5") == [("ni", "2"), ("xau", "3"), ("ma", "5")]
    with pytest.raises(ValueError, match="'hello'"):
        syllables("hello")
    with pytest.raises(ValueError, match="'blorp'"):
        syllables("blorp1")


def test_aspiration_and_tone_are_spelled_but_are_no_sounds() -> None:
    units = phonise("ping2 guo3.", "zh")
    assert [unit.symbol for unit in units] == ["p", "i", "ŋ", "", "k", "w", "o", SILENCE]
    assert [unit.spelling for unit in units[:3]] == ["pʰ", "i", "ŋ2"]


def test_local_spellings_become_standard_ipa() -> None:
    assert standard_ipa("ts.hi.", "zh") == "tʂʰɨ"
    assert standard_ipa("(en)ɾ(de)", "de") == "ʁ"
    assert standard_ipa("s̪a.", "ar") == "sˤɑ"
    assert standard_ipa("y", "ru") == "ɨ" and standard_ipa("y", "fr") == "y"


@needs_espeak
def test_punctuation_becomes_a_pause() -> None:
    symbols = [unit.symbol for unit in phonise("Peter, come.", "en")]
    assert symbols.count(SILENCE) == 2 and symbols[0] == "p" and symbols[-1] == SILENCE


def test_sentences_are_the_same_for_the_same_seed_and_rich_in_lip_sounds(tmp_path: Path) -> None:
    rich = [f"People above would move {word} from below." for word in ("books", "apples", "maps")]
    dull = "The cat sits near the tent in Indiana."
    (tmp_path / "quotes").write_text("\n%\n".join([*rich, dull, "too short.", "NOT THIS: x = y[0] + 1"]), "utf-8")
    chosen = english_sentences(tmp_path, np.random.default_rng(3))
    assert chosen == english_sentences(tmp_path, np.random.default_rng(3))
    assert {sentence.text for sentence in chosen} < set(rich)
    assert lip_density(rich[0]) > lip_density(dull)


SPANS = st.lists(st.floats(0, 4), min_size=2, max_size=12, unique=True).map(sorted)


@given(edges=SPANS, symbols=st.lists(st.sampled_from(["a", "p", "s", SILENCE]), min_size=12, max_size=12), quiet=SPANS)
def test_a_timeline_with_silences_covers_the_sound_in_order(
    edges: list[float], symbols: list[str], quiet: list[float]
) -> None:
    phones = tuple(Phone(a, b, s) for a, b, s in zip(edges[:-1], edges[1:], symbols, strict=False))
    silences = list(zip(quiet[::2], quiet[1::2], strict=False))
    timeline = with_silences(phones, silences, 4.0)
    assert timeline[0].start == pytest.approx(0, abs=2e-3) and timeline[-1].end == pytest.approx(4, abs=2e-3)
    assert all(p.end > p.start for p in timeline)
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(timeline))
    for start, end in silences:
        vowels = [p for p in timeline if p.symbol == "a" and p.start + 2e-3 < (start + end) / 2 < p.end - 2e-3]
        assert not vowels or end - start < 5e-3
