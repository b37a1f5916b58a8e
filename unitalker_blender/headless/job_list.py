"""`jobs.json` of `--command unitalker batch`: which files are opened, who speaks in them, what is written; no bpy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..client.errors import UniTalkerError

SCHEMA = 1

_LIST_KEYS = {"schema", "defaults", "jobs"}
_JOB_KEYS = {"name", "blend", "speech", "outputs"}
_SOURCE_KEYS = ("audio", "motion")
_PATH_KEYS = (*_SOURCE_KEYS, "cache")
_HINT = "docs/batch.md says what it has to hold."


@dataclass(frozen=True)
class BatchJob:
    """One file to open, animate and write.

    Attributes:
        name: for messages, and to do this job alone.
        blend: the file; None for the one that is open when the command starts.
        speech: for each sound the options of `--command unitalker animate`, by their names without dashes.
        outputs: what is written; the suffix says how.
        problem: why it cannot be done, when that is clear already.
    """

    name: str
    blend: Path | None
    speech: tuple[Mapping[str, Any], ...]
    outputs: tuple[Path, ...]
    problem: str = ""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Sounds and motion files."""
        return tuple(Path(speech[key]) for speech in self.speech for key in _SOURCE_KEYS if key in speech)


def read_jobs(path: Path) -> list[BatchJob]:
    """The jobs of a list; paths in it are relative to its folder.

    A job that makes no sense is in the list with its `problem`, so that the others are done.

    Raises:
        UniTalkerError: ``batch.jobs`` when the file is no list of jobs.
    """
    data = _read(path)
    defaults = data.get("defaults", {})
    if not isinstance(defaults, dict):
        raise _bad_list(path, "its 'defaults' are no object")
    jobs = [_job(number, item, defaults, path.parent) for number, item in enumerate(data["jobs"], 1)]
    return list(_with_problems_of_names(jobs))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _bad_list(path, f"it cannot be read: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("jobs"), list):
        raise _bad_list(path, "it is no object with a list 'jobs'")
    if data.get("schema") != SCHEMA:
        raise _bad_list(path, f"its 'schema' is {data.get('schema')!r} and not {SCHEMA}")
    if unknown := sorted(set(data) - _LIST_KEYS):
        raise _bad_list(path, f"it has unknown keys: {', '.join(unknown)}")
    if not data["jobs"]:
        raise _bad_list(path, "it holds no job")
    return data


def _job(number: int, item: Any, defaults: Mapping[str, Any], folder: Path) -> BatchJob:
    name = f"job {number}"
    try:
        fields = _object(item, "a job")
        if unknown := sorted(set(fields) - _JOB_KEYS):
            raise ValueError(f"unknown keys: {', '.join(unknown)}")
        outputs = tuple(folder / text for text in _texts(fields.get("outputs"), "outputs"))
        name = _text(fields.get("name", outputs[0].stem), "name")
        blend = None if fields.get("blend") is None else folder / _text(fields["blend"], "blend")
        speech = tuple(_speech(entry, defaults, folder) for entry in _list(fields.get("speech"), "speech"))
    except ValueError as error:
        return BatchJob(name, None, (), (), f"The {name} of the list makes no sense: {error}.")
    return BatchJob(name, blend, speech, outputs)


def _speech(entry: Any, defaults: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    speech = {**defaults, **_object(entry, "an entry of 'speech'")}
    if not any(key in speech for key in _SOURCE_KEYS):
        raise ValueError(f"an entry of 'speech' has none of {', '.join(_SOURCE_KEYS)}")
    return speech | {key: str(folder / _text(speech[key], key)) for key in _PATH_KEYS if key in speech}


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"'{key}' is missing or no text")
    return value


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{key}' is missing, empty or no list")
    return value


def _texts(value: Any, key: str) -> list[str]:
    return [_text(text, key) for text in _list(value, key)]


def _with_problems_of_names(jobs: Sequence[BatchJob]) -> Iterator[BatchJob]:
    """Jobs that share a name or an output cannot be told apart, or would overwrite each other."""
    names = Counter(job.name for job in jobs)
    outputs = Counter(output.resolve() for job in jobs for output in job.outputs)
    for job in jobs:
        shared = next((output for output in job.outputs if outputs[output.resolve()] > 1), None)
        if job.problem:
            yield job
        elif names[job.name] > 1:
            yield _spoilt(job, f"{names[job.name]} jobs are called {job.name!r}.")
        elif shared is not None:
            yield _spoilt(job, f"{job.name}: the output {shared} is named {outputs[shared.resolve()]} times.")
        else:
            yield job


def _spoilt(job: BatchJob, problem: str) -> BatchJob:
    return BatchJob(job.name, job.blend, job.speech, job.outputs, problem)


def _bad_list(path: Path, reason: str) -> UniTalkerError:
    return UniTalkerError("batch.jobs", f"{path} is no list of jobs: {reason}.", _HINT)
