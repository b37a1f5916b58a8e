"""`blender -b --command unitalker batch jobs.json`: file after file is opened, animated and written."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import bpy

from .. import backend_session
from ..client.errors import UniTalkerError
from ..client.protocol import Hello
from ..scene.scene_export import check_output, export_scene, sound_note
from . import animate
from .job_list import BatchJob, read_jobs
from .job_record import file_hash, is_done, job_key, write_record

REPORT_SCHEMA = 1
EXIT_INTERRUPTED = 130

_MODEL_FILES = ("model.json", "model.safetensors")


@dataclass(frozen=True)
class Ending:
    """What became of a job: `status` is done, skipped, failed or pending."""

    job: BatchJob
    status: str
    error: UniTalkerError | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `batch`."""
    add = parser.add_argument
    add("jobs", help="JSON list of jobs (docs/batch.md)")
    add("--only", action="append", default=[], metavar="NAME", help="do the job of this name alone; can be repeated")
    add("--report", default="", help="JSON file for what became of each job")


def run(options: argparse.Namespace) -> int:
    """Do all jobs that are not done; returns 0, 1 when one failed, 130 after Ctrl-C.

    Raises:
        UniTalkerError: nothing can be done at all: the list is none, or the backend does not start.
    """
    started = time.monotonic()
    jobs = _chosen(read_jobs(Path(options.jobs).absolute()), options.only)
    opened = Path(bpy.data.filepath) if bpy.data.filepath else None
    models = _Models(_hello())
    endings: list[Ending] = []
    interrupted = False
    try:
        with _interruptible():
            for job in jobs:
                endings.append(_ending(job, opened, models))
                _tell(endings[-1], len(endings), len(jobs))
    except KeyboardInterrupt:
        interrupted = True
    endings += [Ending(job, "pending") for job in jobs[len(endings) :]]
    _sum_up(endings, time.monotonic() - started)
    if options.report:
        _write_report(Path(options.report), endings, interrupted, time.monotonic() - started)
    if interrupted:
        return EXIT_INTERRUPTED
    return int(any(ending.status == "failed" for ending in endings))


def _chosen(jobs: list[BatchJob], only: Sequence[str]) -> list[BatchJob]:
    unknown = [name for name in only if name not in {job.name for job in jobs}]
    if unknown:
        there = ", ".join(job.name for job in jobs[:20])
        raise UniTalkerError("batch.jobs", f"There is no job {unknown[0]!r}.", f"Jobs of the list: {there}.")
    return [job for job in jobs if job.name in only or not only]


# --- one job -----------------------------------------------------------------------------------------------------


def _ending(job: BatchJob, opened: Path | None, models: _Models) -> Ending:
    """Whatever goes wrong with one job, the others go on."""
    try:
        if job.problem:
            raise UniTalkerError("batch.job", job.problem, "Correct the list of jobs, and run again.")
        blend = job.blend or opened
        if blend is None:
            raise UniTalkerError(
                "batch.job", f"{job.name} names no file, and none is open.", "Give it a 'blend', or start with a file."
            )
        speech = [_speech_options(job, entry) for entry in job.speech]
        key = job_key(job, blend, bpy.app.version_string, *(models.hash_of(entry.model) for entry in speech))
        if is_done(job, key):
            return Ending(job, "skipped")
        _do(job, blend, speech)
        write_record(job, key)
    except UniTalkerError as error:
        return Ending(job, "failed", error)
    return Ending(job, "done")


