"""One worker of a batch: loads the model once and does portion after portion."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.audio import read_audio
from backend.batch.item import Failure, Item, ItemResult
from backend.batch.plan import Portion
from backend.batch.record import count_tries, deliver, done_before, forget_tries, tries_before
from backend.bundle_manifest import find_bundle
from backend.engine import EngineChoice, load_engine, memory_watched
from backend.errors import Cancelled, UniTalkerError
from backend.inference import record_sounds
from backend.motion.perform import judge, perform
from backend.progress import Stage
from backend.takes import Take

log = logging.getLogger(__name__)

MOST_TRIES = 2
"""After so many dead workers a sound is given up: most likely it is what kills them."""


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to know before its first portion.

    Attributes:
        model: folder of the model.
        device: where to compute, e.g. ``cpu`` or ``cuda:1``.
        engine: what computes.
        run: name of the run, for its unfinished files.
    """

    model: Path
    device: str
    engine: EngineChoice
    run: str


Spoken = Sequence[Item]
"""Everything that is to be made of one sound."""


class Worker:
    """Does items; the model is loaded when it is made.

    Raises:
        UniTalkerError: the model or the device cannot be used.
    """

    def __init__(self, setup: WorkerSetup, stopped: Callable[[], bool]) -> None:
        self._run = setup.run
        self._stopped = stopped
        self._engine = load_engine(find_bundle(setup.model), setup.engine, setup.device)

    def do(self, portion: Portion) -> Iterator[ItemResult]:
        """The result of every item, sound by sound.

        Raises:
            Cancelled: `stopped` became true.
        """
        left = []
        for item in portion:
            # A portion may come from a worker that died with a part of it done.
            if made := done_before(item):
                yield replace(made, status="done")
            else:
                left.append(item)
        sounds = _by_sound(left)
        # Of a portion that killed a worker one sound is to blame, which only shows when they are done one by one.
        if any(tries_before(items[0], self._run) for items in sounds):
            for items in sounds:
                yield from self._results([items])
        elif sounds:
            yield from self._results(sounds)

    def _results(self, sounds: Sequence[Spoken]) -> Iterator[ItemResult]:
        try:
            takes = self._takes(sounds)
        except Cancelled:
            raise
        except Exception as error:
            yield from self._failures(sounds, error)
            return
        for items, several in zip(sounds, takes, strict=True):
            yield from map(self._deliver, items, several)

    def _failures(self, sounds: Sequence[Spoken], error: Exception) -> Iterator[ItemResult]:
        """Of several sounds done at once each is tried by itself, so that only those fail that are to blame."""
        if len(sounds) > 1:
            for items in sounds:
                yield from self._results([items])
        else:
            yield from (ItemResult.failed(item, _failure(item, error)) for item in sounds[0])

    def _takes(self, sounds: Sequence[Spoken]) -> list[list[Take]]:
        """All sounds at once."""
        try:
            for items in sounds:
                self._begin(items[0])
            wanted = [(read_audio(items[0].audio), [item.options for item in items]) for items in sounds]
            return record_sounds(self._engine, wanted, self._check)
        finally:
            for items in sounds:
                forget_tries(items[0], self._run)

    def _begin(self, item: Item) -> None:
        if count_tries(item, self._run) > MOST_TRIES:
            raise UniTalkerError(
                "batch.worker_died",
                f"{item.audio}: {MOST_TRIES} workers died of it.",
                "Most likely there is not enough memory: use fewer --jobs, or cut the sound into parts.",
            )

    def _deliver(self, item: Item, take: Take) -> ItemResult:
        direction = item.options.direction
        try:
            with memory_watched():
                motion = perform(take, direction, item.options.fps)
            return deliver(motion, judge(motion, take, direction), item, self._run)
        except Exception as error:
            return ItemResult.failed(item, _failure(item, error))

    def _check(self, stage: Stage, done: int, total: int) -> None:
        if self._stopped():
            raise Cancelled


def _by_sound(items: Iterable[Item]) -> list[Spoken]:
    groups: dict[Path, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.audio].append(item)
    return list(groups.values())


def _failure(item: Item, error: Exception) -> Failure:
    if isinstance(error, UniTalkerError):
        return Failure.of(error)
    log.error("%s failed", item.audio, exc_info=error)
    return Failure("internal", f"{item.audio}: {type(error).__name__}: {error}.")
