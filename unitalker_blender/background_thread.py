"""Something slow that is done beside Blender: a thread that never touches bpy, watched by a job or a panel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from .job import Report

T = TypeVar("T")


class BackgroundThread(Generic[T]):
    """Runs a function in a thread.

    Args:
        work: what is done.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def done(self, wait: float = 0.0) -> bool:
        """Whether it has ended; waits up to `wait` seconds for that."""
        self._thread.join(wait)
        return not self._thread.is_alive()

    def result(self) -> T:
        """What the function returned; waits for it, and raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:  # raised again where the result is asked for
            self._error = error


class ThreadJob:
    """A job that consists of one function in a thread.

    Args:
        work: what is done; returns what is told at the end.
        text: what is shown meanwhile.
        stop: asks `work` to end early; None when it is over in a moment anyway.
    """

    fraction = 0.0

    def __init__(self, work: Callable[[], str], text: str, stop: Callable[[], None] | None = None) -> None:
        self.text = text
        self.cancelled = False
        self.report: Report | None = None
        self._stop = stop
        self._thread = BackgroundThread(work)

    def step(self, wait: float = 0.0) -> bool:
        if not self._thread.done(wait):
            return False
        if not self.cancelled:
            self.report = Report(self._thread.result(), ())
        return True

    def cancel(self) -> None:
        if self._stop is not None:
            self.cancelled = True
            self._stop()

    def close(self) -> None:
        """Nothing to forget: what runs comes to its end."""
