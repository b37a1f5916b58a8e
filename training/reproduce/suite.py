"""What is trained and compared, as data: trainings, on what they are measured, and what the paper says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from training.reproduce.subsets import Part

Identity = Literal["own", "pivot", "others"]


@dataclass(frozen=True)
class Measurement:
    """Recordings and under whose identity they are spoken.

    Attributes:
        part: its test clips.
        identity: ``own``, that of the speaker; ``pivot``; ``others``, each identity of the model but the speaker's and
            the pivot, averaged.
    """

    part: Part
    identity: Identity = "own"

    @property
    def key(self) -> str:
        return f"{self.part.folder} {self.identity}"


@dataclass(frozen=True)
class Training:
    """One training, of which there is one per seed.

    Attributes:
        name: unique.
        parts: data.
        tests: what is measured afterwards.
        changes: to the base recipe, merged section by section.
        start: training whose model it begins from.
        warm_up: whether the decoder is trained alone first; if not, its steps are trained with the encoder as well.
        joint: whether the encoder is trained; if not, its steps are trained without it.
        effort: steps beside those of other trainings, for each data set.
    """

    name: str
    parts: tuple[Part, ...]
    tests: tuple[Measurement, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None
    warm_up: bool = True
    joint: bool = True
    effort: float = 1.0

    @property
    def all_parts(self) -> tuple[Part, ...]:
        """Those that are trained on and those that are measured."""
        return (*self.parts, *(measurement.part for measurement in self.tests))


@dataclass(frozen=True)
class Reading:
    """A number that a training gave; several tests are averaged."""

    training: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A line of an experiment's table; a column without a reading stays empty."""

    label: str
    readings: tuple[Reading | None, ...]


@dataclass(frozen=True)
class Comparison:
    """That one row has lower errors than another.

    Attributes:
        claim: in words.
        better: label of the row that the claim says has the lower error.
        worse: label of the other.
        by_paper: whether the paper says so; other comparisons are questions of our own.
    """

    claim: str
    better: str
    worse: str
    by_paper: bool = True


@dataclass(frozen=True)
class Experiment:
    """A table and what is read from it.

    Attributes:
        title: for the heading.
        paper: what the paper reports, with table or figure.
        setting: what is different here.
        columns: what is measured.
        rows: variants.
        comparisons: between rows.
    """

    title: str
    paper: str
    setting: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Suite:
    """All of it.

    Attributes:
        trainings: in the order in which they are run; those that others start from come before them.
        experiments: the tables.
        untested: claims of the paper that are left out, and why, a sentence each.
        sets: the data sets, of which the document says how well one can do without hearing anything.
        basis: data of the PCA that all trainings share.
    """

    trainings: tuple[Training, ...]
    experiments: tuple[Experiment, ...]
    untested: tuple[str, ...]
    sets: tuple[Part, ...]
    basis: tuple[Part, ...]

    def training(self, name: str) -> Training:
        return next(training for training in self.trainings if training.name == name)
