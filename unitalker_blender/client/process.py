"""The backend as a child process: pipes, reader threads, and an end that always comes."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from typing import IO

from .command_process import NO_CONSOLE
from .environment import BackendCommand
from .errors import UniTalkerError
from .protocol import MAX_LINE_BYTES, Event, parse_event, shutdown_line

LOG_LINES = 40
_LIKELY_CAUSES = {
    "SIGKILL": "; perhaps the memory was used up",
    "SIGILL": "; this processor is perhaps too old for the engine's packages, which need AVX2",
}
_WINDOWS_ILLEGAL_INSTRUCTION = 0xC000001D

END_GRACE = 3.0  # seconds that the process has to end by itself, and again after being asked to terminate


class BackendDiedError(UniTalkerError):
    """The process ended although nobody asked it to."""


class BackendProcess:
    """A running backend. Threads only read pipes; everything else happens in the caller's thread.

    Raises:
        UniTalkerError: ``backend.not_started`` when the operating system cannot run the interpreter.
    """

    def __init__(self, command: BackendCommand) -> None:
        self.command = command
        self._events: queue.SimpleQueue[Event | UniTalkerError | None] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._process = _start(command)
        assert self._process.stdout and self._process.stderr
        self._threads = [
            threading.Thread(target=self._read_events, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_log, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        """The last lines that the backend wrote to stderr."""
        return "\n".join(self._log)

    def send(self, line: bytes) -> None:
        """Write one request; `BackendDiedError` when nobody reads it any more."""
        assert self._process.stdin
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._died() from error

    def next_event(self, timeout: float) -> Event | None:
        """The next event, or None after `timeout` seconds without one.

        Raises:
            BackendDiedError: the process ended.
            UniTalkerError: ``protocol.bad_event``.
        """
        try:
            event = self._events.get(timeout=timeout) if timeout > 0 else self._events.get_nowait()
        except queue.Empty:
            return None
        if event is None:
            self._events.put(None)  # also for whoever asks again
            raise self._died()
        if isinstance(event, UniTalkerError):
            raise event
        return event

    def close(self) -> None:
        """Ask it to end, then terminate it, then kill it. Does nothing when it has ended."""
        with contextlib.suppress(UniTalkerError):
            self.send(shutdown_line())
        with contextlib.suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()
        for force in (None, self._process.terminate, self._process.kill):
            if force is not None:
                force()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_GRACE)
                break
        self._release()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._release()

    def _release(self) -> None:
        for thread in self._threads:
            thread.join(END_GRACE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            # A grandchild may hold a pipe open and its reader busy; then the pipe goes with the thread.
            if pipe is not None and not any(thread.is_alive() for thread in self._threads):
                with contextlib.suppress(OSError):
                    pipe.close()

    def _died(self) -> BackendDiedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_GRACE)
        self._threads[1].join(END_GRACE)
        last = next((line for line in reversed(self._log) if line.strip()), "")
        said = f" It said last: {last.strip().rstrip('.')}." if last else ""
        return BackendDiedError(
            "backend.died",
            f"The backend stopped by itself ({describe_exit(self._process.returncode)}).{said}",
            "Run Animate again to start it anew; what it wrote before is in the console.",
        )

    def _read_events(self, pipe: IO[bytes]) -> None:
        while line := pipe.readline(MAX_LINE_BYTES + 1):
            try:
                self._events.put(parse_event(line))
            except UniTalkerError as error:
                self._events.put(error)
        self._events.put(None)

    def _read_log(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._log.append(line.decode("utf-8", "replace").rstrip())


def _start(command: BackendCommand) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.arguments(),
            cwd=command.root,
            env=command.environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",
            creationflags=NO_CONSOLE,
        )
    except OSError as error:
        raise UniTalkerError(
            "backend.not_started",
            f"{command.python} cannot be run: {error.strerror or error}.",
            "Choose a Python program in Edit > Preferences > Add-ons > UniTalker.",
        ) from error


def describe_exit(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "still ending"
    if code == _WINDOWS_ILLEGAL_INSTRUCTION:
        return f"illegal instruction{_LIKELY_CAUSES['SIGILL']}"
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"killed by signal {name}{_LIKELY_CAUSES.get(name, '')}"
