"""Articulation rules: what a lip reader must be able to see in synthetic labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.synthesis.phones import SILENCE
from training.synthesis.rules import Articulator
from training.synthesis.timeline import Phone, Timeline, track

SIDED = ("mouthStretch", "mouthLowerDown", "mouthUpperUp", "mouthPress")
NAMES = (
    *("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthRollLower"),
    *(name + side for name in SIDED for side in ("Left", "Right")),
)
JAW, CLOSE, PUCKER, FUNNEL, ROLL = range(5)
FPS = 25.0
FRAMES = 50

PHONES = st.sampled_from(["p", "b", "m", "f", "v", "a", "i", "u", "s", "ʃ", "aʊ", SILENCE])


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Two seconds of phones of 20 to 200 ms."""
    phones, clock = [], draw(st.floats(0, 0.2))
    while clock < FRAMES / FPS - 0.25:
        end = clock + draw(st.floats(0.02, 0.2))
        phones.append(Phone(clock, end, draw(PHONES)))
        clock = end
    return tuple(phones)


def articulated(timeline: Timeline, opening: float = 0.3) -> np.ndarray:
    motion = np.full((FRAMES, len(NAMES)), 0.02, np.float32)
    motion[:, JAW] = opening
    return Articulator(NAMES, FPS)(motion, track(timeline))


def aperture(motion: np.ndarray) -> np.ndarray:
    return motion[:, JAW] - motion[:, CLOSE]


@given(timeline=timelines(), opening=st.floats(0, 1))
def test_every_p_b_m_is_closed_on_a_frame_within_it_or_next_to_it(timeline: Timeline, opening: float) -> None:
    gap = aperture(articulated(timeline, opening))
    for phone in timeline:
        if phone.symbol in "pbm":
            times = np.arange(FRAMES) / FPS
            near = (times > phone.start - 0.5 / FPS) & (times < phone.end + 0.5 / FPS)
            assert gap[near].min() == 0


@given(timeline=timelines(), opening=st.floats(-0.2, 1.2))
def test_weights_stay_weights_and_the_lips_never_cross(timeline: Timeline, opening: float) -> None:
    motion = articulated(timeline, opening)
    assert motion.dtype == np.float32
    assert motion.min() >= 0 and motion.max() <= 1
    assert aperture(motion).min() >= 0


def test_without_a_labial_nothing_closes() -> None:
    assert aperture(articulated((Phone(0.2, 1.0, "a"), Phone(1.0, 1.8, "n")))).min() > 0.1


def test_a_short_closure_ramps_over_its_neighbours() -> None:
    gap = aperture(articulated((Phone(0.0, 0.98, "a"), Phone(0.98, 1.01, "b"), Phone(1.01, 2.0, "a"))))
    assert gap[25] == 0
    assert 0 < gap[24] < gap[20] and 0 < gap[26] < gap[30]


@pytest.mark.parametrize("symbol", ["f", "v"])
def test_the_lower_lip_meets_the_teeth_in_f_and_v(symbol: str) -> None:
    motion = articulated((Phone(0.0, 0.9, "a"), Phone(0.9, 1.0, symbol), Phone(1.0, 2.0, "a")))
    contact = slice(23, 25)
    assert (motion[contact, ROLL] > 5 * motion[10, ROLL]).all()
    assert (aperture(motion)[contact] < 0.6 * aperture(motion)[10]).all()
    assert (motion[contact, NAMES.index("mouthLowerDownLeft")] == 0).all()


def test_rounding_protrusion_and_jaw_follow_the_vowel() -> None:
    middle = {s: articulated((Phone(0.5, 1.5, s),), 0.2)[25] for s in ("a", "i", "u", "o", "y", "ʃ", "ø")}
    assert middle["a"][JAW] > 0.2 > middle["i"][JAW]
    assert middle["u"][PUCKER] > middle["o"][PUCKER] > middle["a"][PUCKER]
    assert middle["y"][PUCKER] == middle["u"][PUCKER]
    assert middle["ø"][PUCKER] > middle["i"][PUCKER]
    assert middle["ʃ"][FUNNEL] > middle["u"][FUNNEL] > middle["i"][FUNNEL]
