"""What the network said is kept, found again, and never trusted when damaged."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.audio import read_audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions, animate, predict, record
from backend.motion.direction import Direction
from backend.motion.perform import perform
from backend.session import Order, RemapOrder, Session
from backend.takes import Take, TakeStore, takes_folder

KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> TorchEngine:
    return TorchEngine(load_bundle(tiny_model))


@pytest.fixture(scope="module")
def take(engine: TorchEngine, murmur: Path) -> Take:
    return record(engine, read_audio(murmur), AnimateOptions(head="mesh", identity="one", identity_b="two"))


def same(one: Take, other: Take) -> bool:
    takes = (one, other)
    arrays = [(t.raw.values, t.raw_b, t.rest, t.prosody.loudness, t.prosody.pitch, t.prosody.pauses) for t in takes]
    plain = [(t.raw.annotation, t.raw.fps, t.raw.notes, t.raw.sound, t.origin, t.prosody.seconds) for t in takes]
    return all(np.array_equal(a, b) for a, b in zip(*arrays, strict=True)) and plain[0] == plain[1]


def test_a_take_survives_the_process(take: Take, tmp_path: Path) -> None:
    remark = "The sound file is cut short."
    noted = replace(take, raw=replace(take.raw, notes=(remark,)))
    assert TakeStore(tmp_path / "takes").keep(KEY, noted) == ""
    assert same(TakeStore(tmp_path / "takes").get(KEY), noted)
    assert [path.name for path in (tmp_path / "takes").iterdir()] == [f"{KEY}.npz"]


def test_two_styles_of_one_pass_are_what_each_would_be_alone(engine: TorchEngine, murmur: Path, take: Take) -> None:
    alone = predict(engine, read_audio(murmur), AnimateOptions(head="mesh", identity="two"))
    assert take.raw_b is not None
    assert np.array_equal(take.raw_b, alone.values)
    assert not np.allclose(take.raw.values, take.raw_b)


def test_a_take_directed_later_is_what_animating_would_give(engine: TorchEngine, murmur: Path, take: Take) -> None:
    options = AnimateOptions(head="mesh", identity="one", fps=24, direction=Direction(intensity=0.5, smoothing=0.3))
    at_once = animate(engine, read_audio(murmur), options)
    assert np.array_equal(perform(take, options.direction, 24).values, at_once.values)


@pytest.mark.parametrize("damage", [b"", b"PK", b"not a zip", None])
def test_a_damaged_take_is_removed_and_said(take: Take, tmp_path: Path, damage: bytes | None) -> None:
    TakeStore(tmp_path).keep(KEY, take)
    path = tmp_path / f"{KEY}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content if damage is None else damage)
    store = TakeStore(tmp_path)
    with pytest.raises(UniTalkerError, match="Animate the sound again") as caught:
        store.get(KEY)
    assert caught.value.code == "take.missing"
    assert not path.exists()


def test_a_take_of_another_version_is_not_used(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.takes._SCHEMA", 2)
    TakeStore(tmp_path).keep(KEY, take)
    monkeypatch.undo()
    assert TakeStore(tmp_path).find(KEY) is None


def test_those_not_used_longest_go_first(take: Take, tmp_path: Path) -> None:
    keys = [f"{index:032x}" for index in range(4)]
    TakeStore(tmp_path).keep(keys[0], take)
    size = (tmp_path / f"{keys[0]}.npz").stat().st_size
    store = TakeStore(tmp_path, disk_limit=3 * size, memory_limit=0)
    for age, key in zip((30, 20, 10), keys, strict=False):
        store.keep(key, take)
        os.utime(tmp_path / f"{key}.npz", (1e9 - age, 1e9 - age))
    assert store.find(keys[0])
    store.keep(keys[3], take)
    assert sorted(path.stem for path in tmp_path.iterdir()) == [keys[0], keys[2], keys[3]]


@pytest.mark.skipif(sys.platform == "win32", reason="a file in the way of the folder")
def test_where_nothing_can_be_written_the_work_goes_on_and_a_note_says_so(
    tiny_model: Path, murmur: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    session = Session(TakeStore(tmp_path / "file" / "takes"))
    options = AnimateOptions()
    outcome = session.animate(Order(murmur, tmp_path / "a.npz", str(tiny_model), "cpu", options), lambda *_: None)
    assert any("memory only" in note for note in outcome.motion.notes)
    again = session.remap(RemapOrder(outcome.take, tmp_path / "b.npz", None, Direction(intensity=0), None))
    assert again.motion.values.max() == 0


def test_the_same_order_again_needs_no_engine(
    tiny_model: Path, murmur: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Order(murmur, tmp_path / "a.npz", str(tiny_model), "auto", AnimateOptions())
    first = Session(TakeStore(tmp_path / "takes")).animate(order, lambda *_: None)
    monkeypatch.setattr(Session, "_load", None)
    stages: list[str] = []
    again = Session(TakeStore(tmp_path / "takes")).animate(order, lambda stage, *_: stages.append(stage))
    assert again.take == first.take
    assert np.array_equal(again.motion.values, first.motion.values)
    assert "load" not in stages and "infer" not in stages


def test_the_folder_is_the_systems_or_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNITALKER_CACHE", str(tmp_path))
    assert takes_folder() == tmp_path / "takes"
    monkeypatch.delenv("UNITALKER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert takes_folder() == tmp_path / "unitalker" / "takes"
