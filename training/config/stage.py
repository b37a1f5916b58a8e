"""Sections on the stages of a training and their optimisers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.config.section import Section


class Optimiser(Section):
    """Optimiser of one stage.

    Attributes:
        kind: ``adam`` as in the paper, or ``adamw``.
        learning_rate: peak rate of decoder and heads; 1e-4 in the paper.
        schedule: ``constant`` as in the paper; ``one_cycle`` warms up over a tenth of the steps and falls by cosine,
            which reaches the same loss in a fraction of the epochs.
        weight_decay: with ``adamw``.
        clip_norm: largest gradient norm; ``null`` for none, as in the paper.
    """

    kind: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)


class Stage(Section):
    """Decoder warm-up or joint training.

    Attributes:
        epochs: passes over all sequences; 0 skips the stage.
        batch: sequences per step, all of one annotation type.
        crop_seconds: longer sequences are cut at random; bounds memory.
        optimiser: starts afresh in each stage, as in the released code.
    """

    epochs: int = Field(ge=0)
    batch: int = Field(default=4, gt=0)
    crop_seconds: float = Field(default=15.0, gt=0)
    optimiser: Optimiser = Optimiser()


class JointStage(Stage):
    """Joint training of encoder and decoder (paper section 3.4).

    Attributes:
        epochs: 0 in most cases on a CPU: the study found no gain from it.
        first_layer: transformer layers from this one on (counted from 0) are trained; the convolutional front end
            never is.
        encoder_learning_rate: of the encoder.
    """

    epochs: int = Field(default=0, ge=0)
    first_layer: int = Field(default=0, ge=0)
    encoder_learning_rate: float = Field(default=5e-5, gt=0)
