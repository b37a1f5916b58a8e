"""How good a performance is, in a few numbers that one can act on."""

from __future__ import annotations

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import has_arkit_mouth, lip_opening
from backend.motion.rest import quiet_frames

_SHUT = 0.05
_TREMBLING = 10.0
"""Hz; faster than any syllable, so that what moves there is noise or a jump."""


def measure_quality(motion: FaceMotion, closures: np.ndarray, pauses: np.ndarray) -> dict[str, float]:
    """Numbers from 0 to 1 for the read-out; what cannot be measured is left out, and all of it without ARKit's mouth.

    The opening is ``jawOpen - mouthClose``, and *wide* its 90th percentile.

    - ``closure``: of the moments at which the network means to close the lips (p, b, m), the share at which the
      opening falls below 5 % of wide, within a frame. Higher is better.
    - ``silence``: mean opening where nobody speaks, as a share of wide. Lower is better.
    - ``jitter``: share of the power of the opening's speed that lies above 10 Hz; only above 20 frames a second.
      Lower is better; held poses are jumps and count as jitter.
    - ``range``: 5 to 95 % range of the opening, in weights: how much the mouth does.

    Args:
        motion: in the head's channels, as it is shown.
        closures: (n,), seconds, from `find_closures` on the network's own motion.
        pauses: (k, 2), seconds.
    """
    if not has_arkit_mouth(motion.annotation):
        return {}
    opening = lip_opening(motion)
    wide = max(float(np.percentile(opening, 90)), 1e-6)
    low, high = np.percentile(opening, (5, 95))
    numbers = {"range": float(high - low)}
    if len(closures):
        numbers["closure"] = float(np.mean(_around(opening, closures * motion.fps) < _SHUT * wide))
    quiet = quiet_frames(len(opening), motion.fps, pauses)
    if quiet.any():
        numbers["silence"] = float(np.clip(opening[quiet].mean() / wide, 0, 1))
    if motion.fps > 2 * _TREMBLING and len(opening) > motion.fps:
        numbers["jitter"] = _fast_share(opening, motion.fps)
    return numbers


def _around(opening: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(n,): smallest opening within a frame of each position."""
    nearest = np.clip(np.round(positions).astype(np.intp)[:, None] + np.arange(-1, 2), 0, len(opening) - 1)
    smallest: np.ndarray = opening[nearest].min(axis=1)
    return smallest


def _fast_share(opening: np.ndarray, fps: float) -> float:
    speed = np.diff(opening)
    power = np.square(np.abs(np.fft.rfft(speed * np.hanning(len(speed)))))
    fast = np.fft.rfftfreq(len(speed), 1 / fps) > _TREMBLING
    return float(power[fast].sum() / max(power.sum(), 1e-12))
