"""What is run, in which order, to make an environment: by uv, by venv and pip, or by pip alone."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import UniTalkerError
from .installed_environment import Method
from .torch_build import TorchBuild

# Of the Python that Blender embeds, of a user's start-up, or of pip: none of them fits the new environment.
_NOT_INHERITED = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV", "PIP_USER")

_PIP_WITH_PROGRESS = "pip>=24.1"  # the first whose progress can be read by a program
_OTHERS_DOWNLOAD = 90 * 10**6  # bytes of everything but torch, roughly
_TEMPORARY = "tmp"
_VENV = "venv"
_PACKAGES = "packages"
_TOOLS = "tools"


@dataclass(frozen=True)
class Step:
    """One program to run.

    Attributes:
        doing: what it does, as the beginning of a sentence.
        arguments: program and arguments.
        download: bytes that it fetches, roughly.
        share: of the whole work, for the progress bar.
    """

    doing: str
    arguments: tuple[str, ...]
    download: int
    share: float


@dataclass(frozen=True)
class Sources:
    """Where packages come from.

    Attributes:
        requirements: what is installed, torch first.
        build: which torch.
        wheels: folder of wheels that takes the place of the network; None for the network.
    """

    requirements: tuple[str, ...]
    build: TorchBuild
    wheels: Path | None = None


def find_uv(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The uv program, also where its installer puts it, which the PATH of a desktop program may not name."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    found = shutil.which(name, path=environ.get("PATH", ""))
    candidates = [Path(found)] if found else []
    candidates += [Path.home() / folder / name for folder in (".local/bin", ".cargo/bin")]
    return next((path for path in candidates if path.is_file()), None)


def find_methods(uv: Path | None) -> list[Method]:
    """The ways to make an environment that there are here, the best first.

    Judged by the Python that runs this, since that is the one the environment is made of.

    Raises:
        UniTalkerError: ``install.no_tool``.
    """
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    methods: list[Method] = ["uv"] if uv else []
    methods += ["venv"] if has_ensurepip and importlib.util.find_spec("venv") else []
    methods += ["target"] if has_ensurepip or importlib.util.find_spec("pip") else []
    if not methods:
        raise UniTalkerError(
            "install.no_tool",
            f"The Python of this Blender ({sys.executable}) has neither venv nor pip, and there is no uv.",
            "On Debian and Ubuntu: sudo apt install python3-venv; or install uv; or choose an existing Python.",
        )
    return methods


def child_environment(folder: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Environment variables of the programs that are run.

    The user's pip and uv configuration stays in force: mirrors, proxies and certificates are named there.
    """
    kept = {name: value for name, value in inherited.items() if name not in _NOT_INHERITED}
    temporary = str(folder / _TEMPORARY)  # on the disk that is judged, and gone with the environment
    return kept | {
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "NO_COLOR": "1",
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
    }


def temporary_folder(folder: Path) -> Path:
    """Where the programs keep what they unpack; deleted at the end."""
    return folder / _TEMPORARY


def interpreter(method: Method, folder: Path) -> tuple[str, tuple[str, ...]]:
    """Python and import folders of a finished environment, relative to its folder as a record has them."""
    if method == "target":
        return sys.executable, (_PACKAGES,)
    return str(_venv_python(folder).relative_to(folder)), ()


def make_steps(method: Method, folder: Path, sources: Sources, uv: Path | None) -> list[Step]:
    """All programs to run, the first of which makes the environment itself."""
    if method == "uv":
        assert uv
        return _uv_steps(str(uv), folder, sources)
    if method == "venv":
        return _venv_steps(folder, sources)
    return _target_steps(folder, sources)


def _uv_steps(uv: str, folder: Path, sources: Sources) -> list[Step]:
    make = (uv, "venv", "--allow-existing", "--python", sys.executable, str(folder / _VENV))
    install = (uv, "pip", "install", "--python", str(_venv_python(folder)))
    return [Step("Making the environment", make, 0, 0.02), *_package_steps(install, sources, sources.requirements)]


def _venv_steps(folder: Path, sources: Sources) -> list[Step]:
    make = (sys.executable, "-m", "venv", str(folder / _VENV))
    pip = (str(_venv_python(folder)), "-m", "pip", "install")
    renew = [] if sources.wheels else [Step("Getting pip", (*pip, "--upgrade", _PIP_WITH_PROGRESS), 2 * 10**6, 0.03)]
    install = pip if sources.wheels else (*pip, "--progress-bar", "raw")
    return [
        Step("Making the environment", make, 0, 0.04),
        *renew,
        *_package_steps(install, sources, sources.requirements),
    ]


def _target_steps(folder: Path, sources: Sources) -> list[Step]:
    """Pip alone unpacks into a folder; it never sees what is there, so torch is not asked for twice."""
    own = (*_own_pip(), "install")
    steps = []
    if not sources.wheels:
        get = (*own, "--upgrade", "--target", str(folder / _TOOLS), _PIP_WITH_PROGRESS)
        steps = [Step("Getting pip", get, 2 * 10**6, 0.03)]
        own = (sys.executable, str(folder / _TOOLS / "pip"), "install", "--progress-bar", "raw")
    install = (*own, "--upgrade", "--target", str(folder / _PACKAGES))
    return [*steps, *_package_steps(install, sources, sources.requirements[1:])]


def _package_steps(install: Sequence[str], sources: Sources, others: Sequence[str]) -> list[Step]:
    torch = sources.requirements[0]
    if sources.wheels:
        everything = (*install, "--no-index", "--find-links", str(sources.wheels), *sources.requirements)
        return [Step("Installing the wheels", everything, 0, 0.9)]
    index = ("--index-url", sources.build.index) if sources.build.index else ()
    torch_download = max(1, sources.build.download - _OTHERS_DOWNLOAD)
    return [
        Step("Installing torch", (*install, *index, torch), torch_download, 0.6),
        Step("Installing the other packages", (*install, *others), _OTHERS_DOWNLOAD, 0.25),
    ]


def _venv_python(folder: Path) -> Path:
    return folder / _VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _own_pip() -> tuple[str, ...]:
    """Pip of the Python that runs this, else the one that comes with it as a wheel; nothing is written there."""
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip")
    bundled = importlib.util.find_spec("ensurepip")
    assert bundled and bundled.origin
    wheel = max((Path(bundled.origin).parent / "_bundled").glob("pip-*.whl"))
    return (sys.executable, str(wheel / "pip"))
