"""A Blender with a window, and an X server without a screen to show it on.

Which Blender: the program that ``UNITALKER_GUI_BLENDER`` names; else, for root on Debian, Debian's own in a folder of
its own that is made once (`chroot`, about two minutes and 2 GB). Anything else is a reason to skip.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BLENDER_VARIABLE = "UNITALKER_GUI_BLENDER"
SUITE = "trixie"  # Blender 4.3
PACKAGES = (
    *("blender", "xvfb", "xauth", "x11-apps", "libgl1-mesa-dri", "libegl1", "fonts-noto-cjk"),
    *("python3-numpy", "python3-requests", "python3-cattr"),  # that Blender's own scripts import
    "python3-venv",  # for Install Backend
)
SCREEN = (1280, 800)
BUILD_TIMEOUT = 1200

ROOT = Path(__file__).resolve().parents[2]
CHROOT = ROOT / ".venv" / f"gui-{SUITE}-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:8]}"


class NoWindowSystem(Exception):  # noqa: N818
    """Why there is no Blender with a window here."""


@dataclass(frozen=True)
class GuiBlender:
    """A Blender and how it is started.

    Attributes:
        program: the Blender, as it is called where it runs.
        chroot: the root folder in which it runs; None for this machine's own.
        folders: folders of this machine that it has to see.
    """

    program: str
    chroot: Path | None = None
    folders: tuple[Path, ...] = field(default=())

    def command(self, arguments: Sequence[str], folders: Sequence[Path]) -> list[str]:
        """The whole command line: X server, Blender, arguments. `folders` are seen besides its own."""
        screen = f"-screen 0 {SCREEN[0]}x{SCREEN[1]}x24"
        show = ["xvfb-run", "-a", "-s", screen, self.program, *arguments]
        if self.chroot is None:
            return show
        # The mounts belong to a namespace of their own, and are gone with the last process in it.
        script = 'set -e; root=$1; shift; while [ "$1" != -- ]; do mkdir -p "$root$1"; mount --bind "$1" "$root$1"; '
        script += 'shift; done; shift; mount -t proc proc "$root/proc"; exec chroot "$root" "$@"'
        seen = [str(path) for path in (*self.folders, *folders)]
        return ["unshare", "--mount", "bash", "-c", script, "bash", str(self.chroot), *seen, "--", *show]


def find_blender() -> GuiBlender:
    """The Blender to test in.

    Raises:
        NoWindowSystem: with the reason.
    """
    named = os.environ.get(BLENDER_VARIABLE, "")
    if named:
        if not Path(named).is_file():
            raise NoWindowSystem(f"{BLENDER_VARIABLE} names {named}, which is not there")
        missing = [program for program in ("xvfb-run", "xwd") if shutil.which(program) is None]
        if missing:
            raise NoWindowSystem(f"needs {' and '.join(missing)}")
        return GuiBlender(named)
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoWindowSystem(f"needs a Blender with a window: name it in {BLENDER_VARIABLE}, or be root on Debian")
    _make_chroot()
    python = Path(sys.base_prefix)
    return GuiBlender("/usr/bin/blender", CHROOT, (ROOT, python, Path(sys.prefix).resolve()))


def _make_chroot() -> None:
    """Debian's Blender in a folder; made under another name, so that half of it is never used."""
    if CHROOT.exists():
        return
    if shutil.which("debootstrap") is None:
        _must("apt-get", "update", "-qq")
        _must("apt-get", "install", "-y", "--no-install-recommends", "debootstrap")
    building = CHROOT.with_name(f"{CHROOT.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    _must("debootstrap", "--variant=minbase", SUITE, str(building), _mirror())
    shutil.copy("/etc/resolv.conf", building / "etc/resolv.conf")
    script = 'mount -t proc proc "$1/proc"; exec chroot "$1" apt-get install -y --no-install-recommends "${@:2}"'
    _must("unshare", "--mount", "bash", "-c", script, "bash", str(building), *PACKAGES)
    building.rename(CHROOT)


def _mirror() -> str:
    """Where this machine gets its own Debian packages from."""
    for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            words = line.split()
            if words[:1] in (["URIs:"], ["deb"]):
                return next(word for word in words if "://" in word)
    raise NoWindowSystem(f"needs a Blender with a window: name it in {BLENDER_VARIABLE}; this Debian names no mirror")


def _must(*command: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT)
    if done.returncode:
        raise NoWindowSystem(f"{command[0]} failed: {(done.stdout + done.stderr)[-800:]}")
