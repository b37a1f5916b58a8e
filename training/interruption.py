"""Ctrl-C and the end signal of a scheduler: the step is finished and saved before the process ends."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

from backend.errors import UniTalkerError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(UniTalkerError):  # noqa: N818 - not a mistake
    """A training that ended because it was told to, saved and ready to go on.

    Args:
        number: the signal; the exit code is 128 more, as a shell counts.
        message: what has been saved.
        hint: how to go on.
    """

    def __init__(self, number: signal.Signals, message: str, hint: str) -> None:
        super().__init__("training.stopped", message, hint)
        self.exit_code = 128 + number


class Interruption:
    """Notes the first SIGINT or SIGTERM inside its ``with`` block; a second one acts at once, as it would outside.

    Attributes:
        signal: which one came, if any did.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        # Python lets no other thread set handlers.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            sys.exit(128 + number)
        self.signal = signal.Signals(number)
