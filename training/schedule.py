"""Optimisers and their learning rates, as functions of the step, so that resuming needs no state of a scheduler."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import cast

import torch
from torch import nn

from backend.model.pca import PcaLayer
from backend.model.unitalker import UniTalker
from training.config import JointStage, Optimiser, Stage

ENCODER_PREFIX = "audio_encoder."
FROZEN = ("feature_extractor.", "conv1.", "conv2.", "embed_positions.")
"""Of the encoder: the convolutional front ends, and Whisper's table of sinusoids."""
TEMPLATE_PREFIX = "template_dict."
PLAIN_GROUP = 0
"""Parameter group of the decoder, and of the heads without a rate of their own."""
_WEIGHT_DEVIATION = 0.1
"""Typical standard deviation of a blendshape weight, the unit for which learning rates are given."""
_WARM_UP_SHARE = 0.1
_FIRST_FRACTION = 1 / 25
_LAST_FRACTION = 1e-4


def rate_factor(step: int, steps: int, settings: Optimiser) -> float:
    """Learning rate of a step as a share of its peak.

    Args:
        step: from 0.
        steps: of the whole stage.
        settings: ``one_cycle`` rises from 1/25 over a tenth of the steps and falls to almost 0, both as half a cosine.
    """
    if settings.schedule == "constant":
        return 1.0
    peak = max(round(_WARM_UP_SHARE * steps), 1)
    if step < peak:
        return _half_cosine(_FIRST_FRACTION, 1.0, step / peak)
    return _half_cosine(1.0, _LAST_FRACTION, (step - peak) / max(steps - 1 - peak, 1))


def make_optimiser(model: UniTalker, stage: Stage) -> torch.optim.Optimizer:
    """A fresh optimiser over what the stage trains; everything else is frozen.

    Adam's steps have the size of the learning rate whatever the unit. PCA coefficients in metres are small numbers,
    so their heads get a rate that is smaller in proportion, unless the recipe wants it equal. Each parameter group
    remembers its peak rate as ``peak``.
    """
    trained = {name for name, _ in model.named_parameters() if is_trained(name, stage)}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    settings = stage.optimiser
    scales = {
        f"out_head_dict.{head}.": 1.0 if settings.head_rates == "equal" else _output_scale(pca)
        for head, pca in model.pca_layer_dict.items()
    }
    plain = [name for name in trained if not name.startswith((ENCODER_PREFIX, *scales))]
    groups = [_group(model, plain, settings.learning_rate)]
    groups += [
        _group(model, [name for name in trained if name.startswith(prefix)], settings.learning_rate * scale)
        for prefix, scale in scales.items()
    ]
    if isinstance(stage, JointStage):
        encoder = [name for name in trained if name.startswith(ENCODER_PREFIX)]
        groups.append(_group(model, encoder, stage.encoder_learning_rate))
    kind = torch.optim.AdamW if settings.kind == "adamw" else torch.optim.Adam
    return kind(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def set_rate(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Sets every group to `factor` times its peak rate."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * factor


def _group(model: nn.Module, names: Iterable[str], rate: float) -> dict[str, object]:
    parameters = dict(model.named_parameters())
    return {"params": [parameters[name] for name in sorted(names)], "peak": rate}


def is_trained(name: str, stage: Stage) -> bool:
    """Whether a stage trains the parameter of this name."""
    if not name.startswith(ENCODER_PREFIX):
        return not name.startswith(TEMPLATE_PREFIX)
    if not isinstance(stage, JointStage) or name.removeprefix(ENCODER_PREFIX).startswith(FROZEN):
        return False
    layer = re.search(r"\.layers\.(\d+)\.", name)
    # What is before and between the layers belongs to the lowest.
    return (int(layer.group(1)) if layer else 0) >= stage.first_layer


def _output_scale(pca: nn.Module) -> float:
    """How large PCA coefficients are beside blendshape weights."""
    deviations = cast(PcaLayer, pca).get_buffer("feat_std")
    return float(torch.linalg.vector_norm(deviations)) / math.sqrt(len(deviations)) / _WEIGHT_DEVIATION


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
