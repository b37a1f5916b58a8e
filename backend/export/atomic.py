"""Output files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from backend.errors import UniTalkerError

_HINT = "Choose another folder or name, or free some space."


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` when the block ends, and vanishes when it fails.

    It is written under a temporary name in the same folder and then renamed, so that a reader never sees half of it.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    check_writable(path)
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise UniTalkerError("output.unwritable", f"Cannot write {path}: {error.strerror}.", _HINT) from error
    finally:
        partial.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Find out before the work what would stop the writing after it.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    folder = path.parent
    if not folder.is_dir():
        raise UniTalkerError(
            "output.unwritable", f"Cannot write {path}: there is no folder {folder}.", "Make it first."
        )
    if path.is_dir():
        raise UniTalkerError("output.unwritable", f"Cannot write {path}: it is a folder.", "Name a file in it.")
    if not os.access(folder, os.W_OK):
        raise UniTalkerError("output.unwritable", f"Cannot write {path}: the folder does not allow it.", _HINT)
