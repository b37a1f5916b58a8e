"""What a job's outputs were made from, kept beside them, so that a second run does not make them again; no bpy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..client.errors import UniTalkerError
from .job_list import BatchJob

RECORDS_FOLDER = ".unitalker"


def job_key(job: BatchJob, blend: Path, *others: str) -> str:
    """Hash of what the outputs depend on: files, settings, and `others`, e.g. the model.

    Args:
        job: what is done.
        blend: the file that is opened; what is linked into it is not looked into.
        others: whatever else counts.

    Raises:
        UniTalkerError: ``batch.file`` when a file cannot be read.
    """
    names = {str(path): path.name for path in job.sources}
    settings = [{key: names.get(str(value), value) for key, value in speech.items()} for speech in job.speech]
    files = [file_hash(path) for path in (blend, *job.sources)]
    suffixes = [output.suffix.lower() for output in job.outputs]
    text = json.dumps([settings, files, suffixes, *others], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of the bytes of a file; UniTalkerError ``batch.file`` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UniTalkerError(
            "batch.file", f"{path} cannot be read: {error.strerror}.", "Correct the list of jobs, and run again."
        ) from error


def is_done(job: BatchJob, key: str) -> bool:
    """Whether all outputs are there, made of the same, and have their sizes still."""
    try:
        record = json.loads(_path(job).read_text(encoding="utf-8"))
        return bool(record["key"] == key and record["bytes"] == _sizes(job.outputs))
    # Whatever keeps a record from being read, doing the job again is right.
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_record(job: BatchJob, key: str) -> None:
    """Keep what the outputs were made from; UniTalkerError ``output.unwritable`` when that cannot be written."""
    path = _path(job)
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(exist_ok=True)
        partial.write_text(json.dumps({"key": key, "bytes": _sizes(job.outputs)}, indent=1), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UniTalkerError(
            "output.unwritable", f"{path} cannot be written: {error.strerror}.", "Make room, and run again."
        ) from error


def _sizes(outputs: Iterable[Path]) -> Sequence[int]:
    return [output.stat().st_size for output in outputs]


def _path(job: BatchJob) -> Path:
    first = job.outputs[0]
    return first.parent / RECORDS_FOLDER / f"{first.name}.json"
