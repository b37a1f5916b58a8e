"""Environments that the add-on made for the backend: where they lie, what is known of each, which one is used.

Each is a folder of its own in the user's data folder, outside the extension, so that an update of the extension
leaves it alone. Its name says which requirements it was made for and which Python; its record says whether it is whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

RECORD_FILE = "environment.json"

Method = Literal["uv", "venv", "target"]
State = Literal["partial", "ready"]


@dataclass(frozen=True)
class Record:
    """What is written into an environment's folder.

    Attributes:
        state: ``partial`` from the first moment, ``ready`` once everything has been installed and imported.
        method: what made it.
        device: what its torch was built for: ``cpu``, ``cuda`` or ``mps``.
        requirements: `requirements_tag` of what was installed.
        python: interpreter, relative to the folder when it lies inside.
        packages: folders for the import path, relative to the folder; empty for a virtual environment.
    """

    state: State
    method: Method
    device: str
    requirements: str
    python: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Environment:
    """An environment on disk; `record` is None when there is none, or when it cannot be read."""

    folder: Path
    record: Record | None

    @property
    def ready(self) -> bool:
        """Whether it was completed and its interpreter is still there."""
        return self.record is not None and self.record.state == "ready" and self.python.is_file()

    @property
    def python(self) -> Path:
        """The interpreter; a path that does not exist when the record is missing."""
        return self.folder / (self.record.python if self.record else "python")

    @property
    def packages(self) -> tuple[Path, ...]:
        """Folders for the import path."""
        return tuple(self.folder / name for name in self.record.packages) if self.record else ()


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's data folder for this program, as each system wants it; it need not exist."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "unitalker"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "unitalker"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "unitalker"


def environments_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds the environments."""
    return data_folder(environ) / "env"


def requirements_tag(requirements: Sequence[str]) -> str:
    """Eight letters that change when the requirements do."""
    return hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]


def python_tag(version: tuple[int, int] = sys.version_info[:2]) -> str:
    """The Python that an environment is for, as wheels name it: ``cp311``."""
    return f"cp{version[0]}{version[1]}"


def environment_folder(requirements: Sequence[str], environ: Mapping[str, str] = os.environ) -> Path:
    """Where the environment for these requirements and this Python belongs."""
    return environments_folder(environ) / f"{requirements_tag(requirements)}-{python_tag()}"


def read_environment(folder: Path) -> Environment:
    """What is known of one environment; a record that cannot be read counts as none."""
    try:
        data = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        return Environment(folder, _record(data))
    except (OSError, ValueError, TypeError, KeyError):
        return Environment(folder, None)


def write_record(folder: Path, record: Record) -> None:
    """Write the record of an environment, so that a reader sees the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{RECORD_FILE}.new"
    temporary.write_text(json.dumps(dataclasses.asdict(record), indent=1), encoding="utf-8")
    temporary.replace(folder / RECORD_FILE)


def list_environments(environ: Mapping[str, str] = os.environ) -> list[Environment]:
    """Every environment there is, partial ones too, by name."""
    root = environments_folder(environ)
    if not root.is_dir():
        return []
    return [read_environment(folder) for folder in sorted(root.iterdir()) if folder.is_dir()]


def find_environment(requirements: Sequence[str], environ: Mapping[str, str] = os.environ) -> Environment | None:
    """The environment to use: for these requirements and ready; one of this Python's version goes first.

    One that another Blender made serves as well, since the backend is a process of its own.
    """
    tag = requirements_tag(requirements)
    usable = [found for found in list_environments(environ) if found.ready and _requirements(found) == tag]
    usable.sort(key=lambda found: not found.folder.name.endswith(f"-{python_tag()}"))
    return usable[0] if usable else None


def remove_environment(folder: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Delete an environment. Renamed first: what is left of a deletion that was interrupted is never used.

    Raises:
        OSError: it cannot be deleted, e.g. because its Python runs on Windows.
        ValueError: the folder is none of the environments.
    """
    if folder.parent != environments_folder(environ):
        raise ValueError(f"{folder} is not one of the environments in {environments_folder(environ)}")
    doomed = folder.with_name(f"{folder.name}.removed")
    if doomed.exists():
        shutil.rmtree(doomed)
    folder.rename(doomed)
    (doomed / RECORD_FILE).unlink(missing_ok=True)
    shutil.rmtree(doomed)


def files_size(folder: Path) -> int:
    """Bytes that the files in a folder take."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _requirements(environment: Environment) -> str:
    return environment.record.requirements if environment.record else ""


def _record(data: dict[str, Any]) -> Record:
    packages = data.pop("packages")
    record = Record(packages=tuple(packages), **data)
    if not all(isinstance(value, str) for value in (record.python, *record.packages)):
        raise TypeError("the record's paths are not text")
    return record
