"""One at a time, across processes: two Blenders do not write into one folder together."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class FolderLock:
    """A lock on a folder; the operating system lets go of it when the process ends, however it ends.

    Args:
        folder: what is locked; the lock is a file beside it.

    Raises:
        BlockingIOError: another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._file = folder.with_name(f"{folder.name}.lock").open("a+b")
        try:
            self._take()
        except OSError as error:
            self._file.close()
            raise BlockingIOError(f"{folder} is locked") from error

    def release(self) -> None:
        """Let go; the file stays, since another process may wait on it."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _take(self) -> None:
        if sys.platform == "win32":
            self._file.seek(0)
            msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
