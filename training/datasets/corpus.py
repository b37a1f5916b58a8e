"""All data sets of a recipe as one: identities numbered in order, heads shared by annotation type, rest at 0."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.model.spec import PIVOT
from training.config import DataSet, Head, Recipe
from training.datasets.channel_matching import check_match, match_channels
from training.datasets.clip import Clip, Split
from training.datasets.official import ClipReader, OfficialDataSet
from training.silence import quiet_frames

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Source:
    settings: DataSet
    data: OfficialDataSet


class Corpus:
    """The data sets of a recipe.

    Args:
        recipe: names the folders.
        root: folder they are in.
        known: annotations of the model's heads, for data sets that train the head of another type.

    Raises:
        UniTalkerError: a folder does not follow the layout, two of one annotation type disagree, or a data set
            cannot train the head that it shall.
    """

    def __init__(self, recipe: Recipe, root: Path, known: Iterable[Annotation] = ()) -> None:
        self._recipe = recipe
        self._known = {annotation.type_name: annotation for annotation in known}
        self._sources = {
            settings.name: _Source(settings, OfficialDataSet(root / settings.folder, settings.identities))
            for settings in recipe.data
        }
        self.annotations = self._merge_annotations()
        for name, source in self._sources.items():
            _tell_missing(name, source.data)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the data sets in the order of the recipe."""
        return tuple(self._sources)

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of those that are trained on; the others are only evaluated."""
        return tuple(name for name in self._sources if name not in self._recipe.held_out)

    @property
    def identities(self) -> tuple[str, ...]:
        """Rows of the identity table: each person once, in order of appearance, then the pivot."""
        people = dict.fromkeys(person for name in self.trained for person in self._sources[name].data.identities)
        return (*people, PIVOT) if self._recipe.pivot_probability > 0 else tuple(people)

    def annotation_of(self, name: str) -> Annotation:
        """What the channels of a data set are, titled as its head."""
        return self.annotations[self._type_of(self._sources[name])]

    def folder_of(self, name: str) -> Path:
        return self._sources[name].data.folder

    def template(self, type_name: str) -> np.ndarray:
        """(D,): template of the first identity with this annotation type, the one a bundle carries."""
        for source in self._sources.values():
            if self._type_of(source) == type_name:
                return next(iter(source.data.templates.values()))
        raise KeyError(type_name)

    def templates(self, name: str) -> dict[str, np.ndarray]:
        """(D,) by identity of a data set."""
        return self._sources[name].data.templates

    def sound_folders(self, name: str, split: Split) -> list[Path]:
        """Folders with the sounds of a split; none if the data set has no such split."""
        data = self._sources[name].data
        return data.sound_folders(split) if data.has_split(split) else []

    def clean_passes(self, name: str) -> int:
        """How often each clip of a data set is used as it is."""
        source = self._sources[name]
        passes = source.settings.clean_passes
        return source.data.duplication if passes is None else passes

    def has_split(self, name: str, split: Split) -> bool:
        """Whether a data set keeps clips apart for this purpose."""
        return self._sources[name].data.has_split(split)

    def clip_count(self, name: str, split: Split) -> int:
        """How many clips of a split are there; 0 without the split."""
        return len(self._sources[name].data.clip_names(split)) if self.has_split(name, split) else 0

    def files(self, name: str, split: Split) -> list[Path]:
        """Files of a data set that a split is made from; none if it has no such split."""
        data = self._sources[name].data
        return data.files(split) if data.has_split(split) else []

    def clips(self, name: str, split: Split) -> Iterator[Clip]:
        """Clips of a data set whose motion is 0 at rest (the neutral of its speaker subtracted)."""
        for read in self.readers(name, split):
            clip = read()
            if clip is not None:
                yield clip

    def readers(self, name: str, split: Split) -> list[Callable[[], Clip | None]]:
        """`clips`, each read when asked for; ``None`` for what is too short to be used."""
        return [partial(self._resting, name, reader) for reader in self._readers(name, split)]

    def _resting(self, name: str, reader: ClipReader) -> Clip | None:
        source, clip = self._sources[name], reader.read()
        if clip is None:
            return None
        motion = clip.motion
        if source.settings.neutral != "none":
            motion = motion - self._neutral_of(name, clip.identity)
        resting, annotation = replace(clip, motion=motion), self.annotation_of(name)
        if source.settings.head is None:
            return replace(resting, annotation=annotation)
        return match_channels(resting, annotation)

    def _readers(self, name: str, split: Split) -> list[ClipReader]:
        """Clips as they are stored; of the training clips those that the recipe asks for."""
        source = self._sources[name]
        readers, count = source.data.readers(split), source.settings.clips
        if split == "train" and count is not None and count < len(readers):
            return [readers[place * len(readers) // count] for place in range(count)]
        return readers

    def _stored(self, name: str) -> Iterator[Clip]:
        """Training clips as they are stored."""
        for reader in self._readers(name, "train"):
            clip = reader.read()
            if clip is not None:
                yield clip

    def _neutral_of(self, name: str, identity: str) -> np.ndarray:
        source = self._sources[name]
        measured = source.data.neutral if source.settings.neutral == "annotation" else self._quiet_neutrals[name]
        if identity not in measured:
            raise UniTalkerError(
                "data.neutral",
                f"{name}: no resting face of {identity} is known.",
                "Set neutral to another value in the recipe, or add it to annotation.json.",
            )
        return measured[identity]

    @cached_property
    def _quiet_neutrals(self) -> dict[str, dict[str, np.ndarray]]:
        return {
            name: _median_when_quiet(self._stored(name), source.data.folder, self._recipe)
            for name, source in self._sources.items()
            if source.settings.neutral == "quiet"
        }

    def _merge_annotations(self) -> dict[str, Annotation]:
        """By type in the order of the recipe's heads, with their titles."""
        found: dict[str, Annotation] = {}
        for source in self._sources.values():
            annotation = self._trained_annotation(source)
            known = found.setdefault(annotation.type_name, annotation)
            if (known.dim, known.fps, known.names) != (annotation.dim, annotation.fps, annotation.names):
                raise UniTalkerError(
                    "data.annotation",
                    f"{source.data.folder}: {annotation.type_name} has other channels or another frame rate "
                    "than in the data set before it.",
                    "Data sets of one annotation type share a head and must agree.",
                )
        trained = {self._type_of(self._sources[name]) for name in self.trained}
        for name in self._recipe.held_out:
            if self._type_of(self._sources[name]) not in trained:
                raise UniTalkerError(
                    "recipe.held_out",
                    f"{name} is held out, but no other data set trains the head {self._type_of(self._sources[name])}.",
                    "Use only instead, which leaves its head out too.",
                )
        heads = self._recipe.heads
        spare = set() if self._recipe.only is None else set(heads) - set(found)
        if set(heads) - spare != set(found):
            raise UniTalkerError(
                "recipe.heads",
                f"The recipe has heads {', '.join(heads)}, its data sets are of types {', '.join(found)}.",
                "Give one head for each annotation type.",
            )
        for name in found:
            _check_components(found[name], heads[name])
        used = {name: head for name, head in heads.items() if name in found}
        return {name: found[name].model_copy(update={"title": head.title}) for name, head in used.items()}

    @staticmethod
    def _type_of(source: _Source) -> str:
        return source.settings.head or source.data.annotation.type_name

    def _trained_annotation(self, source: _Source) -> Annotation:
        """That of the data, or of the head that they shall train."""
        wanted = source.settings.head
        if wanted is None:
            return source.data.annotation
        if wanted not in self._known:
            raise UniTalkerError(
                "recipe.heads",
                f"{source.settings.name} shall train the head {wanted}, which the start model does not have.",
                f"It has {', '.join(self._known) or 'none'}.",
            )
        check_match(source.data.annotation, self._known[wanted], str(source.data.folder))
        return self._known[wanted]


