"""How good a performance is, in a few numbers that one can act on."""

from __future__ import annotations

import numpy as np

from backend.annotation import FaceMotion


def measure_quality(motion: FaceMotion) -> dict[str, float]:
    """Numbers for the read-out; empty for heads without ARKit's jaw and lips.

    ``range`` is the 5 to 95 % range of the opening of the lips (``jawOpen - mouthClose``), in weights.
    """
    names = motion.annotation.names
    if "jawOpen" not in names or "mouthClose" not in names:
        return {}
    opening = motion.values[:, names.index("jawOpen")] - motion.values[:, names.index("mouthClose")]
    low, high = np.percentile(opening, (5, 95))
    return {"range": float(high - low)}
