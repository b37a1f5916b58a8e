"""A training from recipe to finished run, watched by a console and by the files of the run.

The same in each of several processes: the first prepares everything and watches, the others join in at its first
checkpoint. All of them must see the folders of the run, of the data and of stored features.
"""

from __future__ import annotations

from pathlib import Path

import torch

from training.config import Recipe
from training.console import training_console
from training.distributed import Processes
from training.places import Places
from training.runs import begin, take_up
from training.store import Progress
from training.trainer import Trainer
from training.watching import watch


def train_run(recipe: Recipe, run: Path, places: Places, device: torch.device) -> bool:
    """Trains a model from the beginning; arguments and errors as `training.runs.begin`.

    Returns:
        Whether this is the process that speaks for all.
    """
    processes = Processes(device)
    if not processes.is_first:
        # Until the first has written the checkpoint that a training begins with.
        processes.wait()
        return _join(run, processes)
    with training_console() as console, watch(run, console) as observer:
        material = begin(recipe, run, places, processes.device, console.preparation)
        Trainer(material, run, device, observer).fit()
    return True


def resume_run(run: Path, device: torch.device) -> bool:
    """Goes on with a training; errors as `training.runs.take_up`.

    Returns:
        Whether this is the process that speaks for all.
    """
    processes = Processes(device)
    if not processes.is_first:
        # Until the first has stored what features are missing.
        processes.wait()
        return _join(run, processes)
    with training_console() as console, watch(run, console) as observer:
        material, checkpoint = take_up(run, processes.device, console.preparation)
        processes.wait()
        Trainer(material, run, device, observer).fit(checkpoint)
    return True


def _join(run: Path, processes: Processes) -> bool:
    material, checkpoint = take_up(run, processes.device, _silent)
    Trainer(material, run, processes.device).fit(checkpoint)
    return False


def _silent(_name: str) -> Progress:
    return lambda _done, _what: None
