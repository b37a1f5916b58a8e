"""Runs the trainings of a suite one after the other, each once per seed, and keeps what every one gave.

A training is done or not begun: its result is written last, and one that was interrupted is repeated.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from backend.errors import UniTalkerError
from training.datasets.clip import Clip
from training.datasets.corpus import Corpus
from training.datasets.writer import PCA_FILE
from training.export import open_run
from training.metrics import Region
from training.observer import Observer, StepReport
from training.pca import fit_pca
from training.places import Places
from training.reproduce.budget import Costs, Plan
from training.reproduce.measure import RELATIVE, Numbers, Recordings, mean_face, measure
from training.reproduce.recipes import RecipeMaker
from training.reproduce.subsets import Part, write_part
from training.reproduce.suite import Measurement, Suite, Training
from training.runs import begin
from training.store import Progress
from training.trainer import CHECKPOINT, Trainer

RESULT_FILE = "result.json"
_LONGEST_TEST = 40


@dataclass(frozen=True)
class Result:
    """What a training gave.

    Attributes:
        training: its name.
        seed: its seed.
        warm_up: steps taken with the encoder frozen.
        joint: steps taken through the encoder.
        seconds: it took, its evaluation included.
        numbers: by measurement, then by measure; empty if it diverged.
        diverged: whether its loss was no longer a number.
    """

    training: str
    seed: int
    warm_up: int
    joint: int
    seconds: float
    numbers: dict[str, Numbers]
    diverged: bool = False


class StepClock(Observer):
    """Counts the steps of both stages and the time between them.

    Args:
        told: called after each step.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.steps = {"warm_up": 0, "joint": 0}
        self.durations: dict[str, list[float]] = {"warm_up": [], "joint": []}
        self._told = told
        self._last: float | None = None

    def step(self, report: StepReport) -> None:
        now = time.monotonic()
        self.steps[report.stage] += 1
        if self._last is not None:
            self.durations[report.stage].append(now - self._last)
        self._last = now
        self._told()


@dataclass(frozen=True)
class Site:
    """Where a reproduction works, and on what.

    Attributes:
        suite: what is run.
        base: path of the base recipe.
        data_root: folder of the whole data sets.
        folder: of the reproduction: parts, stored features, runs, results.
        encoder: file in place of the recipe's source.
        device: where to compute.
    """

    suite: Suite
    base: Path
    data_root: Path
    folder: Path
    encoder: Path | None
    device: torch.device


