"""What is told to the person at the keyboard when something cannot be done."""

from __future__ import annotations


class UniTalkerError(Exception):
    """Something the user can act on; the same three fields as the backend's `error` event.

    Args:
        code: stable dotted identifier for programs, e.g. ``target.no_shape_keys``.
        message: what was wrong, naming the file or value.
        hint: what to do about it.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code = code
        self.message = message
        self.hint = hint
