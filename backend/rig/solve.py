"""A head's motion onto a character's own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.motion.articulation import find_closures
from backend.motion.channels import HEAD_ANGLES
from backend.rig.conventions import Convention, arkit_names, load_convention
from backend.rig.drawings import choose_drawings
from backend.rig.poses import solve_poses
from backend.rig.spec import Rig, RigTarget

_MOUTH = "jawOpen"


def apply_rig(motion: FaceMotion, rig: Rig) -> FaceMotion:
    """Drive the targets of `rig` with `motion`: the result's channels are the targets, each within its own limits.

    Its values are float32 ``(frames, targets)`` and its unit is ``weight``, but rows with other limits than 0 to 1,
    such as a bone's angle in radians, may be anything. A row whose ARKit shape the head does not have (``tongueOut``),
    or whose layer is off, is left out.

    Raises:
        UniTalkerError: ``rig.unknown_convention``; ``rig.unknown_source`` when a row names a channel that nobody has;
            ``rig.not_arkit`` when the head has none of the channels asked for.
    """
    sources = _sources(motion, rig)
    sums: dict[str, np.ndarray] = {}
    for row in rig.targets:
        source = _find_source(row, sources)
        if source is not None:
            values = np.clip(row.gain * source + row.offset, row.minimum, row.maximum)
            sums[row.target] = sums[row.target] + values if row.target in sums else values
    if not sums:
        raise _not_arkit(motion)
    annotation = motion.annotation.model_copy(
        update={"kind": "blendshapes", "unit": "weight", "dim": len(sums), "names": tuple(sums)}
    )
    return replace(motion, values=np.stack(list(sums.values()), axis=1).astype(np.float32), annotation=annotation)


def convention_channels(motion: FaceMotion, convention: Convention) -> dict[str, np.ndarray]:
    """Every channel of `convention` that is not always at rest: name → values ``(frames,)``.

    Raises:
        UniTalkerError: ``rig.not_arkit``.
    """
    arkit = _arkit_weights(motion)
    if _MOUTH not in arkit:
        raise _not_arkit(motion)
    frames = len(motion.values)
    solved: dict[str, np.ndarray] = {}
    if convention.method == "least squares":
        solved = solve_poses(convention, arkit, frames)
    elif convention.method == "one at a time":
        solved = choose_drawings(convention, arkit, frames, motion.fps, find_closures(motion))
    summed = {
        name: np.sum([weight * arkit[shape] for shape, weight in channel.sum.items() if shape in arkit], axis=0)
        for name, channel in convention.channels.items()
        if any(shape in arkit for shape in channel.sum)
    }
    return solved | summed


def _sources(motion: FaceMotion, rig: Rig) -> dict[str, np.ndarray]:
    """What rows can name: channels of the head, lower-case, then those of the convention, by their exact names."""
    sources = {name.lower(): motion.values[:, i] for i, name in enumerate(motion.annotation.channel_names)}
    if rig.convention is not None:
        sources |= convention_channels(motion, load_convention(rig.convention))
    return sources


def _find_source(row: RigTarget, sources: Mapping[str, np.ndarray]) -> np.ndarray | None:
    for name in (row.source, row.source.lower()):
        if name in sources:
            return sources[name]
    if row.source.lower() in arkit_names() or row.source in HEAD_ANGLES:
        return None
    raise UniTalkerError(
        "rig.unknown_source",
        f"'{row.target}' is to follow '{row.source}', which neither the head nor the convention has.",
        "Choose an ARKit shape such as jawOpen as its source, or mute the row.",
    )


def _arkit_weights(motion: FaceMotion) -> dict[str, np.ndarray]:
    known = arkit_names()
    names = [known.get(name.lower()) for name in motion.annotation.names]
    return {name: motion.values[:, index] for index, name in enumerate(names) if name is not None}


def _not_arkit(motion: FaceMotion) -> UniTalkerError:
    return UniTalkerError(
        "rig.not_arkit",
        f"The head {motion.annotation.type_name} has none of the channels that the character is driven by.",
        "Choose a head with ARKit blendshapes.",
    )
