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
        weight_decay: with ``adamw``; pulls weights to 0 at the pace of the learning rate. Raise against overfitting.
        head_rates: ``scaled`` gives heads that predict PCA coefficients, which are small numbers of metres, a rate that
            is smaller in proportion; ``equal`` as in the paper.
        clip_norm: largest gradient norm; ``null`` for none, as in the paper. 1 when single clips throw training off.
    """

    kind: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    weight_decay: float = Field(default=0.0, ge=0)
    head_rates: Literal["scaled", "equal"] = "scaled"
    clip_norm: float | None = Field(default=None, gt=0)


class EarlyStop(Section):
    """Ends a stage that no longer gets better on the validation sequences, and keeps its best weights.

    Attributes:
        metric: ``mean`` of the validation losses of all heads, or the name of one head, whose loss then decides
            alone; name the head that matters if others are only there to help it.
        patience: epochs without a new best before the stage ends. Raise if the validation loss is noisy.
    """

    metric: str = "mean"
    patience: int = Field(default=5, gt=0)


class Stage(Section):
    """Decoder warm-up or joint training.

    Attributes:
        epochs: passes over all sequences; 0 skips the stage.
        batch: sequences per step, all of one annotation type, whatever the number of processes: they share them out,
            so a recipe is the same training on one GPU and on eight. 1 in the paper. More is faster and smoother;
            raise the learning rate with it.
        accumulate: parts in which a process computes its share of the batch, one after the other. The result is the
            same, the memory that of one part, the time a little longer; raise when memory runs out.
        crop_seconds: longer sequences are cut at random; bounds memory.
        balance: how far small annotation types are brought up to large ones. 0 uses every sequence once per epoch;
            1 draws all types equally often, which repeats the sequences of small types and leaves out some of large
            ones, others in each epoch; 0.5 lies between. Raise when a small data set is learned badly beside a large
            one of another type.
        precision: ``fp32``; ``bf16`` computes the network in half precision, about twice as fast and with half the
            memory on GPUs that know it; ``fp16`` for older GPUs, with scaled gradients. Losses, PCA and the weights
            themselves stay fp32. No gain on most CPUs.
        average: decay per step of an exponential moving average of the weights, which then is what is evaluated,
            exported and handed to the next stage; ``null`` for none, as in the paper. 0.999 often does a little
            better than the last weights when the learning rate is constant; take less for fewer than 5,000 steps.
        early_stop: see `EarlyStop`; ``null`` trains all epochs and keeps the last weights, as in the paper.
        optimiser: starts afresh in each stage, as in the released code.
    """

    epochs: int = Field(ge=0)
    batch: int = Field(default=4, gt=0)
    accumulate: int = Field(default=1, gt=0)
    crop_seconds: float = Field(default=15.0, gt=0)
    balance: float = Field(default=0.0, ge=0, le=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    average: float | None = Field(default=None, gt=0, lt=1)
    early_stop: EarlyStop | None = None
    optimiser: Optimiser = Optimiser()


class JointStage(Stage):
    """Joint training of encoder and decoder (paper section 3.4).

    Attributes:
        epochs: 0 in most cases on a CPU: the study found no gain from it.
        first_layer: transformer layers from this one on (counted from 0) are trained; 0, as in the paper, trains
            all of the encoder but its convolutional front end, which never is. Raise to change the encoder less.
        encoder_learning_rate: of the encoder. Lower if the validation loss rises at once when the stage begins.
    """

    epochs: int = Field(default=0, ge=0)
    first_layer: int = Field(default=0, ge=0)
    encoder_learning_rate: float = Field(default=5e-5, gt=0)
