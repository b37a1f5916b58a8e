"""One request for face motion, from sending to its end, in steps that never block for long."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from .errors import UniTalkerError
from .process import BackendDiedError
from .protocol import Cancelled, Event, Failure, MotionRequest, Progress, Result, cancel_line, request_line
from .session import BackendSession

CANCEL_GRACE = 3.0  # seconds until a backend that does not react to a cancel is killed

State = Literal["starting", "running", "cancelling", "done", "cancelled", "failed"]

# Where each stage begins and ends on the progress bar; inference takes nearly all the time.
_STAGE_SPANS = {"load": (0.0, 0.1), "decode": (0.1, 0.15), "infer": (0.15, 0.95), "write": (0.95, 1.0)}
_STAGE_WORDS = {
    "load": "Loading the model",
    "decode": "Reading the sound",
    "infer": "Animating",
    "write": "Writing the result",
}


class MotionJob:
    """Asks the backend for the motion of a sound or a take; call `step` until it returns True, then `close`.

    The job owns a temporary folder with the result; `close` removes it.

    Args:
        session: the backend.
        request: what to animate, or which take to direct again; its `output` is set here.
        clock: seconds, monotonic.
    """

    def __init__(
        self, session: BackendSession, request: MotionRequest, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._clock = clock
        self._id = session.next_id()
        self._cancel_deadline = 0.0
        self._folder = Path(tempfile.mkdtemp(prefix="unitalker-"))
        self._request = dataclasses.replace(request, output=str(self._folder / "motion.npz"))
        self.state: State = "starting"
        self.fraction = 0.0
        self.text = "Starting the backend"
        self.result: Result | None = None

    def start(self) -> None:
        """Start the backend when it does not run; UniTalkerError when it cannot be."""
        self._session.start()

    def step(self, wait: float = 0.0) -> bool:
        """Go on; True at the end, when `state` is ``done`` or ``cancelled``.

        Args:
            wait: seconds to wait for news at most.

        Raises:
            UniTalkerError: the job failed.
        """
        try:
            if self.state == "starting":
                if self._session.ready(wait):
                    self._session.send(request_line(self._id, self._request))
                    self.state = "running"
            elif self.state in ("running", "cancelling"):
                self._take_events(wait)
        except UniTalkerError:
            self.state = "failed"
            raise
        return self.state in ("done", "cancelled")

    def finish(self, seconds: float) -> bool:
        """Go on until the end, but not longer than `seconds`; whether it has come. Raises as `step`.

        News are taken as they arrive, so that a take directed again is there as soon as the backend has answered.
        """
        deadline = self._clock() + seconds
        while not self.step(max(0.0, deadline - self._clock())):
            if self._clock() >= deadline:
                return False
        return True

    def cancel(self) -> None:
        """Ask for an early end; it comes with one of the next steps."""
        if self.state == "starting":
            self.state = "cancelled"
        elif self.state == "running":
            self._session.send(cancel_line(self._id))
            self._cancel_deadline = self._clock() + CANCEL_GRACE
            self.state, self.text = "cancelling", "Cancelling"

    def close(self) -> None:
        """Forget the job: a running one is cancelled without waiting, the temporary folder removed."""
        if self.state == "running":
            self.cancel_quietly()
        shutil.rmtree(self._folder, ignore_errors=True)

    def cancel_quietly(self) -> None:
        """Cancel, not caring whether the backend is still there."""
        try:
            self.cancel()
        except UniTalkerError:
            self.state = "cancelled"

    def _take_events(self, wait: float) -> None:
        try:
            event = self._session.next_event(wait)
            while event is not None and self.state in ("running", "cancelling"):
                self._take(event)
                event = self._session.next_event(0.0) if self.state in ("running", "cancelling") else None
        except BackendDiedError:
            if self.state != "cancelling":
                raise
            self.state = "cancelled"
        if self.state == "cancelling" and self._clock() > self._cancel_deadline:
            self._session.kill()
            self.state = "cancelled"

    def _take(self, event: Event) -> None:
        if getattr(event, "id", None) not in (self._id, None):
            return  # the end of a job that was given up
        if isinstance(event, Cancelled):
            self.state = "cancelled"
        elif isinstance(event, Failure):
            if self.state == "cancelling":
                self.state = "cancelled"
            else:
                raise event.error()
        elif isinstance(event, Result):
            self.result = event
            self.state = "cancelled" if self.state == "cancelling" else "done"
        elif isinstance(event, Progress) and self.state == "running":
            self._show(event)

    def _show(self, progress: Progress) -> None:
        begin, end = _STAGE_SPANS.get(progress.stage, (self.fraction, self.fraction))
        share = progress.done / progress.total if progress.total > 0 else 0.0
        self.fraction = max(self.fraction, begin + (end - begin) * min(share, 1.0))
        self.text = _STAGE_WORDS.get(progress.stage, progress.stage)
