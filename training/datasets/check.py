"""What is right and wrong with a set of recordings, before hours are spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from backend.annotation import Annotation
from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from backend.motion.alignment import Alignment, AlignmentMeter
from training.datasets.alignment import opening_of, sound_level
from training.datasets.clip import DECIMATION, LONGEST_CLIP, SHORTEST_CLIP, SPLITS, Clip, check_finite, check_length
from training.datasets.source import Recording, Source

Progress = Callable[[int, int, str], None]
"""Called with recordings done, all, and the name of the last."""

LARGEST_OFFSET = 0.1
"""Seconds between sound and motion from which on a set is remarked on."""
_LEAST_CORRELATION = 0.25
_FROZEN = {"blendshapes": 1e-3, "vertices": 1e-6, "flame": 1e-6}
"""Range, in the unit of the annotation, below which a channel does not move."""
_CLIPPED_SHARE = 0.02
_CLIPPED_RANGE = 0.05


@dataclass
class Findings:
    """What was found in a set.

    Attributes:
        name: folder of the set.
        layout: which it is in.
        annotation: annotation type.
        channels: numbers per frame.
        fps: frame rates of the files and how many recordings have each.
        clips: usable recordings by split; those of a source without splits under ``all``.
        minutes: usable.
        identities: recordings of each person.
        missing: files and recordings that are listed and not there.
        not_finite: recordings with NaN or infinite numbers, and how many frames.
        unusable: recordings that cannot be used, each with its reason, and all else that must be put right.
        remarks: what is worth a look.
        alignment: sound against motion; ``None`` when it could not be told.
        alignments: the same by person, for sets of several.
        frozen: channels that do not move.
        clipped: channels that stop at a highest value.
    """

    name: str
    layout: str
    annotation: str
    channels: int
    fps: Counter[float] = field(default_factory=Counter)
    clips: Counter[str] = field(default_factory=Counter)
    minutes: float = 0.0
    identities: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    not_finite: dict[str, int] = field(default_factory=dict)
    unusable: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    alignment: Alignment | None = None
    alignments: dict[str, Alignment] = field(default_factory=dict)
    frozen: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)

    @property
    def is_usable(self) -> bool:
        """Whether nothing has to be put right."""
        return not self.missing and not self.unusable

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        measured = {name: asdict(alignment) for name, alignment in self.alignments.items()}
        alignment = asdict(self.alignment) if self.alignment else None
        return {**vars(self), "alignment": alignment, "alignments": measured, "usable": self.is_usable}


def check(source: Source, progress: Progress) -> Findings:
    """Reads every recording of a source once.

    Args:
        source: what to check.
        progress: told after each recording.
    """
    work = _Check(source)
    for number, recording in enumerate(source.recordings, start=1):
        work.take(recording)
        progress(number, len(source.recordings), recording.name)
    return work.findings()


class _Check:
    def __init__(self, source: Source) -> None:
        annotation = source.annotation
        self._source = source
        self._found = Findings(source.folder.name, source.layout, annotation.type_name, annotation.dim)
        self._found.missing += source.problems
        self._found.remarks += source.notes
        self._channels = _ChannelRanges(annotation)
        self._all = AlignmentMeter()
        self._by_person: dict[str, AlignmentMeter] = {}
        self._trained: set[str] = set()

    def take(self, recording: Recording) -> None:
        found = self._found
        try:
            clip = recording.read()
            self._count_gaps(clip)
            check_length(len(clip.audio), len(clip.motion), clip.fps, recording.name)
            if not self._source.has_gaps:
                check_finite(clip.motion, clip.fps, recording.name)
        except UniTalkerError as error:
            found.unusable.append(str(error))
            return
        seconds = min(len(clip.audio) / SAMPLE_RATE, len(clip.motion) / clip.fps)
        found.fps[clip.fps] += 1
        found.identities[clip.identity] += 1
        if seconds < SHORTEST_CLIP:
            found.remarks.append(f"{clip.name} is {seconds:.2f} s long and will be left out")
            return
        if seconds > LONGEST_CLIP:
            found.remarks.append(
                f"{clip.name} is {seconds:.0f} s long, of which {LONGEST_CLIP:g} s are trained on; data convert cuts it"
            )
        found.clips[recording.split or "all"] += 1
        found.minutes += seconds / 60
        if recording.split in (None, "train"):
            self._trained.add(clip.identity)
        self._measure(clip)

    def findings(self) -> Findings:
        found = self._found
        found.frozen, found.clipped = self._channels.frozen(), self._channels.clipped()
        found.alignment = self._all.alignment
        if len(self._by_person) > 1:
            measured = {name: meter.alignment for name, meter in self._by_person.items()}
            found.alignments = {name: alignment for name, alignment in measured.items() if alignment is not None}
        self._judge_people()
        self._judge_rates()
        self._judge_alignment()
        return found

    def _count_gaps(self, clip: Clip) -> None:
        broken = int((~np.isfinite(clip.motion).all(axis=1)).sum())
        if broken:
            self._found.not_finite[clip.name] = broken
            if self._source.has_gaps:
                share = 100 * broken / len(clip.motion)
                self._found.remarks.append(f"{clip.name}: no face was seen in {share:.0f} % of the frames")

    def _measure(self, clip: Clip) -> None:
        seen = clip.motion[np.isfinite(clip.motion).all(axis=1)]
        if not len(seen):
            return
        if np.ptp(seen, axis=0).max() < _FROZEN[clip.annotation.kind]:
            self._found.remarks.append(f"{clip.name} does not move")
        self._channels.add(seen)
        opening = opening_of(clip.annotation, clip.motion, self._source.templates.get(clip.identity), self._source.lips)
        level, times = sound_level(clip.audio)
        for meter in (self._all, self._by_person.setdefault(clip.identity, AlignmentMeter())):
            meter.add(np.nan_to_num(opening), clip.fps, level, times)

    def _judge_people(self) -> None:
        for split in SPLITS[1:]:
            people = {one.identity for one in self._source.recordings if one.split == split}
            unknown = sorted(people - self._trained)
            if unknown:
                self._found.unusable.append(
                    f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} in {split} and not in train: "
                    "a model has no identity for them"
                )

    def _judge_rates(self) -> None:
        odd = sorted(rate for rate in self._found.fps if rate not in DECIMATION)
        if odd:
            self._found.remarks.append(
                f"{', '.join(f'{rate:g}' for rate in odd)} fps cannot be trained on; data convert changes it to 30"
            )

    def _judge_alignment(self) -> None:
        found = self._found
        for name, alignment in ({"": found.alignment} | dict(found.alignments)).items():
            if alignment is None or alignment.correlation < _LEAST_CORRELATION:
                continue
            if abs(alignment.offset) > LARGEST_OFFSET:
                by, late = 1000 * abs(alignment.offset), "after" if alignment.offset > 0 else "before"
                found.remarks.append(
                    f"{name + ': ' if name else ''}the mouth moves {by:.0f} ms {late} the sound "
                    f"(correlation {alignment.correlation:.2f})"
                )


class _ChannelRanges:
    """Lowest and highest value of each channel, and how often the highest occurs."""

    def __init__(self, annotation: Annotation) -> None:
        self._annotation = annotation
        self._low = np.full(annotation.dim, np.inf, np.float32)
        self._high = np.full(annotation.dim, -np.inf, np.float32)
        self._at_high = np.zeros(annotation.dim, np.int64)
        self._frames = 0

    def add(self, motion: np.ndarray) -> None:
        high = motion.max(axis=0)
        risen = high > self._high
        self._at_high[risen] = 0
        self._high = np.maximum(self._high, high)
        self._at_high += (motion == self._high).sum(axis=0)
        self._low = np.minimum(self._low, motion.min(axis=0))
        self._frames += len(motion)

    def frozen(self) -> list[str]:
        if not self._frames:
            return []
        still = np.flatnonzero(self._high - self._low < _FROZEN[self._annotation.kind])
        if self._annotation.kind == "vertices":
            vertices = np.flatnonzero(np.bincount(still // 3, minlength=self._annotation.dim // 3) == 3)
            return [f"{len(vertices)} of {self._annotation.dim // 3} vertices"] if len(vertices) else []
        return [self._annotation.channel_names[index] for index in still]

    def clipped(self) -> list[str]:
        if not self._frames or self._annotation.kind != "blendshapes":
            return []
        moves = self._high - self._low > _CLIPPED_RANGE
        stopped = np.flatnonzero(moves & (self._at_high > _CLIPPED_SHARE * self._frames))
        return [f"{self._annotation.names[index]} at {self._high[index]:g}" for index in stopped]
