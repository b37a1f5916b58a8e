"""What pip and uv print while they install: how far they are, and why they failed."""

from __future__ import annotations

import re
from collections import deque

from .errors import UniTalkerError

_LINES_KEPT = 60
_DOWNLOADED_SHARE = 0.8  # of a step; the rest is unpacking

_RAW_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)$")
_PIP_FILE = re.compile(r"^(Downloading|Using cached|Processing) (?:\S*/)?([^\s/]+?)-[^\s/]*\.whl(?: \((.+)\))?$")
_UV_FILE = re.compile(r"^Downloading (\S+) \((.+)\)$")
_UV_FILE_DONE = re.compile(r"^Downloaded (\S+)$")
_UNPACKING = re.compile(r"^(?:Installing collected packages: (?P<names>.+)|Prepared (?P<count>\d+) packages?.*)$")
_SIZE = re.compile(r"^([\d.]+) ?([kKMG]i?)?B$")
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

# First match wins: a full disk or a missing network also makes the later ones appear.
_CAUSES: tuple[tuple[str, str, str, str], ...] = (
    (
        r"No space left on device|\[Errno 28\]|os error 28\b|not enough space on the disk|os error 112\b",
        "install.disk_full",
        "The disk is full.",
        "Make room, then press Resume; what has been downloaded is used again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer",
        "install.certificate",
        "The certificate of the package server is not trusted on this machine.",
        "Behind a company's proxy, set its certificate in pip's configuration (`pip config set global.cert FILE`), "
        "or install from a folder of wheels.",
    ),
    (
        r"ProxyError|407 Proxy Authentication",
        "install.proxy",
        "The proxy refuses the connection.",
        "Set the proxy in the environment variable HTTPS_PROXY, or install from a folder of wheels.",
    ),
    (
        r"name resolution|Name or service not known|getaddrinfo failed|nodename nor servname|NewConnectionError"
        r"|Failed to establish a new connection|NameResolutionError|Network is unreachable|Connection refused"
        r"|Connection reset|timed out|ConnectTimeout|dns error|error sending request|client error \(Connect\)",
        "install.network",
        "The package server cannot be reached.",
        "Check the network, then press Resume; or install from a folder of wheels.",
    ),
    (
        r"DO NOT MATCH THE HASHES|[Hh]ash mismatch|BadZipFile|invalid [Zz]ip",
        "install.damaged",
        "A downloaded package is damaged.",
        "Press Repair to download it again.",
    ),
    (
        r"Permission denied|\[Errno 13\]|Access is denied|os error 5\b",
        "install.permission",
        "A file may not be written.",
        "Close other programs that use the environment, then press Resume.",
    ),
)
_NO_PACKAGE = re.compile(
    r"No matching distribution found for ([^\s(]+)|Because (?:there are no versions of )?(\S+) was not found"
    r"|there are no versions of (\S+)"
)


class InstallOutput:
    """Follows one run of pip or uv.

    Args:
        expected: bytes that this run downloads, roughly.

    Attributes:
        text: what is being done, for the user.
    """

    def __init__(self, expected: int) -> None:
        self.text = ""
        self._expected = max(1, expected)
        self._done = 0
        self._current = 0
        self._unpacking = False
        self._sizes: dict[str, int] = {}
        self._kept: deque[str] = deque(maxlen=_LINES_KEPT)

    @property
    def fraction(self) -> float:
        """How much of this run is done, 0 to 1."""
        if self._unpacking:
            return _DOWNLOADED_SHARE + (1 - _DOWNLOADED_SHARE) / 4
        return _DOWNLOADED_SHARE * min(1.0, (self._done + self._current) / self._expected)

    def feed(self, line: str) -> None:
        """One line of output."""
        line = line.strip()
        progress = _RAW_PROGRESS.match(line)
        if progress:
            self._current = int(progress[1])
            return
        self._kept.append(line)
        if found := _PIP_FILE.match(line):
            self._next_file(found[1] == "Downloading", found[2], parse_size(found[3] or ""))
        elif found := _UV_FILE.match(line):
            self._sizes[found[1]] = parse_size(found[2])
            self.text = f"Downloading {found[1]} ({self._sizes[found[1]] / 1e6:.1f} MB)"
        elif found := _UV_FILE_DONE.match(line):
            self._done += self._sizes.get(found[1], 0)
        elif found := _UNPACKING.match(line):
            count = int(found["count"]) if found["count"] else len(found["names"].split(","))
            self._unpacking = True
            self.text = f"Unpacking {count} packages"

    def failure(self, doing: str, offline: bool) -> UniTalkerError:
        """Why it failed, from its own words.

        Args:
            doing: what failed, as the beginning of a sentence.
            offline: whether a folder of wheels was the only source.
        """
        said = "\n".join(self._kept)
        for pattern, code, message, hint in _CAUSES:
            if not (offline and code == "install.network") and re.search(pattern, said):
                return UniTalkerError(code, f"{doing} failed. {message}", hint)
        missing = _NO_PACKAGE.search(said)
        if missing:
            return _no_package(doing, next(name for name in missing.groups() if name), offline)
        return UniTalkerError("install.failed", f"{doing} failed: {self._last_words()}", "Press Resume or Repair.")

    def log(self) -> str:
        """The last lines, for the console."""
        return "\n".join(self._kept)

    def _next_file(self, fetched: bool, name: str, size: int) -> None:
        self._done, self._current = self._done + self._current, 0 if fetched else size
        self.text = f"Downloading {name} ({size / 1e6:.1f} MB)" if fetched and size else f"Reading {name}"

    def _last_words(self) -> str:
        errors = [line for line in self._kept if line.lower().startswith("error")]
        return (errors or [line for line in self._kept if line] or ["it said nothing"])[-1].removeprefix("ERROR: ")


def parse_size(text: str) -> int:
    """Bytes of ``205.1 MB`` or ``180.2MiB``; 0 when it is neither."""
    found = _SIZE.match(text.strip())
    return round(float(found[1]) * _UNITS[found[2] or ""]) if found else 0


def _no_package(doing: str, name: str, offline: bool) -> UniTalkerError:
    if offline:
        return UniTalkerError(
            "install.wheel_missing",
            f"{doing} failed: the folder of wheels has no {name} for this Python and system.",
            "Fill it on a machine like this one with `pip download`, for the same Python version.",
        )
    return UniTalkerError(
        "install.no_package",
        f"{doing} failed: there is no {name} for this Python and system.",
        "Choose an existing Python of another version in these preferences.",
    )
