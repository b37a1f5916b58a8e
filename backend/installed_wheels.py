"""Whether an installed package was built for this Python and this machine, judged by what its wheel says of itself.

A package for another one is found like any other and fails only when it is imported, with words that name neither.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterator

_SYSTEMS = {"win32": ("win",), "darwin": ("macosx",)}
_LINUX = ("manylinux", "musllinux", "linux")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def misfit(package: str) -> str | None:
    """What is wrong with a package, in words; None when it fits, or when nothing is known of it."""
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    lines = (distribution.read_text("WHEEL") or "").splitlines()
    tags = [line.partition(":")[2].strip() for line in lines if line.startswith("Tag:")]
    if not tags or any(_fits(*tag.split("-", 2)) for tag in tags):
        return None
    return (
        f"{package} {distribution.version} is made for {tags[0]}; "
        f"this is Python {platform.python_version()} on {platform.system()} {platform.machine()}."
    )


def misfits() -> Iterator[str]:
    """`misfit` of everything that is installed."""
    names = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
    for name in sorted(name for name in names if name):
        problem = misfit(name)
        if problem is not None:
            yield problem


def _fits(pythons: str, abi: str, platforms: str) -> bool:
    return _fits_python(pythons, abi) and any(_fits_platform(tag) for tag in platforms.split("."))


def _fits_python(pythons: str, abi: str) -> bool:
    major, minor = sys.version_info[:2]
    names = pythons.split(".")
    if f"py{major}" in names or f"py{major}{minor}" in names or f"cp{major}{minor}" in names:
        return True
    older = [f"cp{major}{number}" for number in range(minor)]
    return "abi3" in abi and any(name in older for name in names)


def _fits_platform(tag: str) -> bool:
    if tag == "any":
        return True
    machine = platform.machine().lower()
    names = {machine, _MACHINES.get(machine, machine), *(old for old, new in _MACHINES.items() if new == machine)}
    same_machine = tag.endswith((*names, "universal2")) or (tag == "win32" and machine == "x86")
    return tag.startswith(_SYSTEMS.get(sys.platform, _LINUX)) and same_machine
