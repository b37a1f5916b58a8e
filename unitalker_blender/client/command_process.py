"""A program that runs to its end: its lines as they come, and an end for all that it started."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from .errors import UniTalkerError

END_GRACE = 3.0  # seconds that it has to clean up after itself

if sys.platform == "win32":
    NO_CONSOLE = subprocess.CREATE_NO_WINDOW
else:
    NO_CONSOLE = 0
"""For `creationflags`: no black window for a program that has no window of its own."""


class CommandProcess:
    """Runs a command without a shell; its two outputs arrive as one stream of lines.

    Args:
        arguments: program and arguments.
        environment: all of its environment variables.
        folder: where it runs.

    Raises:
        UniTalkerError: ``install.not_started`` when the operating system cannot run it.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ended = False
        self._stopped_at: float | None = None
        self._process = _start(arguments, environment, folder)
        assert self._process.stdout
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def lines(self, wait: float) -> Iterator[str]:
        """The lines that have come; when there is none, waits up to `wait` seconds for one."""
        with contextlib.suppress(queue.Empty):
            while not self._ended:
                line = self._lines.get(timeout=wait) if wait > 0 else self._lines.get_nowait()
                wait = 0.0
                if line is None:
                    self._ended = True
                else:
                    yield line

    def exit_code(self) -> int | None:
        """How it ended; None while it runs or while lines of it are unread."""
        if self._stopped_at is not None and time.monotonic() - self._stopped_at > END_GRACE:
            self.kill()
        return self._process.poll() if self._ended else None

    def stop(self) -> None:
        """Ask it to clean up and end; `exit_code` ends it by force when it takes longer than the grace."""
        if self._stopped_at is None and self._process.poll() is None:
            self._stopped_at = time.monotonic()
            if sys.platform == "win32":
                self.kill()
            else:
                self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and everything that it started, at once."""
        if sys.platform == "win32":
            tree = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
            subprocess.run(tree, capture_output=True, creationflags=NO_CONSOLE)
        else:
            self._signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_GRACE)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line.decode("utf-8", "replace").rstrip())
        self._process.wait()
        self._lines.put(None)


def _start(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(arguments),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",
            creationflags=NO_CONSOLE,
        )
    except OSError as error:
        raise UniTalkerError(
            "install.not_started", f"{arguments[0]} cannot be run: {error.strerror or error}.", "Choose another Python."
        ) from error
