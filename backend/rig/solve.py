"""A head's motion onto a character's own shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.rig.spec import Rig


def apply_rig(motion: FaceMotion, rig: Rig) -> FaceMotion:
    """Drive the targets of `rig` with `motion`; the result's channels are the targets, each within its limits.

    Raises:
        UniTalkerError: ``rig.*`` when the rig asks for what the head does not have.
    """
    column = {name.lower(): index for index, name in enumerate(motion.annotation.names)}
    sums: dict[str, np.ndarray] = {}
    for row in rig.targets:
        index = column.get(row.source.lower())
        if index is None:
            continue
        values = np.clip(row.gain * motion.values[:, index] + row.offset, row.minimum, row.maximum)
        sums[row.target] = sums[row.target] + values if row.target in sums else values
    if not sums:
        raise UniTalkerError(
            "rig.no_sources",
            f"The head {motion.annotation.type_name} has none of the channels that the character is driven by.",
            "Choose a head with ARKit blendshapes.",
        )
    annotation = Annotation(
        type_name=motion.annotation.type_name,
        title=motion.annotation.title,
        kind="blendshapes",
        dim=len(sums),
        fps=motion.annotation.fps,
        unit="weight",
        names=tuple(sums),
    )
    return replace(motion, values=np.stack(list(sums.values()), axis=1).astype(np.float32), annotation=annotation)
