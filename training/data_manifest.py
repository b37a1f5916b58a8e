"""Which data a training uses, so that it is not taken up again with others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from training.datasets.clip import Split
from training.datasets.corpus import Corpus

MANIFEST_FILE = "data.json"
_SPLITS: tuple[Split, ...] = ("train", "val")

Manifest = dict[str, dict[str, int]]
"""By data set, the size in bytes of each of its files."""


def data_manifest(corpus: Corpus) -> Manifest:
    """Files of the clips that a training uses, and of the lists and templates beside them; none is read."""
    return {name: set_manifest(corpus, name, _SPLITS) for name in corpus.names}


def set_manifest(corpus: Corpus, name: str, splits: tuple[Split, ...]) -> dict[str, int]:
    """The same of one data set and some of its splits."""
    folder = corpus.folder_of(name)
    files = {path for split in splits for path in corpus.files(name, split)}
    # A list may name files elsewhere by their whole path.
    return {
        (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix(): path.stat().st_size
        for path in sorted(files)
    }


def digest(manifest: Manifest | dict[str, int]) -> str:
    """A short name for a manifest, the same wherever the data lie."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def write_manifest(manifest: Manifest, run: Path) -> None:
    """Keeps it with a run, to tell later what has changed."""
    with atomic_write(run / MANIFEST_FILE) as file:
        file.write(json.dumps(manifest, indent=0).encode())


def check_unchanged(now: Manifest, then: str, run: Path) -> None:
    """Whether the data are those that a run began with.

    Args:
        now: manifest of the data as they are.
        then: digest of those in the checkpoint.
        run: folder with the manifest of its beginning.

    Raises:
        UniTalkerError: they are not; says what changed.
    """
    if digest(now) == then:
        return
    try:
        before: Manifest = json.loads((run / MANIFEST_FILE).read_text(encoding="utf-8"))
        changes = _changes(before, now)
    except (OSError, ValueError, AttributeError) as error:
        changes = [f"how, cannot be told without {run / MANIFEST_FILE} ({error})"]
    raise UniTalkerError(
        "run.data_changed",
        f"The data are not those that {run} began with: {'; '.join(changes)}.",
        "Bring the data back as they were, or begin a new run with unitalker train run.",
    )


def _changes(before: Manifest, now: Manifest) -> list[str]:
    """For each data set and kind of change how many files it concerns, and the first of them."""
    changes = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, {}), now.get(name, {})
        kinds = {
            "missing": [file for file in old if file not in new],
            "new": [file for file in new if file not in old],
            "of another size": [file for file in old if file in new and old[file] != new[file]],
        }
        for kind, files in kinds.items():
            if files:
                more = f" and {len(files) - 1} more" if len(files) > 1 else ""
                changes.append(f"{name}: {files[0]}{more} {'is' if len(files) == 1 else 'are'} {kind}")
    return changes
