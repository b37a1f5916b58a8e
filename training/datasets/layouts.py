"""Every layout of recordings that can be read, and which of them a folder has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.errors import UniTalkerError
from training.datasets.biwi import is_biwi, open_biwi
from training.datasets.exported_motion import is_exported_motion, open_exported_motion
from training.datasets.live_link_face import is_live_link_face, open_live_link_face
from training.datasets.multiface import is_multiface, open_multiface
from training.datasets.official import is_official, open_official
from training.datasets.source import Source
from training.datasets.three_d_etf import is_three_d_etf, open_three_d_etf
from training.datasets.video import is_video, open_video
from training.datasets.vocaset import is_vocaset, open_vocaset

_DEEPEST = 2


@dataclass(frozen=True)
class Opening:
    """What some layouts do not say themselves.

    Attributes:
        identity: whose face it is in all recordings; told by the folders if left out. For layouts that name their
            speakers it is not used.
        face_task: ``face_landmarker.task``, for video.
    """

    identity: str | None = None
    face_task: Path | None = None


@dataclass(frozen=True)
class Layout:
    """One layout.

    Attributes:
        name: on the command line.
        recognise: whether a folder has it.
        open: makes a source of it.
    """

    name: str
    recognise: Callable[[Path], bool]
    open: Callable[[Path, Opening], Source]


LAYOUTS = (
    Layout("official", is_official, lambda path, _: open_official(path)),
    Layout("multiface", is_multiface, lambda path, _: open_multiface(path)),
    Layout("biwi", is_biwi, lambda path, _: open_biwi(path)),
    Layout("vocaset", is_vocaset, lambda path, _: open_vocaset(path)),
    Layout("3d-etf", is_three_d_etf, lambda path, _: open_three_d_etf(path)),
    Layout("live-link-face", is_live_link_face, lambda path, opening: open_live_link_face(path, opening.identity)),
    Layout("motion", is_exported_motion, lambda path, opening: open_exported_motion(path, opening.identity)),
    Layout("video", is_video, lambda path, opening: open_video(path, opening.identity, opening.face_task)),
)
"""In the order in which they are tried: a take of Live Link Face also holds a movie."""


def open_source(path: Path, layout: str | None = None, opening: Opening | None = None) -> Source:
    """The recordings at a path.

    Args:
        path: folder, or one movie.
        layout: name of a layout; told by what is there if left out.
        opening: what the layout does not say itself.

    Raises:
        UniTalkerError: nothing there is known, or nothing of it can be used.
    """
    if not path.exists():
        raise UniTalkerError("data.not_found", f"{path} does not exist.", "Check the name and the folder.")
    source = _find(path, layout).open(path, opening or Opening())
    if not source.recordings:
        first = f" The first: {source.problems[0]}." if source.problems else ""
        raise UniTalkerError("data.empty", f"{path} ({source.layout}) holds no recording that can be used.{first}")
    return source


def find_sets(path: Path, layout: str | None = None) -> list[Path]:
    """The folder itself when it is in a known layout, else those folders in it that are, down to the third level.

    Args:
        path: where to look; given back as it is when nothing is found, for `open_source` to say so.
        layout: when given, nothing is looked for.
    """
    return [path] if layout is not None else _sets_in(path, _DEEPEST) or [path]


def _sets_in(path: Path, depth: int) -> list[Path]:
    if not path.exists() or any(layout.recognise(path) for layout in LAYOUTS):
        return [path]
    if not depth or not path.is_dir():
        return []
    inner = sorted(place for place in path.iterdir() if place.is_dir())
    return [found for place in inner for found in _sets_in(place, depth - 1)]


def _find(path: Path, name: str | None) -> Layout:
    names = ", ".join(layout.name for layout in LAYOUTS)
    for layout in LAYOUTS:
        if layout.name == name or (name is None and layout.recognise(path)):
            return layout
    if name is not None:
        raise UniTalkerError("data.layout", f"There is no layout {name!r}.", f"Use {names}.")
    raise UniTalkerError(
        "data.layout",
        f"{path} is in no known layout.",
        f"Known are {names}; docs/train-your-own.md shows what each looks like.",
    )
