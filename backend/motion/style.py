"""Between two ways of speaking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion


def blend_styles(motion: FaceMotion, second: np.ndarray | None, share: float) -> FaceMotion:
    """The same words between two identities' styles: 0 is `motion`, 1 is `second`, values of the same shape.

    Without a second style there is nothing to blend, which a note says.
    """
    if share == 0:
        return motion
    if second is None:
        note = "The style blend has no effect: this take was made with one identity only."
        return replace(motion, notes=(*motion.notes, note))
    weight = np.float32(share)
    return replace(motion, values=motion.values * (1 - weight) + second * weight)
