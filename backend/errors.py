"""The one exception type whose text is meant for the person at the keyboard."""

from __future__ import annotations


class UniTalkerError(Exception):
    """Something the user can act on.

    Args:
        code: stable dotted identifier for programs, e.g. ``audio.not_found``.
        message: what was wrong, naming the file or value.
        hint: what to do about it.

    Attributes:
        exit_code: of a command that ends with it.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code = code
        self.message = message
        self.hint = hint


class Cancelled(Exception):  # noqa: N818 - not an error
    """Raised by a progress callback to stop the work that reports to it."""
