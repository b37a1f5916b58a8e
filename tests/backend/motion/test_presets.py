"""Directions in files, good ones and broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from backend.errors import UniTalkerError
from backend.motion.direction import NEUTRAL, Direction, EmotionPose
from backend.motion.perform import perform
from backend.motion.presets import make_direction, merge, preset_names, read_direction, read_preset
from backend.takes import Take


def test_the_presets_are_there_each_works_and_no_two_are_alike(sentence: Take) -> None:
    assert preset_names() == ["anime", "broad", "game", "natural", "subtle"]
    performed = {}
    for name in preset_names():
        motion = perform(sentence, make_direction(read_preset(name), name), 24)
        assert motion.notes == sentence.raw.notes
        performed[name] = motion.values.tobytes()
    assert len(set(performed.values())) == len(performed)


def test_natural_has_every_layer_on() -> None:
    natural = make_direction(read_preset("natural"), "natural")
    assert natural.blinks.on and natural.gaze.on and natural.head.on and natural.breathing.on and natural.emotions


def test_a_file_can_be_a_preset_or_a_direction_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"intensity": 2, "blinks": {"on": true}}')
    assert make_direction(read_preset(str(path)), "mine").intensity == 2
    path.write_text('{"schema_version": 1, "title": "Mine", "direction": {"intensity": 3}}')
    assert make_direction(read_direction(path), "mine").intensity == 3


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        ("{", "unreadable", "mine.json"),
        ("[1]", "unreadable", "JSON object"),
        ("[" * 100_000, "unreadable", "mine.json"),
        ("\xff", "unreadable", "mine.json"),
        ('{"schema_version": 2, "direction": {"aura": 1}}', "newer", "version 2; this program knows 1"),
        ('{"schema_version": "x", "direction": {}}', "unreadable", "schema_version"),
        ('{"schema_version": 1}', "unreadable", "direction"),
        ('{"schema_version": 1, "direction": {"intensity": "2"}}', "unreadable", "intensity"),
        ('{"jaw": 1}', "unreadable", "jaw"),
        ('{"regions": {"jaw": -1}}', "unreadable", "regions.jaw"),
        ('{"blinks": {"on": 1}}', "unreadable", "blinks.on"),
        ('{"emotions": [{"emotion": "bored"}]}', "unreadable", "emotions.0.emotion"),
        ('{"emotions": [{"emotion": "sad", "weight": [[1, 0], [0, 1]]}]}', "unreadable", "order"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path: Path, content: str, code: str, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UniTalkerError) as caught:
        read_preset(str(path))
    assert caught.value.code == f"direction.{code}"
    assert "mine.json" in caught.value.message
    assert text in f"{caught.value.message} {caught.value.hint}"


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(UniTalkerError, match=r"'natrual'.*anime, broad, game, natural, subtle") as caught:
        read_preset("natrual")
    assert caught.value.code == "direction.not_found"


def test_later_settings_count_also_inside_of_parts() -> None:
    merged = merge({"intensity": 1, "blinks": {"on": True, "rate": 10}}, {"blinks": {"rate": 20}}, {"intensity": 2})
    assert merged == {"intensity": 2, "blinks": {"on": True, "rate": 20}}


def test_a_direction_survives_json_and_can_be_compared_and_hashed() -> None:
    direction = Direction(emotions=(EmotionPose(emotion="sad", weight=((0.0, 0.5), (1.0, 1.0))),))
    again = make_direction(json.loads(direction.model_dump_json()), "")
    assert again == direction
    assert hash(again) == hash(direction) != hash(NEUTRAL)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1, 11, True, "1"])
def test_nonsense_is_no_slider(bad: object) -> None:
    with pytest.raises(ValidationError):
        Direction(intensity=bad)  # type: ignore[arg-type]