def _do(job: BatchJob, blend: Path, speech: Sequence[argparse.Namespace]) -> None:
    for output in job.outputs:
        _make_folder(output.parent)
    try:
        # Anew for every job, also when it is the file that is open: the job before has changed it.
        bpy.ops.wm.open_mainfile(filepath=str(blend), load_ui=False)
    except RuntimeError as error:
        raise UniTalkerError("batch.file", f"{blend} cannot be opened: {str(error).strip()}.", "") from error
    for output in job.outputs:
        check_output(bpy.context.scene, output)
    spoken = [animate.speak(entry) for entry in speech]
    for output in job.outputs:
        export_scene(bpy.context.scene, output)
        sounds = [(order.audio.name, order.frame_start) for order in spoken if order.audio]
        notes = [sound_note(bpy.context.scene, output, *sound) for sound in sounds]
        print("\n".join([f"saved {output}", *filter(None, notes)]), flush=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UniTalkerError(
            "output.unwritable", f"The folder {folder} cannot be made: {error.strerror}.", "Choose other outputs."
        ) from error


class _SpeechParser(argparse.ArgumentParser):
    """Reads the options of `animate` off a job, with the same names, defaults and checks."""

    def error(self, message: str) -> NoReturn:
        raise UniTalkerError("batch.job", message, "The keys are the options of `--command unitalker animate`.")


def _speech_options(job: BatchJob, entry: Mapping[str, Any]) -> argparse.Namespace:
    parser = _SpeechParser(add_help=False, allow_abbrev=False)
    animate.add_arguments(parser)
    words = [word for name, value in entry.items() for word in _words(name, value)]
    try:
        return parser.parse_args([*words, "--output", str(job.outputs[0])])
    except UniTalkerError as error:
        raise UniTalkerError(error.code, f"{job.name}: {error.message}.", error.hint) from error


def _words(name: str, value: Any) -> Iterator[str]:
    """A key of a job as it is written on a command line."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        yield from [option] * value
    elif isinstance(value, list):
        yield from (option, *map(str, value))
    elif value is not None:
        # With an equals sign, so that a name may begin with a dash.
        yield f"{option}={json.dumps(value) if isinstance(value, dict) else value}"


# --- the backend -------------------------------------------------------------------------------------------------


def _hello() -> Hello:
    session = backend_session.get()
    session.start()
    while not session.ready(0.1):
        pass
    assert session.hello
    return session.hello


class _Models:
    """Hashes of the models of a backend."""

    def __init__(self, hello: Hello) -> None:
        self._folders = {model.name: Path(model.path) for model in reversed(hello.models)}
        # The first is the one that is used when none is named.
        self._default = hello.models[0].name if hello.models else ""
        self._hashes: dict[str, str] = {}

    def hash_of(self, name: str) -> str:
        name = name or self._default
        if name not in self._hashes:
            folder = self._folders.get(name, Path(name))
            files = [folder / file for file in _MODEL_FILES]
            self._hashes[name] = " ".join(file_hash(path) for path in files if path.is_file())
        return self._hashes[name]


# --- what the user is told ---------------------------------------------------------------------------------------


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, which Blender itself does not let it do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


def _tell(ending: Ending, number: int, count: int) -> None:
    print(f"[{number}/{count}] {ending.job.name}: {ending.status}", flush=True)
    if ending.error:
        print(f"error: {ending.error}", file=sys.stderr, flush=True)


def _sum_up(endings: Sequence[Ending], seconds: float) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in _counts(endings).items())
    print(f"{len(endings)} jobs in {seconds:.1f} s: {counts}", flush=True)


def _counts(endings: Sequence[Ending]) -> dict[str, int]:
    statuses = [ending.status for ending in endings]
    return {status: statuses.count(status) for status in ("done", "skipped", "failed", "pending")}


def _write_report(path: Path, endings: Sequence[Ending], interrupted: bool, seconds: float) -> None:
    items = [
        {
            "name": ending.job.name,
            "blend": None if ending.job.blend is None else str(ending.job.blend),
            "sources": list(map(str, ending.job.sources)),
            "outputs": list(map(str, ending.job.outputs)),
            "status": ending.status,
            "failure": ending.error
            and {"code": ending.error.code, "message": ending.error.message, "hint": ending.error.hint},
        }
        for ending in endings
    ]
    report = {
        "schema": REPORT_SCHEMA,
        "interrupted": interrupted,
        "seconds": round(seconds, 3),
        "totals": _counts(endings),
        "items": items,
    }
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(report, indent=1), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UniTalkerError(
            "output.unwritable", f"{path} cannot be written: {error.strerror}.", "Choose another --report."
        ) from error
