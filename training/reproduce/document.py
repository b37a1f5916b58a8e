"""``docs/reproduction.md``: our numbers beside the paper's claims, and what follows from them by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.reproduce.budget import Plan
from training.reproduce.measure import RELATIVE, Numbers
from training.reproduce.running import Result
from training.reproduce.suite import Comparison, Experiment, Reading, Row, Suite
from training.reproduce.verdicts import Lookup, Outcome, Verdict, judge, values

_BRACKETS = {"LVD (mm)": "{:.2f} mm", "mouth r": "r {:.2f}"}
_HEADINGS = {
    Outcome.HELD: "What held",
    Outcome.OPPOSITE: "What did not hold",
    Outcome.TOO_CLOSE: "What is too close to tell",
    Outcome.NOT_RUN: "What was not run",
}

_NOTHING = "-"

_ORIGIN = (
    "Written by `unitalker train reproduce mini`, sentences and verdicts included; change the suite in "
    "`training/reproduce` and run it again rather than this file."
)
_SUBJECT = (
    "*UniTalker: Scaling up Audio-Driven 3D Facial Animation through A Unified Model* (Fan et al., ECCV 2024) was "
    "trained on 18.5 hours of 934 people. Here its questions are asked of half an hour of eleven people: three "
    "annotation types, two frame rates, two languages. **Nothing here says how good the paper's model is**; it "
    "says which of its findings show at this size with this code."
)
_LENGTH = (
    "The numbers of steps are the same for all that are compared, but for whole epochs, to which they are rounded. A "
    "joint model of five sets takes five times the steps of a model of one, so that both see each set equally often."
)
_NUMBER = (
    "**The number in the tables** is the relative error on test clips, mean ± standard deviation over the seeds: of "
    "a mesh, lip vertex error (LVE: largest squared distance of a lip vertex, mean over frames, then over clips, as "
    "in the released code) divided by the LVE of a face at rest; of weights, the mean squared error of the mouth's "
    "channels divided by that of weights at rest. 1 is as good as a still face, 0 is perfect. In brackets: LVD in "
    "mm (the same without the square), or Pearson's r, mean over the mouth's channels that move. Clips are those of "
    "the sets' test splits, at most 40 of each; nothing was chosen by them."
)
_MEAN = (
    "**Rest is easy to beat**, since a speaker's mouth is on average not where it rests: each speaker's mean face, "
    "which hears nothing, has a relative error of {}. What is better than that was learned from the sound. The other "
    "way round, under an identity that puts the mouth elsewhere a model can be worse than a still face although it "
    "moves rightly."
)
_RULE = (
    "**The rule.** A claim *held* if the mean difference is larger than the spread, the larger of both variants' "
    "standard deviations over the seeds, and *did not hold* if it is that much the other way. With so few seeds this "
    "is a weak test: it says whether a difference is more than the luck of one training, not whether it carries "
    "over to other data. Variants that took more steps of another kind also took more time: the last columns tell, "
    "though minutes also depend on what else the machine was doing."
)
_TOO_SMALL = "**The budget was too small to mean anything**: models of one set took fewer than 100 steps."


@dataclass(frozen=True)
class Circumstances:
    """Under which the numbers came out.

    Attributes:
        machine: processor, threads, versions.
        encoder: which, how many layers.
        revision: of the code.
        plan: length of the trainings.
        results: of all that were finished.
        mean_faces: relative error of each speaker's mean face, by data set.
    """

    machine: str
    encoder: str
    revision: str
    plan: Plan
    results: tuple[Result, ...]
    mean_faces: dict[str, float]


def write_document(suite: Suite, seen: Circumstances) -> str:
    """The whole document as Markdown."""
    seeds, lookup = range(1, seen.plan.seeds + 1), lookup_of(seen.results)
    verdicts = [
        (experiment, comparison, judge(comparison, experiment, seeds, lookup))
        for experiment in suite.experiments
        for comparison in experiment.comparisons
    ]
    lines = [*_head(suite, seen), *_summary(verdicts), *_untested(suite)]
    for experiment in suite.experiments:
        own = [(comparison, verdict) for one, comparison, verdict in verdicts if one is experiment]
        lines += _section(experiment, own, seeds, lookup, seen)
    return "\n".join(lines) + "\n"


def lookup_of(results: tuple[Result, ...]) -> Lookup:
    """Finds numbers of results; the error of a training that diverged is infinite."""
    found = {(result.training, result.seed): result for result in results}

    def numbers(training: str, seed: int, test: str) -> Numbers | None:
        result = found.get((training, seed))
        if result is None:
            return None
        return {RELATIVE: np.inf} if result.diverged else result.numbers.get(test)

    return numbers


def _head(suite: Suite, seen: Circumstances) -> Iterator[str]:
    plan, expected = seen.plan, len(suite.trainings) * seen.plan.seeds
    minutes = sum(result.seconds for result in seen.results) / 60
    steps = sum(result.warm_up + result.joint for result in seen.results)
    yield f"# The paper's experiments in miniature\n\n{_ORIGIN}\n\n{_SUBJECT}\n"
    yield "| | |"
    yield "|---|---|"
    yield f"| trainings | {len(seen.results)} of {expected}: {len(suite.trainings)} with {plan.seeds} seeds each |"
    yield f"| time | {minutes:.0f} minutes, trainings that ran side by side added up, for {steps} steps |"
    yield f"| warm-up | about {plan.epoch * plan.warm_up:.0f} steps per data set, the encoder frozen |"
    yield f"| joint training | then about {plan.epoch * plan.joint:.0f} steps per data set, through the encoder |"
    yield f"| encoder | {seen.encoder} |"
    yield f"| machine | {seen.machine} |"
    yield f"| code | {seen.revision} |"
    means = ", ".join(f"{value:.2f} on {name}" for name, value in seen.mean_faces.items())
    yield f"\n{_LENGTH}\n\n{_NUMBER}\n\n{_MEAN.format(means)}\n\n{_RULE}\n"
    if not plan.is_meaningful:
        yield f"{_TOO_SMALL}\n"


def _summary(verdicts: list[tuple[Experiment, Comparison, Verdict]]) -> Iterator[str]:
    for outcome, heading in _HEADINGS.items():
        own = [
            (experiment, comparison, verdict)
            for experiment, comparison, verdict in verdicts
            if verdict.outcome is outcome
        ]
        if own:
            yield f"## {heading}"
            yield ""
            for experiment, comparison, verdict in own:
                origin = "" if comparison.by_paper else " (our own question)"
                yield f"- {comparison.claim}{origin} {_figures(verdict)} [{experiment.title}](#{_anchor(experiment)})"
            yield ""


def _untested(suite: Suite) -> Iterator[str]:
    yield "## What could not be tested"
    yield ""
    yield from (f"- {sentence}" for sentence in suite.untested)
    yield ""


def _section(
    experiment: Experiment,
    verdicts: list[tuple[Comparison, Verdict]],
    seeds: range,
    lookup: Lookup,
    seen: Circumstances,
) -> Iterator[str]:
    yield f"## {experiment.title}"
    yield ""
    yield f"**The paper.** {experiment.paper}"
    yield ""
    yield f"**Here.** {experiment.setting}"
    yield ""
    yield f"| | {' | '.join(experiment.columns)} | steps | minutes |"
    yield "|---" * (len(experiment.columns) + 3) + "|"
    for row in experiment.rows:
        cells = [_cell(reading, seeds, lookup) for reading in row.readings]
        yield f"| {row.label} | {' | '.join(cells)} | {_effort(row, seen)} |"
    yield ""
    for comparison, verdict in verdicts:
        origin = "" if comparison.by_paper else "Our own question. "
        yield f"- {origin}{comparison.claim} **{verdict.outcome.value.capitalize()}.** {_figures(verdict)}"
    alike = _alike(experiment, seeds, lookup)
    if alike:
        yield f"- The rows differ by no more than the spread, so that nothing can be told from it: {'; '.join(alike)}."
    still = [row.label for row in experiment.rows if _is_still(row, seeds, lookup)]
    if still:
        yield f"- No better than a still face in at least one column: {'; '.join(still)}."
    yield ""


def _cell(reading: Reading | None, seeds: range, lookup: Lookup) -> str:
    relative = values(reading, seeds, lookup)
    known = relative[~np.isnan(relative)]
    if not len(known):
        return _NOTHING
    if np.isinf(known).any():
        return f"diverged with {int(np.isinf(known).sum())} of {len(known)} seeds"
    spread = f" ± {known.std(ddof=1):.3f}" if len(known) > 1 else ""
    for measure, form in _BRACKETS.items():
        other = values(reading, seeds, lookup, measure)
        if not np.isnan(other).all():
            return f"{known.mean():.3f}{spread} ({form.format(np.nanmean(other))})"
    return f"{known.mean():.3f}{spread}"


def _effort(row: Row, seen: Circumstances) -> str:
    """Steps of both stages and minutes of the row's trainings, mean over seeds."""
    names = {reading.training for reading in row.readings if reading is not None}
    own = [result for result in seen.results if result.training in names]
    if not own:
        return f"{_NOTHING} | {_NOTHING}"
    seeds = len({result.seed for result in own})
    warm_up, joint = (sum(getattr(result, stage) for result in own) / seeds for stage in ("warm_up", "joint"))
    return f"{warm_up:.0f} + {joint:.0f} | {sum(result.seconds for result in own) / 60 / seeds:.1f}"


