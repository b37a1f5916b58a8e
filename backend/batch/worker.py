"""One worker of a batch: loads the model once and does portion after portion."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.batch.item import Failure, Item, ItemResult
from backend.batch.plan import Portion
from backend.batch.record import deliver, is_done
from backend.errors import Cancelled, UniTalkerError
from backend.progress import Stage
from backend.session import Order, Session

log = logging.getLogger(__name__)


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
            # The portion may come from a worker that died with a part of it done.
            yield ItemResult.of(item, "done") if is_done(item) else self._result(item)

    def _result(self, item: Item) -> ItemResult:
        """Whatever goes wrong with one item, the others go on."""
        try:
            return self._animate(item)
        except UniTalkerError as error:
            return ItemResult.failed(item, Failure.of(error))
        except Cancelled:
            raise
        except Exception as error:
            log.exception("%s failed", item.audio)
            return ItemResult.failed(item, Failure("internal", f"{item.audio}: {type(error).__name__}: {error}."))

    def _animate(self, item: Item) -> ItemResult:
        order = Order(item.audio, item.output, str(self._setup.model), self._setup.device, item.options)
        outcome = self._session.animate(order, self._check)
        deliver(outcome.motion, item, self._setup.run)
        motion = outcome.motion
        return ItemResult(item.row, item.audio, item.output, "done", len(motion.values), motion.duration, motion.notes)

    def _check(self, stage: Stage, done: int, total: int) -> None:
        if self._stopped():
            raise Cancelled
