"""Motion that was spoilt on purpose: a measure that cannot tell it from real motion measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import uniform_filter1d

from training.motion_measures.catalogue import Measure
from training.motion_measures.measuring import Reading
from training.motion_measures.takes import Take

SHIFT = 0.12
"""Seconds; from about here on viewers notice that sound and lips are apart."""
SMOOTHING = 0.4
"""Seconds of the moving average; two syllables become one."""
JITTER = 0.2
"""Standard deviation of the white noise as a share of each channel's own."""

Control = Callable[[Sequence[Take]], list[Take]]


def _late(takes: Sequence[Take]) -> list[Take]:
    return [_shifted(take, SHIFT) for take in takes]


def _early(takes: Sequence[Take]) -> list[Take]:
    return [_shifted(take, -SHIFT) for take in takes]


def _swapped(takes: Sequence[Take]) -> list[Take]:
    """The next take's motion, cut or held to the length."""
    others = [*takes[1:], takes[0]]
    return [
        _moved(take, other.motion.values[np.minimum(np.arange(len(take.motion.values)), len(other.motion.values) - 1)])
        for take, other in zip(takes, others, strict=True)
    ]


def _frozen(takes: Sequence[Take]) -> list[Take]:
    return [_moved(take, np.broadcast_to(take.motion.values.mean(axis=0), take.motion.values.shape)) for take in takes]


def _smoothed(takes: Sequence[Take]) -> list[Take]:
    return [
        _moved(take, uniform_filter1d(take.motion.values, round(SMOOTHING * take.motion.fps), axis=0, mode="nearest"))
        for take in takes
    ]


def _jittered(takes: Sequence[Take]) -> list[Take]:
    rng = np.random.default_rng(0)
    jittered = []
    for take in takes:
        values = take.motion.values
        jittered.append(_moved(take, values + JITTER * values.std(axis=0) * rng.standard_normal(values.shape)))
    return jittered


CONTROLS: dict[str, Control] = {
    "late": _late,
    "early": _early,
    "swapped": _swapped,
    "frozen": _frozen,
    "smoothed": _smoothed,
    "jittered": _jittered,
}


def detects(measure: Measure, truth: Reading, control: Reading | None) -> bool:
    """Whether a reading of a control is worse than that of real motion beyond chance.

    Args:
        measure: says what worse is.
        truth: of real motion.
        control: of the same motion, spoilt; None where nothing could be measured, which tells nothing.
    """
    if control is None or not truth.differs_from(control):
        return False
    risen = control.value > truth.value
    return measure.good == "as measured" or risen == (measure.good == "low")


def _shifted(take: Take, seconds: float) -> Take:
    values = take.motion.values
    frames = np.arange(len(values)) - round(seconds * take.motion.fps)
    return _moved(take, values[np.clip(frames, 0, len(values) - 1)])


def _moved(take: Take, values: np.ndarray) -> Take:
    return replace(take, motion=replace(take.motion, values=values.astype(np.float32)))
