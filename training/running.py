"""A training from recipe to finished run, watched by a console and by the files of the run."""

from __future__ import annotations

from pathlib import Path

import torch

from training.config import Recipe
from training.console import training_console
from training.runs import Places, begin
from training.trainer import Trainer
from training.watching import watch


def train_run(recipe: Recipe, run: Path, places: Places, device: torch.device) -> None:
    """Trains a model from the beginning; arguments and errors as `training.runs.begin`."""
    with training_console() as console, watch(run, console) as observer:
        material = begin(recipe, run, places, device, console.preparation)
        Trainer(material, run, device, observer).fit()
