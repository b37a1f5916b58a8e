"""Japanese and Simplified Chinese: nothing that is shown lacks them, nothing is translated that is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from tests.blender.interface_texts import all_source_texts, class_texts, drawn_texts
from unitalker_blender import translations
from unitalker_blender.line_wrapping import wrap
from unitalker_blender.operators.animate import panel_problem

FOLDER = Path(translations.__file__).parent
LOCALES = ("ja_JP", "zh_HANS")
# Shown as they are in every language: names of files, keys of a dictionary, parts of identifiers.
NOT_TRANSLATED = {" and ", "{} {}"}


def words(locale: str) -> dict[str, str]:
    return json.loads((FOLDER / f"{locale}.json").read_text(encoding="utf-8"))


@pytest.fixture(params=LOCALES)
def locale(request: pytest.FixtureRequest) -> Iterator[str]:
    """Blender's interface in that language."""
    view = bpy.context.preferences.view
    before = view.language
    try:
        view.language = request.param
    except TypeError:
        pytest.skip(f"this Blender has no {request.param}")
    view.use_translate_interface = view.use_translate_tooltips = True
    yield request.param
    view.language = before
    view.use_translate_interface = view.use_translate_tooltips = False


@pytest.mark.parametrize("name", LOCALES)
def test_every_label_tooltip_and_text_of_the_panels_is_translated(name: str) -> None:
    missing = (class_texts() | drawn_texts()) - NOT_TRANSLATED - set(words(name))
    assert not missing, f"add to {name}.json: {sorted(missing)}"


@pytest.mark.parametrize("name", LOCALES)
def test_no_translation_is_stale(name: str) -> None:
    stale = set(words(name)) - class_texts() - all_source_texts()
    assert not stale, f"remove from {name}.json: {sorted(stale)}"


@pytest.mark.parametrize("name", LOCALES)
def test_translations_have_the_values_of_the_original(name: str) -> None:
    for english, text in words(name).items():
        holes = re.findall(r"\{\d?\}", text)
        assert len(holes) == english.count("{}"), english
        assert text.strip(), english


def test_blender_shows_labels_and_tooltips_in_the_language(locale: str) -> None:
    expected = words(locale)
    assert bpy.app.translations.pgettext_iface("Animate", "Operator") == expected["Animate"]
    assert bpy.app.translations.pgettext_tip("Move the eyes") == expected["Move the eyes"]


@pytest.mark.parametrize("name", LOCALES)
def test_messages_with_values_are_recognised_sentence_by_sentence(name: str, make_face) -> None:
    make_face("Cube", ())
    shown = translations.translate_into(name, panel_problem(bpy.context))
    assert shown.startswith(words(name)["'{}' has no shape keys."].replace("{}", "Cube"))
    assert translations.translate_into(name, "Nobody translated this.") == "Nobody translated this."
    progress = translations.translate_into(name, "Loading the model, 5 s left")
    assert progress == words(name)["{}, {} s left"].format(words(name)["Loading the model"], 5)


@pytest.mark.parametrize("name", LOCALES)
def test_names_of_objects_are_never_translated(name: str) -> None:
    """Also when an object has the name of one of our labels."""
    assert "Head" in words(name)
    assert "Head" in translations.translate_into(name, "'Head' has no shape keys.")
    assert "Head" in translations.translate_into(name, "Active: Head")


@pytest.mark.parametrize("text", ["demo_voice 51 个形态键。第 1 至 158 帧。weight", "a few words in English"])
def test_lines_fit_and_lose_nothing(text: str) -> None:
    lines = wrap(text, 12)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(sum(2 if letter >= "\u2e80" else 1 for letter in line) <= 12 for line in lines)


def test_english_stays_english() -> None:
    assert translations.translate("Loading the model") == "Loading the model"