class Workplace:
    """Trains and measures at a site.

    Args:
        site: where.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.suite = site.suite
        self._device = site.device
        self._places = Places(site.folder / "data", site.folder / "cache", site.encoder)
        self._maker = RecipeMaker(site.base, site.folder / "data")
        self._recordings: dict[str, Recordings] = {}

    def prepare(self) -> None:
        """Writes the parts of the data sets that the suite uses, and the PCA that all its trainings share.

        Fitting a PCA anew takes longer than many a training here.
        """
        used = [part for training in self.suite.trainings for part in training.all_parts]
        parts = list(dict.fromkeys((*used, *self.suite.sets, *self.suite.basis)))
        for part in parts:
            source = self.site.data_root / self._maker.sources[part.data]
            write_part(part, source, self._places.data_root / part.folder, _LONGEST_TEST)
        for head, components in self._maker.components.items():
            files = [
                self._places.data_root / part.folder / PCA_FILE for part in parts if self._maker.type_of(part) == head
            ]
            if not all(file.is_file() for file in files):
                basis = fit_pca(partial(self._motions, head), components=components)
                for file in files:
                    basis.save(file)

    def mean_faces(self) -> dict[str, float]:
        """Relative error of each speaker's mean face, by data set."""
        return {
            part.data: mean_face(self._training_clips(part), self._read(part))[RELATIVE] for part in self.suite.sets
        }

    def _training_clips(self, part: Part) -> Iterator[Clip]:
        return Corpus(self._maker.recipe_of_part(part), self._places.data_root).clips(part.data, "train")

    def _motions(self, head: str) -> Iterator[np.ndarray]:
        for part in self.suite.basis:
            if self._maker.type_of(part) == head:
                for clip in self._training_clips(part):
                    yield clip.motion

    def epoch(self, training: str) -> float:
        """Steps that an epoch of a training means for each of its data sets."""
        chosen = self.suite.training(training)
        return self._maker.batches(chosen) / len(chosen.parts)

    def run(self, training: Training, seed: int, plan: Plan, told: Callable[[], None] = lambda: None) -> Result:
        """Trains and measures, or reads what an earlier call gave.

        Args:
            training: which.
            seed: its seed.
            plan: how long.
            told: called after each step.
        """
        run = self._run_folder(training.name, seed)
        known = read_result(run)
        if known is not None:
            return known
        shutil.rmtree(run, ignore_errors=True)
        started, clock = time.monotonic(), StepClock(told)
        diverged = self._diverges(training, seed, plan, run, clock)
        numbers = {} if diverged else self._measure(training, run)
        result = Result(
            training=training.name,
            seed=seed,
            warm_up=clock.steps["warm_up"],
            joint=clock.steps["joint"],
            seconds=time.monotonic() - started,
            numbers=numbers,
            diverged=diverged,
        )
        _write_result(result, run)
        if not any(later.start == training.name for later in self.suite.trainings):
            (run / CHECKPOINT).unlink()
        return result

    def result(self, training: str, seed: int) -> Result | None:
        """What a training gave; ``None`` if it was not finished."""
        return read_result(self._run_folder(training, seed))

    def costs(self, training: Training, plan: Plan) -> Costs:
        """Times a short training, which is thrown away; its data are read once beforehand."""
        run = self.site.folder / "timing"
        for _ in range(2):
            shutil.rmtree(run, ignore_errors=True)
            started, clock = time.monotonic(), StepClock()
            self._train(training, 0, plan, run, clock)
            self._measure(training, run)
            total = time.monotonic() - started
        shutil.rmtree(run)
        warm_up, joint = (float(np.median(clock.durations[stage])) for stage in ("warm_up", "joint"))
        spent = clock.steps["warm_up"] * warm_up + clock.steps["joint"] * joint
        return Costs(warm_up, joint, max(total - spent, 0.0))

    def _diverges(self, training: Training, seed: int, plan: Plan, run: Path, clock: StepClock) -> bool:
        """Trains; a loss that is no number any more is a result as well."""
        try:
            self._train(training, seed, plan, run, clock)
        except UniTalkerError as error:
            if error.code != "training.diverged":
                raise
            return True
        return False

    def _train(self, training: Training, seed: int, plan: Plan, run: Path, clock: StepClock) -> None:
        start = None if training.start is None else self._run_folder(training.start, seed)
        recipe = self._maker.recipe(training, seed, plan, start)
        material = begin(recipe, run, self._places, self._device, _silent)
        Trainer(material, run, self._device, clock).fit()

    def _measure(self, training: Training, run: Path) -> dict[str, Numbers]:
        model = open_run(run, self._device)[0].model
        numbers: dict[str, Numbers] = {}
        for part, measurements in _by_part(training.tests):
            found = measure(model, self._read(part), [measurement.identity for measurement in measurements])
            numbers |= {measurement.key: found[measurement.identity] for measurement in measurements}
        return numbers

    def _read(self, part: Part) -> Recordings:
        if part.folder not in self._recordings:
            corpus = Corpus(self._maker.recipe_of_part(part), self._places.data_root)
            annotation = corpus.annotation_of(part.data)
            lips = None if annotation.kind == "blendshapes" else self._lips(annotation.type_name)
            self._recordings[part.folder] = Recordings(tuple(corpus.clips(part.data, "test")), annotation, lips)
        return self._recordings[part.folder]

    def _lips(self, type_name: str) -> Region:
        """Lip vertices from the first part of this type that has them."""
        for path in sorted(self._places.data_root.glob("*/lip_idx.npy")):
            if json.loads((path.parent / "annotation.json").read_text(encoding="utf-8"))["annot_type"] == type_name:
                return Region("lips", np.load(path, allow_pickle=False).reshape(-1))
        raise FileNotFoundError(f"no data set of {type_name} has lip_idx.npy")

    def _run_folder(self, training: str, seed: int) -> Path:
        return self.site.folder / "runs" / f"{'-'.join(training.replace(',', '').split())}-seed{seed}"


def read_result(run: Path) -> Result | None:
    """What `Workplace.run` kept in a folder; ``None`` if nothing yet."""
    path = run / RESULT_FILE
    return Result(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _write_result(result: Result, run: Path) -> None:
    unfinished = run / (RESULT_FILE + ".part")
    unfinished.write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    unfinished.replace(run / RESULT_FILE)


def _by_part(measurements: tuple[Measurement, ...]) -> Iterator[tuple[Part, list[Measurement]]]:
    for part in dict.fromkeys(measurement.part for measurement in measurements):
        yield part, [measurement for measurement in measurements if measurement.part == part]


def _silent(_name: str) -> Progress:
    return lambda _done, _what: None
