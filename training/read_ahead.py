"""Data for the next steps are read while the current one is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2


def read_ahead(load: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results of `load` in order; one thread works on those to come, and no more of them are held than two.

    Args:
        load: depends on its argument only.
        items: its arguments.
    """
    coming = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="training-data") as thread:
        waiting: deque[Future[Result]] = deque(thread.submit(load, item) for item in islice(coming, _AHEAD))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(thread.submit(load, item) for item in islice(coming, 1))
                yield result
        finally:
            thread.shutdown(cancel_futures=True)
