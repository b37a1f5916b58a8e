"""One worker: several sounds at once, and only those fail that are to blame."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.batch.item import Item, ItemResult
from backend.batch.plan import make_portions
from backend.batch.record import count_tries
from backend.batch.worker import MOST_TRIES, Worker, WorkerSetup
from backend.errors import Cancelled, UniTalkerError
from backend.inference import AnimateOptions
from tests.backend.batch.conftest import make_voice


@pytest.fixture
def items(voices: Path, tmp_path: Path) -> list[Item]:
    """Two heads of each of six sounds."""
    out = tmp_path / "out"
    out.mkdir()
    return [
        Item(row, audio, out / f"{audio.stem}.{head}.npz", AnimateOptions(head, "pivot"), key=f"{row} {head}")
        for row, audio in enumerate(sorted(voices.iterdir()), 1)
        for head in ("weights", "mesh")
    ]


@pytest.fixture
def worker(tiny_model: Path) -> Worker:
    return Worker(WorkerSetup(tiny_model, "cpu", "auto", "run-0"), stopped=lambda: False)


def failures(results: list[ItemResult]) -> dict[int, str]:
    return {result.row: result.failure.code for result in results if result.failure}


def test_one_bad_sound_among_several_fails_alone(worker: Worker, items: list[Item], tmp_path: Path) -> None:
    items[4].audio.write_text("Dear reader,")
    results = list(worker.do(tuple(items)))
    assert sorted(result.row for result in results) == sorted([*range(1, 7)] * 2)
    assert failures(results) == {3: "audio.unreadable"}
    assert len(list((tmp_path / "out").glob("*.npz"))) == 10


def test_something_unforeseen_fails_one_item_and_is_told(
    worker: Worker, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    import backend.batch.worker as module

    perform = module.perform

    def sometimes(take: object, *arguments: object) -> object:
        if take.raw.annotation.type_name == "mesh":  # type: ignore[attr-defined]
            raise ZeroDivisionError("by accident")
        return perform(take, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "perform", sometimes)
    results = list(worker.do(tuple(items)))
    assert {result.status for result in results if "mesh" in str(result.output)} == {"failed"}
    assert {result.status for result in results if "weights" in str(result.output)} == {"done"}
    assert "ZeroDivisionError: by accident" in next(r.failure.message for r in results if r.failure)


def test_a_sound_that_kills_its_workers_is_given_up_and_the_others_of_its_portion_are_not(
    tiny_model: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if every worker that reads the third sound were killed at once."""

    class Killed(BaseException):
        pass

    import backend.batch.worker as module

    read = module.read_audio

    def deadly(path: Path) -> object:
        if path == items[4].audio:
            raise Killed
        return read(path)

    monkeypatch.setattr(module, "read_audio", deadly)
    # A process that is killed takes back nothing.
    monkeypatch.setattr(module, "forget_tries", lambda item, run: None)
    results: list[ItemResult] = []
    for _ in range(MOST_TRIES + 1):
        worker = Worker(WorkerSetup(tiny_model, "cpu", "auto", "run-0"), stopped=lambda: False)
        try:
            results = list(worker.do(tuple(items)))
        except Killed:
            continue
    assert failures(results) == {3: "batch.worker_died"}
    assert len([result for result in results if result.status == "done"]) == 10


def test_tries_of_an_earlier_run_do_not_count(worker: Worker, items: list[Item]) -> None:
    for _ in range(MOST_TRIES):
        count_tries(items[0], "run-1")
    assert failures(list(worker.do((items[0],)))) == {}


def test_a_stopped_worker_leaves_the_rest(tiny_model: Path, items: list[Item], tmp_path: Path) -> None:
    seen: list[ItemResult] = []
    worker = Worker(WorkerSetup(tiny_model, "cpu", "auto", "run-0"), stopped=lambda: len(seen) >= 4)
    with pytest.raises(Cancelled):
        for item in items:
            seen += worker.do((item,))
    assert len(seen) == 4


def test_a_device_that_is_not_there_is_said(tiny_model: Path) -> None:
    for device in ("cuda:7", "nonsense"):
        with pytest.raises(UniTalkerError, match=device):
            Worker(WorkerSetup(tiny_model, device, "torch", "run-0"), stopped=lambda: False)


def test_portions_hold_sounds_of_like_length_and_no_sound_is_split(items: list[Item], tmp_path: Path) -> None:
    portions = make_portions(items, 4)
    assert sorted(item.output for portion in portions for item in portion) == sorted(item.output for item in items)
    assert [len({item.audio for item in portion}) for portion in portions] == [4, 2]
    sizes = [item.audio.stat().st_size for portion in portions for item in portion]
    assert sizes == sorted(sizes, reverse=True)
    large = Item(9, make_voice(tmp_path / "large.wav", 700), tmp_path / "large.npz", AnimateOptions())
    assert [len(portion) for portion in make_portions([*items, large], 4)] == [1, 8, 4]
