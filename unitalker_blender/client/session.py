"""One backend per Blender: started when first needed, started again after a crash, but not for ever."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator

from .environment import BackendCommand
from .errors import UniTalkerError
from .process import BackendDiedError, BackendProcess
from .protocol import PROTOCOL_VERSION, Event, Hello

HELLO_TIMEOUT = 30.0  # seconds; the first start from a cold disk with a virus scanner is slow
MAX_RESTARTS = 2
RESTART_WINDOW = 300.0  # seconds

_log = logging.getLogger(__name__)


class BackendSession:
    """Owns the backend process.

    Args:
        resolve: says how to start the backend; asked before every job, since preferences may have changed.
        hello_timeout: seconds until a backend that says nothing is given up.
        clock: seconds, monotonic.

    Attributes:
        hello: what the running backend said of itself; None until it has.
    """

    def __init__(
        self,
        resolve: Callable[[], BackendCommand],
        hello_timeout: float = HELLO_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._hello_timeout = hello_timeout
        self._clock = clock
        self._process: BackendProcess | None = None
        self._started_at = 0.0
        self._restarts: deque[float] = deque()
        self._crashed = False
        self._last_id = 0
        self.hello: Hello | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def status(self) -> str:
        """One line for the panel."""
        if self._process is None:
            return "Backend: starts when needed"
        if self.hello is None:
            return "Backend: starting"
        return f"Backend {self.hello.version}: ready ({self.hello.engines[0]} on {', '.join(self.hello.devices)})"

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def start(self) -> None:
        """Make sure that a process runs; does not wait for its hello."""
        command = self._resolve()
        if self._process is not None and not self._process.alive:
            self._drop_crashed()
        if self._process is not None and self._process.command != command:
            self.close()
        if self._process is None:
            self._count_restart()
            self._process = BackendProcess(command)
            self._started_at = self._clock()

    def ready(self, wait: float) -> bool:
        """Whether the backend has said hello and can animate; waits up to `wait` seconds."""
        if self.hello is not None:
            return True
        event = self.next_event(wait)
        if isinstance(event, Hello):
            self._accept(event)
        elif self._clock() - self._started_at > self._hello_timeout:
            self._give_up()
        return self.hello is not None

    def send(self, line: bytes) -> None:
        with self._dropping():
            self._running().send(line)

    def next_event(self, wait: float) -> Event | None:
        """The next event, or None; `BackendDiedError` after a crash, and then the process is gone."""
        with self._dropping():
            return self._running().next_event(wait)

    def forgive(self) -> None:
        """Forget past crashes: the user asks for another try."""
        self._restarts.clear()
        self._crashed = False

    def close(self) -> None:
        """End the backend; it is started again when needed."""
        process, self._process, self.hello = self._process, None, None
        if process is not None:
            process.close()

    def kill(self) -> None:
        """End a backend that does not answer, at once."""
        process, self._process, self.hello = self._process, None, None
        if process is not None:
            process.kill()

    def _running(self) -> BackendProcess:
        if self._process is None:
            raise UniTalkerError("backend.closed", "The backend was ended while it worked.", "Run Animate again.")
        return self._process

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        """Let go of a process that died or cannot be understood any more."""
        try:
            yield
        except BackendDiedError as death:
            raise self._drop_died(death) from death
        except UniTalkerError as error:
            if error.code == "protocol.bad_event":
                self.kill()  # a stream that is out of step stays so, and its job may still run
            raise

    def _drop_died(self, death: BackendDiedError) -> UniTalkerError:
        """Clean up after a death; one before hello is a matter of set-up and says what to install."""
        command = self._running().command
        if self.hello is not None:
            self._drop_crashed()
            return death
        _log.error("The backend did not start. Its log:\n%s", self._running().log())
        self.kill()
        return UniTalkerError("backend.not_started", f"{command.python}: {death.message}", command.repair_hint())

    def _drop_crashed(self) -> None:
        _log.error("The backend stopped by itself. Its log:\n%s", self._running().log())
        self._crashed = self.hello is not None
        self.kill()

    def _count_restart(self) -> None:
        if not self._crashed:
            return
        now = self._clock()
        while self._restarts and now - self._restarts[0] > RESTART_WINDOW:
            self._restarts.popleft()
        if len(self._restarts) >= MAX_RESTARTS:
            raise UniTalkerError(
                "backend.unstable",
                f"The backend crashed {MAX_RESTARTS + 1} times within {RESTART_WINDOW / 60:.0f} minutes.",
                "Look at its log in the console, then press Check Backend to try again.",
            )
        self._restarts.append(now)
        self._crashed = False

    def _accept(self, hello: Hello) -> None:
        command = self._running().command
        if hello.protocol != PROTOCOL_VERSION:
            self.close()
            raise UniTalkerError(
                "protocol.version",
                f"The backend speaks protocol {hello.protocol}, this add-on {PROTOCOL_VERSION}.",
                "Install both from the same release.",
            )
        if not hello.engines:
            self.close()  # not kept: the packages may be installed before the next try
            reason = " ".join(hello.problems) or "torch or transformers is missing."
            raise UniTalkerError(
                "engine.missing", f"{command.python} cannot run a model: {reason}", command.repair_hint()
            )
        self.hello = hello

    def _give_up(self) -> None:
        python, log = self._running().command.python, self._running().log()
        self.kill()
        _log.error("The backend did not answer. Its log:\n%s", log)
        raise UniTalkerError(
            "backend.silent",
            f"The backend, started with {python}, did not answer within {self._hello_timeout:.0f} seconds.",
            "Check in the preferences that this is a Python program; its log is in the console.",
        )