def _check_components(annotation: Annotation, head: Head) -> None:
    if head.components is not None and annotation.kind != "vertices":
        raise UniTalkerError(
            "recipe.components",
            f"heads.{annotation.type_name} asks for {head.components} PCA components, but its numbers are "
            f"{annotation.kind}; only vertices are predicted by their PCA.",
            "Leave components out.",
        )
    if head.components is not None and head.components > annotation.dim:
        raise UniTalkerError(
            "recipe.components",
            f"heads.{annotation.type_name} asks for {head.components} PCA components of {annotation.dim} coordinates.",
            "Ask for fewer components.",
        )


def _tell_missing(name: str, data: OfficialDataSet) -> None:
    """Says once what a training will go without."""
    for split, files in data.missing.items():
        if not data.clip_names(split) and (files or split == "train"):
            raise UniTalkerError(
                "data.empty", f"{data.folder}: not one clip of {split}.json is there.", "Is the download complete?"
            )
        if files:
            _log.warning("%s: %d files of %s.json are missing, the first is %s", name, len(files), split, files[0])


def _median_when_quiet(clips: Iterable[Clip], folder: Path, recipe: Recipe) -> dict[str, np.ndarray]:
    """Resting face by identity: the median of training frames in which nobody speaks."""
    frames: dict[str, list[np.ndarray]] = defaultdict(list)
    for clip in clips:
        frames[clip.identity].append(clip.motion[quiet_frames(clip.audio, len(clip.motion), clip.fps, recipe.silence)])
    neutral = {}
    for identity, parts in frames.items():
        quiet = np.concatenate(parts)
        if not len(quiet):
            raise UniTalkerError(
                "data.neutral",
                f"{folder}: {identity} is never silent, so there is no resting face to be found.",
                "Set neutral to none, or add the resting weights to annotation.json.",
            )
        neutral[identity] = np.median(quiet, axis=0)
    return neutral
