"""Channels find their shape keys under all names in use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unitalker_blender.scene.shape_key_names import load_spellings, match

REPOSITORY = Path(__file__).resolve().parents[2]
SPELLINGS = load_spellings(REPOSITORY / "assets/rigs/arkit52.json")
ARKIT = SPELLINGS.channels


def found(channel: str, *shape_keys: str) -> tuple[str, ...]:
    return match([channel], shape_keys, SPELLINGS).keys.get(channel, ())


def test_there_are_the_52_arkit_shapes() -> None:
    assert len(ARKIT) == 52
    assert {"jawOpen", "mouthClose", "browInnerUp", "tongueOut", "eyeLookUpRight"} <= set(ARKIT)


@pytest.mark.parametrize(
    "convention",
    [
        lambda name: name,
        lambda name: name[0].upper() + name[1:],
        lambda name: name.upper(),
        lambda name: "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name),
        lambda name: "".join(f" {letter}" if letter.isupper() else letter for letter in name),
        lambda name: f"Face.{name}",
        lambda name: f"head_mesh|{name}",
    ],
)
def test_a_whole_head_in_one_convention(convention) -> None:
    keys = [convention(name) for name in ARKIT]
    result = match(ARKIT, keys, SPELLINGS)
    assert result.keys == {name: (key,) for name, key in zip(ARKIT, keys, strict=True)}
    assert result.missing == ()


@pytest.mark.parametrize(
    ("key", "channel"),
    [
        ("mouthSmile_L", "mouthSmileLeft"),
        ("mouthSmile.R", "mouthSmileRight"),
        ("eyeBlink_L", "eyeBlinkLeft"),
        ("A25_Jaw_Open", "jawOpen"),
        ("A14_Eye_Blink_Left", "eyeBlinkLeft"),
        ("jawLeft", "jawLeft"),
        ("Jaw_L", "jawLeft"),
        ("mouthLeft", "mouthLeft"),
    ],
)
def test_other_spellings(key: str, channel: str) -> None:
    assert match(ARKIT, [key], SPELLINGS).keys == {channel: (key,)}


def test_channels_in_another_spelling_than_the_mesh() -> None:
    assert found("JawOpen", "jaw_open") == ("jaw_open",)
    assert found("EyeBlinkLeft", "eyeBlink_L") == ("eyeBlink_L",)


def test_shape_split_into_two_keys_moves_both() -> None:
    assert found("browInnerUp", "browInnerUp_L", "browInnerUp_R") == ("browInnerUp_L", "browInnerUp_R")
    assert found("browInnerUp", "browInnerUp_L", "browInnerUp_R", "BrowInnerUp") == ("BrowInnerUp",)


def test_exact_name_wins_over_a_similar_one() -> None:
    assert found("jawOpen", "JawOpen", "jaw_open", "jawOpen") == ("jawOpen",)
    assert found("jawOpen", "JawOpen", "jaw_open") == ("JawOpen",)


def test_a_key_is_driven_once() -> None:
    result = match(["JawOpen", "jawOpen"], ["jawOpen"], SPELLINGS)
    assert result.keys == {"jawOpen": ("jawOpen",)}
    assert result.missing == ("JawOpen",)


@pytest.mark.parametrize("key", ["Key 1", "smile", "jaw", "viseme_aa", "open", "vrc.v_aa", "あ", "L", "mouth"])
def test_other_shapes_are_left_alone(key: str) -> None:
    assert match(ARKIT, [key], SPELLINGS).keys == {}


def test_names_of_other_heads_are_found_as_they_are() -> None:
    assert found("mouth_stretch_c", "Basis2", "mouth_stretch_c") == ("mouth_stretch_c",)


def test_every_listed_spelling_belongs_to_one_shape() -> None:
    rig = json.loads((REPOSITORY / "assets/rigs/arkit52.json").read_text(encoding="utf-8"))
    for channel, listed in rig["channels"].items():
        for name in (channel, *listed["names"]):
            assert match(ARKIT, [name], SPELLINGS).keys == {channel: (name,)}
