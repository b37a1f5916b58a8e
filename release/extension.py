"""The extension's folder as it goes into the zip: add-on, backend, assets, wheels, and a manifest that names them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

MANIFEST = "blender_manifest.toml"
ASSETS = ("models", "rigs", "topologies", "presets", "emotions")


def stage(root: Path, folder: Path, platform: str, wheels: Sequence[Path]) -> None:
    """Lay the extension out: the add-on's files beside its manifest, everything else below.

    Args:
        root: the checkout.
        folder: to be filled.
        platform: for which the wheels are, as Blender names it.
        wheels: files to carry along.
    """
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(root / "unitalker_blender", folder, ignore=skip, dirs_exist_ok=True)
    shutil.copytree(root / "backend", folder / "backend", ignore=skip)
    for name in ASSETS:
        shutil.copytree(root / "assets" / name, folder / "assets" / name, ignore=skip)
    shutil.copy2(root / "LICENSE", folder / "LICENSE")
    (folder / "wheels").mkdir()
    for wheel in wheels:
        shutil.copy2(wheel, folder / "wheels" / wheel.name)
    manifest = (root / MANIFEST).read_text(encoding="utf-8")
    (folder / MANIFEST).write_text(with_wheels(manifest, platform, [wheel.name for wheel in wheels]), encoding="utf-8")


def with_wheels(manifest: str, platform: str, wheels: Sequence[str]) -> str:
    """The manifest of one platform's zip."""
    lines = [f'platforms = ["{platform}"]', "wheels = [", *(f'  "./wheels/{name}",' for name in wheels), "]"]
    # Before the first table, to which they would belong otherwise.
    values, table, rest = manifest.partition("\n[")
    return "\n".join([values, *lines]) + "\n" + table + rest
