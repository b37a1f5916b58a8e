"""Workers in processes of their own: each loads the model once, and the death of one costs one try of one item."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event

from backend.batch.item import Failure, Item, ItemResult
from backend.batch.plan import Portion
from backend.batch.worker import Worker, WorkerSetup
from backend.errors import Cancelled, UniTalkerError

_GRACE = 20.0
"""Seconds that a worker has for the window that it is computing when the run is interrupted."""

# spawn everywhere: a process forked from one that has run torch can hang.
_CONTEXT = multiprocessing.get_context("spawn")


class ProcessPool:
    """Runs portions on one process per setup; to be closed at the end.

    Args:
        setups: one per worker; several may name the same device.
    """

    def __init__(self, setups: Sequence[WorkerSetup]) -> None:
        self._stop = _CONTEXT.Event()
        self._threads = max(1, available_cores() // len(setups))
        self._seats = [_Seat(setup) for setup in setups]

    def run(self, portions: Sequence[Portion]) -> Iterator[ItemResult]:
        """Results in the order in which they come.

        Raises:
            UniTalkerError: a worker could not load the model; none of the others could either.
        """
        waiting = deque(portions)
        for seat in self._seats[: len(portions)]:
            self._start(seat)
        while busy := {seat.connection: seat for seat in self._seats if seat.connection is not None}:
            for ready in wait(list(busy)):
                yield from self._hear(busy[ready], waiting)  # type: ignore[index]
        if waiting:
            raise UniTalkerError(
                "batch.worker_died",
                "Every worker ended before it had begun.",
                "Most likely there is not enough memory: use fewer --jobs.",
            )

    def close(self) -> None:
        """Let the workers end; one that does not is ended."""
        self._stop.set()
        for seat in self._seats:
            seat.disconnect()
        for seat in self._seats:
            seat.end()

    def _start(self, seat: _Seat) -> None:
        ours, theirs = _CONTEXT.Pipe()
        seat.process = _CONTEXT.Process(
            target=_work, args=(theirs, seat.setup, self._stop, self._threads), name="unitalker-batch", daemon=True
        )
        # Ctrl-C in a terminal reaches every process, also one that only starts; the parent says what becomes of it.
        with _ctrl_c_ignored():
            seat.process.start()
        theirs.close()
        seat.connection = ours
        seat.has_begun = False

    def _hear(self, seat: _Seat, waiting: deque[Portion]) -> Iterator[ItemResult]:
        """Take one message of a worker."""
        assert seat.connection
        try:
            message = seat.connection.recv()
        except (EOFError, OSError):
            self._bury(seat, waiting)
            return
        if isinstance(message, Failure):
            raise UniTalkerError(message.code, message.message, message.hint)
        if isinstance(message, ItemResult):
            seat.left = [item for item in seat.left if item.output != message.output]
            yield message
        # A worker without work, at the start or after a portion.
        elif waiting:
            seat.has_begun = True
            seat.left = list(waiting.popleft())
            # When the worker is dead already, the next message says so.
            with contextlib.suppress(OSError):
                seat.connection.send(tuple(seat.left))
        else:
            seat.disconnect()

    def _bury(self, seat: _Seat, waiting: deque[Portion]) -> None:
        """A worker died: another one does what it has left, and counts the tries of the item at which it died."""
        seat.end()
        if seat.left:
            waiting.appendleft(tuple(seat.left))
            seat.left = []
        # One that dies of loading the model would do so again and again.
        if waiting and seat.has_begun:
            self._start(seat)


@dataclass
class _Seat:
    """The place of a worker, which is filled anew when one dies.

    Attributes:
        left: items of the portion at hand that have no result yet, in the order in which they are done.
    """

    setup: WorkerSetup
    process: SpawnProcess | None = None
    connection: Connection | None = None
    left: list[Item] = field(default_factory=list)
    has_begun: bool = False

    def disconnect(self) -> None:
        """The worker ends when it finds nobody at the other end."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def end(self) -> None:
        """Wait for the end of the process, and then not any longer."""
        self.disconnect()
        if self.process is None:
            return
        self.process.join(_GRACE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process = None


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """A process that is started within ignores the signal from its first moment."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _work(connection: Connection, setup: WorkerSetup, stop: Event, threads: int) -> None:
    """What a worker process does until nobody is at the other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Read by torch and its libraries when they are imported; what the user has set stays.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        worker = Worker(setup, stop.is_set)
    except UniTalkerError as error:
        connection.send(Failure.of(error))
        return
    try:
        while True:
            connection.send(None)
            for result in worker.do(connection.recv()):
                connection.send(result)
    except (EOFError, OSError, Cancelled):
        return
