"""Reading every clip of a training once before hours are spent on it: what there is, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backend.errors import UniTalkerError
from training.datasets.clip import Split
from training.datasets.corpus import Corpus

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class SplitSurvey:
    """What a split of a data set holds.

    Attributes:
        name: of the data set.
        split: which.
        clips: that can be used.
        seconds: of them.
        people: who is in them.
        problems: one for each clip that cannot be used, or for all of them.
    """

    name: str
    split: Split
    clips: int
    seconds: float
    people: tuple[str, ...]
    problems: tuple[UniTalkerError, ...]


def survey(corpus: Corpus, name: str, split: Split, progress: Progress) -> SplitSurvey:
    """Reads all clips of a split; a broken one does not keep the others from being read."""
    people: dict[str, None] = {}
    problems: list[UniTalkerError] = []
    clips, seconds = 0, 0.0
    try:
        readers = corpus.readers(name, split)
    except UniTalkerError as error:
        return SplitSurvey(name, split, 0, 0.0, (), (error,))
    for number, read in enumerate(readers, start=1):
        try:
            clip = read()
        except UniTalkerError as error:
            problems.append(error)
            continue
        if clip is not None:
            people[clip.identity] = None
            clips, seconds = clips + 1, seconds + len(clip.motion) / clip.fps
            progress(number, clip.name)
    return SplitSurvey(name, split, clips, seconds, tuple(people), tuple(problems))


def require_sound(corpus: Corpus, splits: Iterable[tuple[str, Split]], progress: Callable[[str], Progress]) -> None:
    """Reads splits before they are encoded, so that a broken clip is not found after hours.

    Raises:
        UniTalkerError: the first problem, with how many there are.
    """
    problems = [
        problem
        for name, split in splits
        for problem in survey(corpus, name, split, progress(f"check {name} {split}")).problems
    ]
    if problems:
        first, more = problems[0], len(problems) - 1
        further = f" There are {more} more problems; unitalker train check lists them." if more else ""
        raise UniTalkerError(first.code, first.message + further, first.hint)
