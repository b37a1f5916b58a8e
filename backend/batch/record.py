"""The journal of a batch: beside each output a small record of what it was made from, so that nothing is done twice.

A record is a file of its own, ``.unitalker/<output>.json`` in the output's folder. Many processes, also on several
machines, can so keep the journal of one folder without a lock, and what was being written when a worker was killed is
simply done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from backend.annotation import FaceMotion
from backend.batch.item import Item, ItemResult
from backend.bundle_manifest import MANIFEST_FILE, WEIGHTS_FILE
from backend.engine import EngineName
from backend.errors import UniTalkerError
from backend.export import write_motion
from backend.export.atomic import check_writable

RECORDS_FOLDER = ".unitalker"

MOTION_VERSION = 1
"""Goes up when the same sound, settings and model come to give another motion, so that old outputs are made anew."""

_ABANDONED = 24 * 3600.0
"""Seconds after which a folder of unfinished files belongs to no run any more."""


def model_hash(folder: Path) -> str:
    """Of everything in a model folder that the motion depends on."""
    return _joined([file_hash(folder / name) for name in (MANIFEST_FILE, WEIGHTS_FILE)])


def file_hash(path: Path) -> str:
    """SHA-256 of the bytes of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_key(item: Item, audio: str, model: str, engine: EngineName) -> str:
    """Hash of what the output depends on: sound, settings, model, engine.

    Args:
        item: its options have to name head and identity.
        audio: hash of the sound file.
        model: from `model_hash`.
        engine: what computes; engines differ in the last digits.
    """
    settings = item.options.as_plain_data() | {"format": item.output.suffix.lower()}
    return _joined([str(MOTION_VERSION), audio, model, engine, json.dumps(settings, sort_keys=True)])


def done_before(item: Item) -> ItemResult | None:
    """What the record says of an item whose output is there, made of the same and unchanged since; else None."""
    try:
        record = json.loads(_record_path(item.output).read_text(encoding="utf-8"))
        if record["key"] != item.key or record["sha256"] != file_hash(item.output):
            return None
        made = int(record["frames"]), float(record["seconds"]), tuple(map(str, record["notes"])), record["quality"]
    # Whatever keeps a record from being read, doing the item again is right.
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ItemResult(item.row, item.audio, item.output, "skipped", *made)


def tries_before(item: Item, run: str) -> int:
    """How often a worker of this run has begun with an item and not ended."""
    try:
        return _tries_path(item, run).stat().st_size
    except OSError:
        return 0


def count_tries(item: Item, run: str) -> int:
    """How often a worker of this run has begun with an item and not ended, this time included.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    _stage(item, run)
    try:
        with _tries_path(item, run).open("ab") as file:
            file.write(b".")
            return file.tell()
    except OSError as error:
        raise _unwritable(item.output, error) from error


def forget_tries(item: Item, run: str) -> None:
    """The item has ended, well or not."""
    _tries_path(item, run).unlink(missing_ok=True)


def deliver(motion: FaceMotion, quality: Mapping[str, float], item: Item, run: str) -> ItemResult:
    """Write the output, whole or not at all, and its record.

    Args:
        motion: the result.
        quality: read-out of it.
        item: what it is the result of.
        run: name of the run, of whose unfinished files `sweep` leaves none.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    result = ItemResult(
        item.row, item.audio, item.output, "done", len(motion.values), motion.duration, motion.notes, quality
    )
    staged = _stage(item, run) / item.output.name
    try:
        write_motion(replace(motion, sound=item.audio.name), staged)
        # The record comes first: it counts only together with the very file that it tells of, so that whatever is
        # killed in between is done again, and what has been put in its place is never written a second time.
        _write_record(result, item, file_hash(staged), staged.with_name(f"{item.output.name}.json"))
        staged.replace(item.output)
    except OSError as error:
        raise _unwritable(item.output, error) from error
    except UniTalkerError as error:
        # The folder for unfinished files is no name that a user knows.
        if not isinstance(error.__cause__, OSError):
            raise
        raise _unwritable(item.output, error.__cause__) from error
    finally:
        staged.unlink(missing_ok=True)
    return result


def _write_record(result: ItemResult, item: Item, output_hash: str, staged: Path) -> None:
    record = {
        "key": item.key,
        "sha256": output_hash,
        "frames": result.frames,
        "seconds": result.seconds,
        "notes": result.notes,
        "quality": result.quality,
        "audio": str(item.audio),
        "settings": item.options.as_plain_data(),
    }
    staged.write_text(json.dumps(record, indent=1), encoding="utf-8")
    staged.replace(_record_path(item.output))


def sweep(folders: set[Path], run: str) -> None:
    """Remove the unfinished files of a run that has ended, and of those that were killed a day ago or longer."""
    for folder in folders:
        for stage in (folder / RECORDS_FOLDER).glob("run-*"):
            if stage.name == run or _age(stage) > _ABANDONED:
                shutil.rmtree(stage, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _stage(item: Item, run: str) -> Path:
    """The folder for unfinished files; the output's own folder is not made, for it may have been removed on purpose."""
    check_writable(item.output)
    stage = _stage_path(item, run)
    try:
        stage.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(item.output, error) from error
    return stage


def _tries_path(item: Item, run: str) -> Path:
    return _stage_path(item, run) / f"{item.output.name}.tries"


def _stage_path(item: Item, run: str) -> Path:
    return item.output.parent / RECORDS_FOLDER / run


def _record_path(output: Path) -> Path:
    return output.parent / RECORDS_FOLDER / f"{output.name}.json"


def _joined(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _unwritable(output: Path, error: OSError) -> UniTalkerError:
    reason = error.strerror or os.strerror(error.errno or 0)
    return UniTalkerError(
        "output.unwritable", f"Cannot write {output}: {reason}.", "Make room or make the folder, and run again."
    )
