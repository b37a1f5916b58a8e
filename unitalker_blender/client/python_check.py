"""Is a Python fit to run the backend? Asked of that Python itself."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .command_process import CommandProcess
from .environment import BackendCommand
from .errors import UniTalkerError

OLDEST_PYTHON = (3, 11)

_PROBE = Path(__file__).with_name("python_probe.py")


@dataclass(frozen=True)
class PythonCheck:
    """What a Python said of itself.

    Attributes:
        python: the interpreter.
        version: e.g. ``3.11.7``.
        packages: name → version, of those that can be imported.
        problems: name → what is wrong, of the others.
        devices: what its torch computes on; empty without torch.
    """

    python: Path
    version: str
    packages: dict[str, str]
    problems: dict[str, str]
    devices: tuple[str, ...]

    @property
    def old(self) -> bool:
        """Whether it is older than the backend can use."""
        return tuple(int(part) for part in self.version.split(".")[:2]) < OLDEST_PYTHON

    @property
    def fit(self) -> bool:
        """Whether the backend runs in it."""
        return not self.old and not self.problems

    def summary(self) -> str:
        """One sentence for the user."""
        if self.old:
            return f"Python {self.version} is too old: {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer is needed."
        if self.problems:
            listed = "; ".join(f"{name}: {reason}" for name, reason in self.problems.items())
            return f"Python {self.version} cannot run the backend yet: {listed}."
        torch = f" with torch {self.packages['torch']} ({', '.join(self.devices)})" if "torch" in self.packages else ""
        return f"Python {self.version}{torch} is ready."


class CheckRun:
    """Asks a Python about itself, in steps; importing torch takes seconds.

    Args:
        command: the interpreter with its import path.
        packages: what has to be importable; what the command needs if left out.
    """

    def __init__(self, command: BackendCommand, packages: Sequence[str] | None = None) -> None:
        self.result: PythonCheck | None = None
        self._python = command.python
        self._said: list[str] = []
        self._process = CommandProcess(
            [str(command.python), str(_PROBE), *(packages or command.needs)],
            command.environment(os.environ),
            command.root,
        )

    def step(self, wait: float = 0.0) -> bool:
        """Go on; True when `result` is there.

        Raises:
            UniTalkerError: ``python.unusable`` when it is no Python, or one that does not work.
        """
        self._said.extend(self._process.lines(wait))
        if self._process.exit_code() is None:
            return False
        self.result = _read(self._python, self._said)
        return True

    def stop(self) -> None:
        """End it early."""
        self._process.kill()


def _read(python: Path, said: Sequence[str]) -> PythonCheck:
    try:
        answer: dict[str, Any] = json.loads(next(line for line in reversed(said) if line.startswith("{")))
        packages: dict[str, dict[str, str]] = answer["packages"]
        version = ".".join(str(part) for part in answer["version"])
    except (StopIteration, ValueError, KeyError) as error:
        last = next((line for line in reversed(said) if line.strip()), "nothing")
        raise UniTalkerError(
            "python.unusable",
            f"{python} does not answer like a Python; it said: {last}",
            "Choose a Python program, such as /home/me/unitalker/bin/python or C:\\unitalker\\python.exe.",
        ) from error
    return PythonCheck(
        python,
        version,
        {name: found["version"] for name, found in packages.items() if not found["error"]},
        {name: found["error"] for name, found in packages.items() if found["error"]},
        tuple(answer["devices"]),
    )
