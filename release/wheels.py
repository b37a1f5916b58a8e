"""The wheels that the extension carries: downloaded with pip once, every file checked against `pins.txt`."""

from __future__ import annotations

import hashlib
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

PINS = Path(__file__).with_name("pins.txt")

PYTHONS = ("3.11", "3.13")
"""Of Blender 4.2 to 5.0, and from 5.1 on; Blender installs the wheels that fit its own."""

PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "macos-arm64": ("macosx_14_0_arm64",),
    "windows-x64": ("win_amd64",),
}
"""What Blender calls a platform, and the tags that pip is to take for it. Blender itself wants glibc 2.28; macOS 14 is
what ONNX Runtime's wheels ask for."""

_SYSTEMS = {"darwin": "macos", "win32": "windows"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}


def this_platform() -> str:
    """The name that Blender has for this machine's platform."""
    machine = platform.machine().lower()
    return f"{_SYSTEMS.get(sys.platform, 'linux')}-{_MACHINES.get(machine, machine)}"


Run = Callable[[Sequence[str | Path]], None]


def collect(target: str, cache: Path, run: Run, python: Path) -> list[Path]:
    """The wheels for a platform, all Pythons together, each once; the network is used when the cache has none.

    Args:
        target: one of `PLATFORMS`.
        cache: folder of what was downloaded before; a change of the pins makes a new one in it.
        run: runs a command and raises when it fails.
        python: a Python with pip; which one does not matter.
    """
    wheels: dict[str, Path] = {}
    for version in PYTHONS:
        digest = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
        folder = cache / f"{target}-{version}-{digest}"
        if not folder.is_dir():
            _download(target, version, folder, run, python)
        wheels |= {wheel.name: wheel for wheel in sorted(folder.glob("*.whl"))}
    return list(wheels.values())


def _download(target: str, version: str, folder: Path, run: Run, python: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        files = Path(temporary) / "wheels"
        tags = [word for tag in PLATFORMS[target] for word in ("--platform", tag)]
        options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--implementation", "cp"]
        pip = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        run([*pip, *options, "--python-version", version, *tags, "--requirement", PINS, "--dest", files])
        files.rename(folder)
