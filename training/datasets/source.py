"""What every layout of recordings on disk looks like from outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.annotation import Annotation
from training.datasets.clip import Clip, Split


@dataclass(frozen=True)
class Recording:
    """A recording that has been found; nothing of it has been read.

    Attributes:
        name: unique in its source.
        identity: whose face it is.
        read: gives the whole recording at the frame rate it is stored at, uncut and unchecked; raises
            `UniTalkerError` when a file is unreadable.
        split: what the source keeps it for; ``None`` when the source has no splits.
    """

    name: str
    identity: str
    read: Callable[[], Clip]
    split: Split | None = None


@dataclass(frozen=True)
class Source:
    """A folder of recordings.

    Attributes:
        folder: of the source, or its only file.
        layout: what people call the layout.
        annotation: of all recordings; `fps` is that of the first, if they differ.
        recordings: what can be used, in the order of the source.
        templates: (D,) by identity, in the unit of the annotation; identities without one rest at 0.
        problems: what cannot be used, a sentence each.
        notes: what else is worth knowing, a sentence each.
        has_gaps: whether NaN frames mean that nothing was seen rather than a damaged file.
        lips: vertices that are the lips, where the source says so.
        neutral: resting weights by identity, where the source has measured them.
        companions: further files that belong to the data set whatever becomes of its clips, e.g. its triangles.
    """

    folder: Path
    layout: str
    annotation: Annotation
    recordings: tuple[Recording, ...]
    templates: Mapping[str, np.ndarray] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    has_gaps: bool = False
    lips: np.ndarray | None = None
    neutral: Mapping[str, np.ndarray] = field(default_factory=dict)
    companions: tuple[Path, ...] = ()

    def by_identity(self) -> dict[str, list[Recording]]:
        """Recordings of each person in their order."""
        groups: dict[str, list[Recording]] = defaultdict(list)
        for recording in self.recordings:
            groups[recording.identity].append(recording)
        return dict(groups)


def weights_annotation(type_name: str, title: str, names: tuple[str, ...], fps: float) -> Annotation:
    """Of blendshape weights, 0 to 1."""
    return Annotation(
        type_name=type_name, title=title, kind="blendshapes", dim=len(names), fps=fps, unit="weight", names=names
    )
