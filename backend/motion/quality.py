"""How good a performance is, in a few numbers that one can act on.

What the numbers mean is defined here once, for the read-out and for the evaluation of models. The *opening* of a mouth
is how far the lips are apart, 0 where they touch; its *range* is that from its 5th to its 95th percentile.
"""

from __future__ import annotations

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.alignment import find_alignment
from backend.motion.channels import has_arkit_mouth, lip_opening
from backend.motion.rest import quiet_frames
from backend.prosody import Prosody

CLOSED = 0.05
"""Share of the range below which lips count as closed."""
FAST = 10.0
"""Hz; faster than any syllable, so that what moves there is noise or a jump."""

_LEAST_CORRELATION = 0.3
_LEAST_SECONDS = 6.0
"""From which on the offset of a single sound can be told: of 22 real voices, those so long and so correlated came out
within 32 ms, shorter ones up to 280 ms off, since a few syllables fit several offsets."""


def measure_quality(motion: FaceMotion, closures: np.ndarray, voice: Prosody) -> dict[str, float]:
    """Numbers for the read-out; what cannot be measured is left out, and all of it without ARKit's mouth.

    - ``closure``: of the moments at which the network means to close the lips (p, b, m), the share at which they are
      closed within a frame. Higher is better.
    - ``silence``: mean opening where nobody speaks, as a share of the range. Lower is better.
    - ``jitter``: share of the power of the opening's speed that lies above 10 Hz; only above 20 frames a second.
      Lower is better; held poses are jumps and count as jitter.
    - ``range``: of the opening, in weights: how much the mouth does.
    - ``offset``: milliseconds by which the mouth is late; below 0 it is early. Only of sounds of 6 s and more, and
      left out where mouth and loudness have too little in common to tell.

    Args:
        motion: in the head's channels, as it is shown.
        closures: (n,), seconds, from `find_closures` on the network's own motion.
        voice: of the sound.
    """
    if not has_arkit_mouth(motion.annotation):
        return {}
    opening = lip_opening(motion)
    numbers = {"range": opening_range(opening)}
    if len(closures):
        numbers["closure"] = float(np.mean(as_share(opening, _around(opening, closures * motion.fps)) < CLOSED))
    quiet = quiet_frames(len(opening), motion.fps, voice.pauses)
    if quiet.any():
        numbers["silence"] = float(open_in_silence(opening, quiet).mean())
    if motion.fps > 2 * FAST and len(opening) > motion.fps:
        fast, all_speeds = power_of_speed(opening, motion.fps)
        numbers["jitter"] = fast / max(all_speeds, 1e-12)
    alignment = find_alignment(opening, motion.fps, voice) if motion.duration >= _LEAST_SECONDS else None
    if alignment is not None and alignment.correlation >= _LEAST_CORRELATION:
        numbers["offset"] = 1000 * alignment.offset
    return numbers


def opening_range(opening: np.ndarray) -> float:
    """From the 5th to the 95th percentile, in the unit of the opening, (frames,)."""
    low, high = np.percentile(opening, (5, 95))
    return float(high - low)


def as_share(opening: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Some of the values of an opening as shares of its range."""
    shares: np.ndarray = part / max(opening_range(opening), 1e-6)
    return shares


def open_in_silence(opening: np.ndarray, quiet: np.ndarray) -> np.ndarray:
    """(n,): opening in the quiet frames as shares of the range, 0 to 1; lips that press count as closed.

    Args:
        opening: (frames,).
        quiet: bool (frames,), from `quiet_frames`.
    """
    shares: np.ndarray = np.clip(as_share(opening, opening[quiet]), 0, 1)
    return shares


def power_of_speed(opening: np.ndarray, fps: float) -> tuple[float, float]:
    """Power of the opening's speed above 10 Hz, and at all frequencies."""
    speed = np.diff(opening)
    power = np.square(np.abs(np.fft.rfft(speed * np.hanning(len(speed)))))
    fast = np.fft.rfftfreq(len(speed), 1 / fps) > FAST
    return float(power[fast].sum()), float(power.sum())


def _around(opening: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(n,): smallest opening within a frame of each position."""
    nearest = np.clip(np.round(positions).astype(np.intp)[:, None] + np.arange(-1, 2), 0, len(opening) - 1)
    smallest: np.ndarray = opening[nearest].min(axis=1)
    return smallest
