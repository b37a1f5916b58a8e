"""One worker of a batch: loads the model once and does portion after portion."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from backend.batch.item import Failure, Item, ItemResult
from backend.batch.plan import Portion
from backend.batch.record import count_tries, deliver, done_before, forget_tries
from backend.errors import Cancelled, UniTalkerError
from backend.progress import Stage
from backend.session import Order, Session

log = logging.getLogger(__name__)

MOST_TRIES = 2
"""After so many dead workers an item is given up: most likely it is what kills them."""


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to know before its first portion.

    Attributes:
        model: folder of the model.
        device: where to compute, e.g. ``cpu`` or ``cuda:1``.
        run: name of the run, for its unfinished files.
    """

    model: Path
    device: str
    run: str


class Worker:
    """Does items; the model is loaded when it is made.

    Raises:
        UniTalkerError: the model or the device cannot be used.
    """

    def __init__(self, setup: WorkerSetup, stopped: Callable[[], bool]) -> None:
        self._setup = setup
        self._stopped = stopped
        self._session = Session()
        self._session.prepare(str(setup.model), setup.device)

    def do(self, portion: Portion) -> Iterator[ItemResult]:
        """The results, one after another, as soon as each is known.

        Raises:
            Cancelled: `stopped` became true.
        """
        for item in portion:
            # A portion may come from a worker that died with a part of it done.
            made = done_before(item)
            yield replace(made, status="done") if made else self._result(item)

    def _result(self, item: Item) -> ItemResult:
        """Whatever goes wrong with one item, the others go on."""
        try:
            return self._try(item)
        except UniTalkerError as error:
            return ItemResult.failed(item, Failure.of(error))
        except Cancelled:
            raise
        except Exception as error:
            log.exception("%s failed", item.audio)
            return ItemResult.failed(item, Failure("internal", f"{item.audio}: {type(error).__name__}: {error}."))

    def _try(self, item: Item) -> ItemResult:
        try:
            if count_tries(item, self._setup.run) > MOST_TRIES:
                raise UniTalkerError(
                    "batch.worker_died",
                    f"{item.audio}: {MOST_TRIES} workers died of it.",
                    "Most likely there is not enough memory: use fewer --jobs, or cut the sound into parts.",
                )
            return self._animate(item)
        finally:
            forget_tries(item, self._setup.run)

    def _animate(self, item: Item) -> ItemResult:
        order = Order(item.audio, item.output, str(self._setup.model), self._setup.device, item.options)
        outcome = self._session.animate(order, self._check)
        deliver(outcome.motion, item, self._setup.run)
        motion = outcome.motion
        return ItemResult(item.row, item.audio, item.output, "done", len(motion.values), motion.duration, motion.notes)

    def _check(self, stage: Stage, done: int, total: int) -> None:
        if self._stopped():
            raise Cancelled
