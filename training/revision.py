"""Which version of this program trained a model."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

_TIMEOUT = 10


@cache
def git_revision() -> str | None:
    """Commit of this program's checkout, with ``-dirty`` behind it when files differ; ``None`` outside of one."""
    # Installed into an environment inside of another project's checkout, the files here are not tracked there.
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name)
    return tracked and _git("describe", "--always", "--dirty", "--exclude=*", "--abbrev=40")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments], capture_output=True, text=True, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
