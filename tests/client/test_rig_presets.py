"""Mappings in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.scene.rig_presets import Preset, load_preset, missing_targets, save_preset
from unitalker_blender.scene.rig_rows import Row

ROWS = (
    Row("口" * 21, "aa", gain=0.8, maximum=1.2),
    Row('with "quotes" and \\', "eyeBlinkLeft", object="Face.001", mute=True),
    Row("jaw", "jawOpen", "BONE", "Armature", "rotation_x", gain=-0.4, minimum=-3, maximum=3),
)


@pytest.fixture
def written(awkward: Path) -> Path:
    path = awkward / "my head.json"
    save_preset(path, Preset("vrm", ROWS))
    return path


def test_what_is_saved_comes_back(written: Path) -> None:
    assert load_preset(written) == Preset("vrm", ROWS)
    assert [path.name for path in written.parent.iterdir()] == ["my head.json"]


def changed(written: Path, **values: object) -> Path:
    data = json.loads(written.read_text(encoding="utf-8"))
    written.write_text(json.dumps(data | values), encoding="utf-8")
    return written


def test_a_newer_file_is_told_apart(written: Path) -> None:
    with pytest.raises(UniTalkerError, match="newer version") as caught:
        load_preset(changed(written, schema=2))
    assert caught.value.code == "preset.newer"


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "something else"},
        {"schema": None},
        {"rows": "jawOpen"},
        {"rows": [3]},
        {"rows": [{"target": "a"}]},
        {"rows": [{"target": "a", "source": "b", "gain": "1"}]},
        {"rows": [{"target": "a", "source": "b", "gain": float("nan")}]},
        {"rows": [{"target": "a", "source": "b", "mute": 1}]},
        {"rows": [{"target": "a", "source": "b", "colour": 1}]},
        {"rows": [{"target": "a", "source": "b", "kind": "BONE", "channel": "scale_x"}]},
        {"rows": [{"target": "a", "source": "b", "minimum": 2}]},
    ],
)
def test_damage_is_named(written: Path, values: dict[str, object]) -> None:
    with pytest.raises(UniTalkerError, match=r"Cannot read my head\.json") as caught:
        load_preset(changed(written, **values))
    assert caught.value.code == "preset.unreadable"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_no_json_at_all(awkward: Path, content: bytes) -> None:
    path = awkward / "broken.json"
    path.write_bytes(content)
    with pytest.raises(UniTalkerError, match=r"broken\.json"):
        load_preset(path)


def test_no_file(awkward: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"nothing\.json"):
        load_preset(awkward / "nothing.json")
    with pytest.raises(UniTalkerError, match="Cannot write"):
        save_preset(awkward / "no folder/mapping.json", Preset("", ROWS))


def test_a_file_for_another_character_is_noticed() -> None:
    assert missing_targets(ROWS, ["口" * 21]) == ('with "quotes" and \\',)
