"""What a data set that is being made holds already, line by line, so that an interrupted run can go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backend.errors import UniTalkerError

JOURNAL_FILE = "journal.jsonl"
TEACHER_FILE = "teacher.safetensors"
"""Made before the first clip, which it labels."""


class Journal:
    """Entries of one run, kept in a file of the data set's folder until the set is complete.

    Args:
        folder: of the data set; `check_folder` says which.
        settings: everything that decides what comes out; an interrupted run only goes on with the same.

    Raises:
        UniTalkerError: the folder was begun with other settings, or holds something else.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._path = folder / JOURNAL_FILE
        self.entries: list[dict[str, Any]] = []
        self.resumed = self._path.is_file()
        first = {"settings": json.loads(json.dumps(settings))}
        if not self.resumed:
            check_folder(folder)
            folder.mkdir(parents=True, exist_ok=True)
            self.add(first)
            return
        whole = [line for line in self._path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
        self.entries = [json.loads(line) for line in whole]
        if not self.entries or self.entries[0] != first:
            raise UniTalkerError(
                "data.output",
                f"{folder} was begun with other settings.",
                "Give the same options to go on, or name a new folder.",
            )
        self._path.write_text("".join(whole), "utf-8")

    def add(self, entry: dict[str, Any]) -> None:
        """Appends an entry, at once on disk."""
        self.entries.append(entry)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def find(self, kind: str) -> list[Any]:
        """The entries of a kind, in order."""
        return [entry[kind] for entry in self.entries if kind in entry]

    def close(self) -> None:
        """Removes the file: the data set is complete."""
        self._path.unlink()


def check_folder(folder: Path) -> None:
    """Raises unless a data set can be made here: in a new or empty folder, or one of an interrupted run.

    Raises:
        UniTalkerError: the folder holds something else.
    """
    held = {file.name for file in folder.iterdir()} if folder.exists() else set()
    if held - {TEACHER_FILE} and JOURNAL_FILE not in held:
        raise UniTalkerError("data.output", f"{folder} is not empty.", "Name a new folder for the data set.")
