"""Which Python runs the backend, where the backend lies, and what its process inherits."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .carried_wheels import CARRIED_PACKAGES, unpacked_folders
from .errors import UniTalkerError
from .installed_environment import find_environment

PYTHON_VARIABLE = "UNITALKER_PYTHON"

BACKEND_REQUIREMENTS = (
    "torch>=2.4",
    "transformers>=5.0",
    "numpy>=1.26",
    "safetensors>=0.4.3",
    "soundfile>=0.12.1",
    "soxr>=0.5",
    "pydantic>=2.7",
    "typer>=0.15",
    "rich>=13.7",
)
"""The project's own list of dependencies: what *Install Backend* installs."""

BACKEND_PACKAGES = tuple(requirement.partition(">=")[0] for requirement in BACKEND_REQUIREMENTS)
"""What the backend imports, by name, for the message that says what to install."""

# Of the Python that Blender embeds, or of a user's start-up: none of them fits another interpreter.
_NOT_INHERITED = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP")


@dataclass(frozen=True)
class BackendCommand:
    """How to start the backend.

    Attributes:
        python: the interpreter.
        root: folder that contains the `backend` package and `assets`.
        packages: more folders for the import path, for an interpreter that does not know its packages by itself.
        needs: packages that it has to have.
    """

    python: Path
    root: Path
    packages: tuple[Path, ...] = ()
    needs: tuple[str, ...] = BACKEND_PACKAGES

    def arguments(self) -> list[str]:
        return [str(self.python), "-m", "backend", "serve"]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The child's environment variables.

        The user's own packages (`pip install --user`) stay visible on purpose: the interpreter is one the user
        chose, and it should find here what it finds in a terminal. Blender's own Python does not see them either.
        """
        kept = {name: value for name, value in inherited.items() if name not in _NOT_INHERITED}
        alone = {"PYTHONNOUSERSITE": "1"} if self.carried else {}
        path = os.pathsep.join(map(str, (self.root, *self.packages)))
        return kept | alone | {"PYTHONPATH": path, "PYTHONUTF8": "1"}

    @property
    def carried(self) -> bool:
        """Whether it is Blender's own Python with the packages that came in the extension's zip."""
        return self.needs == CARRIED_PACKAGES

    def repair_hint(self) -> str:
        """How to make the interpreter fit for the backend."""
        if self.carried:
            return (
                "Install the extension again from the zip for this system, "
                "or press Install Backend in Edit > Preferences > Add-ons > UniTalker."
            )
        return (
            f'Install what it needs ("{self.python}" -m pip install {" ".join(self.needs)}), '
            "or choose another Python in Edit > Preferences > Add-ons > UniTalker."
        )


def resolve_command(preference: str, addon_folder: Path, environ: Mapping[str, str] = os.environ) -> BackendCommand:
    """Find the backend and the Python that runs it.

    In this order: the Python that somebody named, what *Install Backend* made, a development checkout's, and Blender's
    own with the packages of the extension's zip.

    Args:
        preference: the Python set in the preferences, empty for none.
        addon_folder: the folder of this add-on.
        environ: where ``UNITALKER_PYTHON`` is looked up.

    Raises:
        UniTalkerError: ``backend.not_found``, ``backend.no_python``, ``backend.python_not_found`` or
            ``backend.wheels``.
    """
    root = backend_root(addon_folder)
    chosen = _chosen_python(preference, environ)
    if chosen is not None:
        return BackendCommand(chosen, root)
    installed = find_environment(BACKEND_REQUIREMENTS, environ)
    if installed is not None:
        return BackendCommand(installed.python, root, installed.packages)
    own = _checkout_python(root)
    if own is not None:
        return BackendCommand(own, root)
    wheels = root / "wheels"
    if wheels.is_dir() and sys.executable:
        return BackendCommand(Path(sys.executable), root, unpacked_folders(wheels), CARRIED_PACKAGES)
    raise UniTalkerError(
        "backend.no_python",
        "No Python is set to run the backend.",
        "Press Install Backend in Edit > Preferences > Add-ons > UniTalker, or choose there, or in the environment "
        f"variable {PYTHON_VARIABLE}, a Python 3.11 or newer with: pip install {' '.join(BACKEND_PACKAGES)}",
    )


def backend_root(addon_folder: Path) -> Path:
    """The folder that holds `backend` and `assets`: the extension itself when installed, else the checkout."""
    for folder in (addon_folder, addon_folder.parent):
        if (folder / "backend" / "__main__.py").is_file():
            return folder
    raise UniTalkerError(
        "backend.not_found",
        f"The backend is missing: there is no folder 'backend' in {addon_folder}.",
        "Install the extension again from its zip file.",
    )


def _chosen_python(preference: str, environ: Mapping[str, str]) -> Path | None:
    """The interpreter that somebody named: the preference, else ``UNITALKER_PYTHON``."""
    for value, where in ((preference, "the add-on's preferences"), (environ.get(PYTHON_VARIABLE, ""), PYTHON_VARIABLE)):
        if value.strip():
            return _existing(Path(value.strip()).expanduser(), where)
    return None


def _checkout_python(root: Path) -> Path | None:
    """The interpreter of a development checkout."""
    candidates = [root / ".venv" / relative for relative in ("bin/python", "Scripts/python.exe")]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _existing(python: Path, where: str) -> Path:
    if python.is_file():
        # Made absolute but not resolved: the link in a virtual environment is what makes it that environment.
        return Path(os.path.abspath(python))  # noqa: PTH100
    raise UniTalkerError(
        "backend.python_not_found",
        f"There is no Python at {python}, which {where} names.",
        "Give the full path of a Python program, such as /home/me/unitalker/bin/python or C:\\unitalker\\python.exe.",
    )
