"""The packages that came in the extension's zip: Blender unpacks them for its own Python, which can run the backend.

Blender puts the folder into which it unpacks the wheels of all extensions (``.local`` of the extensions' folder) on its
own import path; there they are looked for, and nothing is imported.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Iterator
from pathlib import Path

from .errors import UniTalkerError

CARRIED_PACKAGES = ("onnxruntime", "numpy", "soundfile", "soxr", "pydantic")
"""What the backend imports when there is no torch; numpy is Blender's own."""


def unpacked_folders(wheels: Path) -> tuple[Path, ...]:
    """The folders of Blender's import path that hold the packages, in its order.

    Args:
        wheels: the extension's folder of wheels, for the message about what does not fit.

    Raises:
        UniTalkerError: ``backend.wheels``, naming the packages that are missing.
    """
    found = {name: _folder_of(name) for name in CARRIED_PACKAGES}
    missing = [name for name, folder in found.items() if folder is None]
    if missing:
        made_for = ", ".join(sorted(_tags(wheels, missing))) or "nothing"
        raise UniTalkerError(
            "backend.wheels",
            f"The extension's packages {', '.join(missing)} do not fit here: they are made for {made_for}; this is "
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}.",
            "Install the zip for this system, or press Install Backend in Edit > Preferences > Add-ons > UniTalker.",
        )
    return tuple(dict.fromkeys(folder for folder in found.values() if folder is not None))


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent.parent if spec.submodule_search_locations else origin.parent


def _tags(wheels: Path, packages: list[str]) -> Iterator[str]:
    """What the wheels of the packages are made for, e.g. ``cp311-cp311-win_amd64``."""
    for name in packages:
        for wheel in wheels.glob(f"{name}-*.whl"):
            yield wheel.stem.split("-", 2)[2]
