"""Several trainings at once, each in a process of its own with one thread.

Two trainings on one thread each take less time than one after the other on two threads: their steps are small, and on
a machine that has other things to do, threads wait for each other.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager

import torch

from training.reproduce.budget import Plan
from training.reproduce.running import Result, Site, Workplace
from training.reproduce.suite import Training

Task = tuple[Training, int]
"""A training and its seed."""


class Team:
    """Workers that take a task whenever they are free.

    Args:
        pool: of the processes.
        size: how many.
        plan: length of the trainings.
    """

    def __init__(self, pool: ProcessPoolExecutor, size: int, plan: Plan) -> None:
        self._pool = pool
        self._size = size
        self._plan = plan

    def run(self, next_task: Callable[[], Task | None], done: Callable[[Result], None]) -> None:
        """Works until there is nothing left.

        Args:
            next_task: gives a task that can be begun, or ``None`` if there is none until another one is done.
            done: told each result.
        """
        running: set[Future[Result]] = set()
        while True:
            while len(running) < self._size and (task := next_task()) is not None:
                running.add(self._pool.submit(_work, *task, self._plan))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                done(future.result())


@contextmanager
def team(site: Site, size: int, plan: Plan) -> Iterator[Team]:
    """A team of so many processes, which end with the block, at once if it ends by an exception."""
    # A fork would share the threads' locks of PyTorch with its parent.
    context = multiprocessing.get_context("spawn")
    before = signal.signal(signal.SIGTERM, _leave)
    with ProcessPoolExecutor(size, context, initializer=_join, initargs=(site,)) as pool:
        try:
            yield Team(pool, size, plan)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


def _leave(number: int, _frame: object) -> None:
    """Turns the signal into an exception, so that the workers are ended too."""
    sys.exit(128 + number)


_workplaces: list[Workplace] = []
"""Of this process, once it has joined a team."""


def _join(site: Site) -> None:
    # Ctrl-C is for the parent, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _workplaces.append(Workplace(site))


def _work(training: Training, seed: int, plan: Plan) -> Result:
    return _workplaces[0].run(training, seed, plan)
