"""The backend process: requests on stdin, events on stdout, one job at a time (docs/protocol.md)."""

from __future__ import annotations

import logging
import os
import platform
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from backend import __version__, protocol
from backend.catalogue import list_models
from backend.engine import find_devices, find_engines
from backend.errors import Cancelled, UniTalkerError
from backend.export import write_motion
from backend.inference import AnimateOptions
from backend.progress import Stage
from backend.session import ComponentsOrder, ImportOrder, Order, Outcome, RemapOrder, Session
from backend.takes import TakeStore, takes_folder
from backend.vertex_components import write_components

log = logging.getLogger(__name__)


def serve() -> int:
    """Answer requests until stdin ends or `shutdown` comes; return the exit code."""
    requests, events = claim_streams()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    return Server(requests, events).run()


def claim_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for the protocol alone.

    Afterwards descriptor 0 is empty and descriptor 1 is stderr, so nothing that a library prints or reads, in Python
    or in C, can reach the stream. (On Windows a library that looks at a stdin on which a thread waits would hang.)
    """
    requests, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, events


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines without their ends; of one that is too long only as much as shows that it is."""
    while line := stream.readline(protocol.MAX_LINE + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(protocol.MAX_LINE + 1)
        yield line.removesuffix(b"\n").removesuffix(b"\r")


class Job:
    """One piece of work. It ends exactly once: cancelled by the reading thread, or closed by the worker."""

    def __init__(self, request: protocol.JobRequest, send: Callable[[protocol.Event], None]) -> None:
        self.request = request
        self._send = send
        self._lock = threading.Lock()
        self._cancelled = False
        self._closed = False

    def report(self, stage: Stage, done: int, total: int) -> None:
        """Send progress; raises `Cancelled` when the job has been cancelled."""
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._send(protocol.ProgressEvent(id=self.request.id, stage=stage, done=done, total=total))

    def close(self) -> None:
        """Too late to cancel from now on; raises `Cancelled` when the job has been cancelled before."""
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._closed = True

    def cancel(self) -> None:
        """Tell the client at once; the worker notices before its next step, and writes nothing."""
        with self._lock:
            if not self._cancelled and not self._closed:
                self._cancelled = True
                self._send(protocol.CancelledEvent(id=self.request.id))


class Server:
    """A thread reads requests; the main thread works on the jobs in order."""

    def __init__(self, requests: BinaryIO, events: BinaryIO) -> None:
        self._requests = requests
        self._events = events
        self._send_lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: dict[int, Job] = {}
        self._session = Session(TakeStore(takes_folder()))

    def run(self) -> int:
        self._send(self._hello())
        threading.Thread(target=self._read_requests, name="requests", daemon=True).start()
        while job := self._waiting.get():
            self._work(job)
        return 0

    def _send(self, event: protocol.Event) -> None:
        try:
            with self._send_lock:
                self._events.write(protocol.encode(event))
                self._events.flush()
        except OSError:
            # The client is gone; end of stdin, which ends the process, comes with it.
            log.warning("nobody reads the event %s", event.type)

    def _hello(self) -> protocol.HelloEvent:
        engines, engine_problems = find_engines()
        models, model_problems = list_models()
        return protocol.HelloEvent(
            version=__version__,
            python=platform.python_version(),
            engines=list(engines),
            devices=find_devices(),
            models=models,
            problems=engine_problems + model_problems,
        )

    # --- requests, in the reading thread -----------------------------------------------------------------------

    def _read_requests(self) -> None:
        for line in read_lines(self._requests):
            try:
                request = protocol.parse_request(line)
            except protocol.ProtocolError as error:
                self._send(error_event(error.request_id, error))
                continue
            if isinstance(request, protocol.ShutdownRequest):
                break
            self._handle(request)
        for job in list(self._jobs.values()):
            job.cancel()
        self._waiting.put(None)

    def _handle(self, request: protocol.JobRequest | protocol.ModelsRequest | protocol.CancelRequest) -> None:
        match request:
            case protocol.ModelsRequest():
                models, problems = list_models()
                self._send(protocol.ModelsEvent(id=request.id, models=models, problems=problems))
            case protocol.CancelRequest():
                # A job that has just ended is no mistake of the client's.
                if job := self._jobs.get(request.id):
                    job.cancel()
                    self._forget(job)
            case _:
                self._accept(request)

    def _accept(self, request: protocol.JobRequest) -> None:
        if request.id in self._jobs:
            error = protocol.ProtocolError("bad_request", f"There is a job {request.id} already.", request.id)
            self._send(error_event(request.id, error))
            return
        job = Job(request, self._send)
        self._jobs[request.id] = job
        self._waiting.put(job)

    # --- jobs, in the main thread ------------------------------------------------------------------------------

    def _work(self, job: Job) -> None:
        try:
            event = self._ending(job)
            job.close()
        except Cancelled:
            log.info("job %d is cancelled", job.request.id)
            return
        # First, because the client may use the id again as soon as it hears of the end.
        self._forget(job)
        self._send(event)

    def _forget(self, job: Job) -> None:
        if self._jobs.get(job.request.id) is job:
            self._jobs.pop(job.request.id, None)

    def _ending(self, job: Job) -> protocol.Event:
        """Do the job; whatever happens in it becomes an event, so that the next job finds a backend."""
        try:
            return self._perform(job)
        except UniTalkerError as error:
            return error_event(job.request.id, error)
        except Cancelled:
            raise
        except Exception as error:
            log.exception("job %d failed", job.request.id)
            failure = UniTalkerError(
                "internal", f"The backend failed: {type(error).__name__}: {error}.", "Its log has the details."
            )
            return error_event(job.request.id, failure)

    def _perform(self, job: Job) -> protocol.ResultEvent:
        request = job.request
        write: Callable[[Path], None]
        if isinstance(request, protocol.ComponentsRequest):
            outcome, components = self._session.split(components_order_of(request), job.report)
            write = partial(write_components, components, outcome.motion)
        else:
            outcome = self._outcome(request, job)
            write = partial(write_motion, outcome.motion)
        job.report("write", 0, 1)
        job.close()
        write(Path(request.output))
        job.report("write", 1, 1)
        return result_event(request, outcome)

    def _outcome(
        self, request: protocol.AnimateRequest | protocol.RemapRequest | protocol.ImportRequest, job: Job
    ) -> Outcome:
        match request:
            case protocol.AnimateRequest():
                return self._session.animate(order_of(request), job.report)
            case protocol.ImportRequest():
                return self._session.import_motion(import_order_of(request), job.report)
            case protocol.RemapRequest():
                return self._session.remap(remap_order_of(request))


def order_of(request: protocol.AnimateRequest) -> Order:
    """A request in the backend's own terms."""
    options = AnimateOptions(
        head=request.head,
        identity=request.identity,
        identity_b=request.identity_b,
        fps=request.fps,
        direction=request.direction,
        rig=request.rig,
    )
    return Order(Path(request.audio), Path(request.output), request.model, request.device, options, request.engine)


def remap_order_of(request: protocol.RemapRequest) -> RemapOrder:
    """A request in the backend's own terms."""
    return RemapOrder(request.take, Path(request.output), request.fps, request.direction, request.rig)


def import_order_of(request: protocol.ImportRequest) -> ImportOrder:
    """A request in the backend's own terms."""
    audio = None if request.audio is None else Path(request.audio)
    output = Path(request.output)
    return ImportOrder(Path(request.motion), audio, request.entry, output, request.fps, request.direction, request.rig)


def components_order_of(request: protocol.ComponentsRequest) -> ComponentsOrder:
    """A request in the backend's own terms."""
    output = Path(request.output)
    return ComponentsOrder(request.take, output, request.fps, request.direction, request.most, request.tolerance)


def result_event(request: protocol.JobRequest, outcome: Outcome) -> protocol.ResultEvent:
    """What the client is told of a job that went well."""
    motion = outcome.motion
    return protocol.ResultEvent(
        id=request.id,
        path=request.output,
        frames=len(motion.values),
        fps=motion.fps,
        duration=motion.duration,
        head=motion.annotation.type_name,
        identity=outcome.identity,
        device=outcome.device,
        engine=outcome.engine,
        take=outcome.take,
        quality=outcome.quality,
        waveform=outcome.waveform,
        notes=list(motion.notes),
    )


def error_event(request_id: int | None, error: UniTalkerError) -> protocol.ErrorEvent:
    """What the client is told of anything else."""
    return protocol.ErrorEvent(id=request_id, code=error.code, message=error.message, hint=error.hint)
