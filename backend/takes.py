"""Takes: what the network said of one sound, kept so that it can be directed again without the network."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from backend.annotation import Annotation, FaceMotion
from backend.bundle_manifest import MANIFEST_FILE, BundleEntry
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from backend.prosody import Prosody
from backend.sample_store import Samples

CACHE_VARIABLE = "UNITALKER_CACHE"
DISK_LIMIT = 4 << 30
MEMORY_LIMIT = 256 << 20

_HASHED_AT_ONCE = 1 << 20
"""Samples."""

_SCHEMA = 1
_SUFFIX = ".npz"
_PROSODY_ARRAYS = ("loudness", "pitch", "voiced", "pauses")


@dataclass(frozen=True)
class Origin:
    """What a take was made with; `identity_b` is empty for a take of one identity."""

    model: str
    identity: str
    identity_b: str
    device: str
    engine: str


@dataclass(frozen=True)
class Take:
    """The network's own motion, and what the stages after it need besides.

    Attributes:
        raw: at the head's own rate, with the remarks on the sound.
        raw_b: float32, of the shape of ``raw.values``: the same words in the second identity's style.
        rest: float32 (channels,): the template of heads that have one.
        prosody: of the sound.
        origin: what it was made with.
    """

    raw: FaceMotion
    raw_b: np.ndarray | None
    rest: np.ndarray | None
    prosody: Prosody
    origin: Origin

    @property
    def nbytes(self) -> int:
        arrays = (self.raw.values, self.raw_b, self.rest)
        return sum(array.nbytes for array in arrays if array is not None)


def take_key(samples: Samples, model: BundleEntry, *settings: str) -> str:
    """Name of a take: the same for the same sound, model and settings (head, identities, windows, device, engine).

    A model that was written anew under its old name is another model.
    """
    manifest = model.folder / MANIFEST_FILE
    written = manifest.stat().st_mtime_ns
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(samples), _HASHED_AT_ONCE):
        digest.update(np.ascontiguousarray(samples[start : start + _HASHED_AT_ONCE]).data)
    digest.update(manifest.read_bytes())
    digest.update(json.dumps([_SCHEMA, written, *settings]).encode())
    return digest.hexdigest()


def missing_take(key: str) -> UniTalkerError:
    """What is said of a take that cannot be found."""
    return UniTalkerError(
        "take.missing",
        f"The take {key} is not kept any more: it was removed from the cache, or is damaged.",
        "Animate the sound again.",
    )


def takes_folder() -> Path:
    """Where takes are kept, as each system wants it, or in the folder that ``UNITALKER_CACHE`` names."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named) / "takes"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "unitalker" / "cache" / "takes"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "unitalker" / "takes"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unitalker" / "takes"


class TakeStore:
    """Takes on disk, and the last ones in memory as well. When there are too many, those not used longest go.

    Args:
        folder: made when needed.
        disk_limit: bytes.
        memory_limit: bytes; the last take stays whatever its size.
    """

    def __init__(self, folder: Path, disk_limit: int = DISK_LIMIT, memory_limit: int = MEMORY_LIMIT) -> None:
        self._folder = folder
        self._disk_limit = disk_limit
        self._memory_limit = memory_limit
        self._recent: OrderedDict[str, Take] = OrderedDict()

    def find(self, key: str) -> Take | None:
        """The take of that name, if there is one that can be read; one that is damaged is removed."""
        take = self._recent.get(key)
        if take is None:
            path = self._path(key)
            try:
                take = _read(path)
            except FileNotFoundError:
                return None
            except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, ValidationError):
                with suppress(OSError):
                    path.unlink()
                return None
            # In a cache that can only be read, takes do not grow younger.
            with suppress(OSError):
                os.utime(path)
        self._remember(key, take)
        return take

    def get(self, key: str) -> Take:
        """The take of that name.

        Raises:
            UniTalkerError: ``take.missing``.
        """
        take = self.find(key)
        if take is None:
            raise missing_take(key)
        return take

    def keep(self, key: str, take: Take) -> str:
        """Keep a take; returns a remark for the user when it could not be written, and is only kept for now."""
        self._remember(key, take)
        if take.nbytes > self._disk_limit:
            return "The take is too large to be kept on disk; sliders act on it until the backend ends."
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(key)) as file:
                np.savez(file, allow_pickle=False, **_arrays(take))
        # What goes wrong with the folder itself is no UniTalkerError.
        except (OSError, UniTalkerError) as error:
            reason = str(error).split("\n", 1)[0].rstrip(".")
            return f"The take is kept in memory only: {reason}."
        self._trim()
        return ""

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _remember(self, key: str, take: Take) -> None:
        self._recent[key] = take
        self._recent.move_to_end(key)
        while len(self._recent) > 1 and sum(kept.nbytes for kept in self._recent.values()) > self._memory_limit:
            self._recent.popitem(last=False)

    def _trim(self) -> None:
        files = sorted(_sizes(self._folder.glob(f"*{_SUFFIX}")), reverse=True)
        total = 0
        for _, size, path in files:
            total += size
            if total > self._disk_limit:
                with suppress(OSError):
                    path.unlink()


def _sizes(paths: Iterable[Path]) -> Iterable[tuple[int, int, Path]]:
    """Time of last use, size and path; another process may remove a file in between."""
    for path in paths:
        with suppress(OSError):
            stat = path.stat()
            yield stat.st_mtime_ns, stat.st_size, path


def _arrays(take: Take) -> dict[str, np.ndarray]:
    about = {
        "schema": _SCHEMA,
        "annotation": take.raw.annotation.model_dump(mode="json"),
        "fps": take.raw.fps,
        "notes": take.raw.notes,
        "sound": take.raw.sound,
        "origin": asdict(take.origin),
        "seconds": take.prosody.seconds,
    }
    arrays = {name: getattr(take.prosody, name) for name in _PROSODY_ARRAYS}
    arrays |= {"about": np.array(json.dumps(about)), "raw": take.raw.values}
    optional = {"raw_b": take.raw_b, "rest": take.rest}
    return arrays | {name: array for name, array in optional.items() if array is not None}


def _read(path: Path) -> Take:
    with np.load(path, allow_pickle=False) as data:
        about = json.loads(str(data["about"]))
        if about["schema"] != _SCHEMA:
            raise ValueError(f"schema {about['schema']}")
        annotation = Annotation.model_validate(about["annotation"])
        raw = FaceMotion(data["raw"], float(about["fps"]), annotation, tuple(about["notes"]), about["sound"])
        prosody = Prosody(seconds=float(about["seconds"]), **{name: data[name] for name in _PROSODY_ARRAYS})
        raw_b, rest = data.get("raw_b"), data.get("rest")
    return Take(raw, raw_b, rest, prosody, Origin(**about["origin"]))