def _figures(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.NOT_RUN:
        return "The budget ended before."
    if not np.isfinite([verdict.better, verdict.worse]).all():
        return "Trainings diverged."
    lower, of = verdict.columns
    change = 100 * (verdict.better / verdict.worse - 1)
    columns = f", lower in {lower} of {of} columns" if of > 1 else ""
    seeds = "one seed" if verdict.seeds == 1 else f"{verdict.seeds} seeds"
    return (
        f"{verdict.better:.3f} against {verdict.worse:.3f} ({change:+.1f} %), spread {verdict.spread:.3f}, "
        f"{seeds}{columns}."
    )


def _alike(experiment: Experiment, seeds: range, lookup: Lookup) -> list[str]:
    """Columns in which no two rows differ by more than the largest spread of a row; only where several seeds are."""
    found = []
    for number, column in enumerate(experiment.columns):
        known = [values(row.readings[number], seeds, lookup) for row in experiment.rows]
        known = [numbers[np.isfinite(numbers)] for numbers in known if np.isfinite(numbers).sum() > 1]
        if len(known) > 1 and np.ptp([x.mean() for x in known]) <= max(x.std(ddof=1) for x in known):
            found.append(column)
    return found


def _is_still(row: Row, seeds: range, lookup: Lookup) -> bool:
    means = [
        np.nanmean(found) for found in (values(r, seeds, lookup) for r in row.readings) if not np.isnan(found).all()
    ]
    return any(mean >= 1 for mean in means)


def _anchor(experiment: Experiment) -> str:
    kept = "".join(letter for letter in experiment.title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")
