"""Section on what training minimises."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.config.section import Section


class Loss(Section):
    """Training loss.

    Attributes:
        form: ``scaled`` divides by the variance of each channel, so that heads of any unit weigh alike and small
            channels such as closing lips count: best for blendshapes. ``paper`` is Eq. 2 to 4: squared errors of
            vertices in metres, of PCA coefficients and of weights, for which only the last two fields count, and
            ``basis`` and ``region`` of the heads.
        deviation_floor: blendshape channels are weighted by 1 / (std² + floor²); lower it to make nearly dead
            channels count more.
        dead_below: channels with a smaller standard deviation are not trained and stay 0.
        mouth_prefixes: channel names that begin so belong to the mouth.
        other_weight: factor for all other channels, which follow speech little.
        aperture_weight: of the term on jawOpen - mouthClose, 1 counting as much as one channel; raise if lips do not
            close, but far above 10 all other channels suffer.
        coefficient_weight: of the PCA coefficient term beside the vertex term (0.01 in the paper).
        parameter_weight: of blendshape weights beside their vertices, in the form ``paper`` (1e-4 there).
    """

    form: Literal["scaled", "paper"] = "scaled"
    deviation_floor: float = Field(default=0.02, gt=0)
    dead_below: float = Field(default=1e-3, ge=0)
    mouth_prefixes: tuple[str, ...] = ("mouth", "jaw", "tongue", "tooth")
    other_weight: float = Field(default=0.05, ge=0)
    aperture_weight: float = Field(default=3.0, ge=0)
    coefficient_weight: float = Field(default=0.01, ge=0)
    parameter_weight: float = Field(default=1e-4, gt=0)
