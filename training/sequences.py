"""Clips as sequences, the form in which the model is trained and tested: each by itself, or joined to long ones.

The paper trains on clips as they are. A model that has only seen 3 s clips does badly on long sounds, whose features
differ; then clips of one person are put one after the other in random order with silence in front and between. In
silence the target is rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np

from backend.annotation import Annotation
from backend.audio import SAMPLE_RATE
from training.augment import change_speed, colour
from training.config import Augmentation, Joining, Loss, Recipe
from training.datasets.clip import Clip, Split
from training.datasets.corpus import Corpus
from training.silence import speech_weight

_EDGE_SECONDS = 0.005


@dataclass(frozen=True)
class Sequence:
    """A long recording.

    Attributes:
        name: data set and clips, for messages.
        data_set: the recipe's name of it.
        audio: float32, 16 kHz.
        target: float32 (T, D), displacement from rest.
        identity: whose.
        annotation: what the channels are.
        repeats: how often an epoch uses it.
        template: that of its clips, see `Clip.template`.
        parts: its clips by name, each with the frame at which it begins.
    """

    name: str
    data_set: str
    audio: np.ndarray
    target: np.ndarray
    identity: str
    annotation: Annotation
    repeats: int = 1
    template: np.ndarray | None = None
    parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class ListedClip:
    """A clip that is read when its sequence is made, so that memory does not grow with the number of clips.

    Attributes:
        seconds: its length.
        read: gives it.
    """

    seconds: float
    read: Callable[[], Clip]


def training_sequences(corpus: Corpus, recipe: Recipe, name: str) -> Iterator[Sequence]:
    """The sequences of a data set in a training: its clips as often as the recipe asks, plain and augmented.

    The same recipe gives the same sequences.
    """
    seed, index = sequence_seed(recipe, name)
    clean = corpus.clean_passes(name)
    passes = range(clean + recipe.data[index].augmented_passes)
    chances = [np.random.default_rng([seed, index, number]) for number in passes]
    if recipe.joining is None:
        for stored in corpus.clips(name, "train"):
            clip = _rest_in_silence(stored, recipe)
            if clean:
                yield alone(clip, name, repeats=clean)
            for rng in chances[clean:]:
                yield alone(clip, name, recipe.augmentation, rng)
        return
    people = _by_person(corpus, name, "train", partial(_rest_in_silence, recipe=recipe))
    for number, rng in enumerate(chances):
        augmentation = None if number < clean else recipe.augmentation
        for own in people:
            yield from join(own, name, recipe.joining, augmentation, rng)


def sequence_seed(recipe: Recipe, name: str) -> tuple[int, int]:
    """What chance in the training sequences of a data set depends on: the seed, and the data set's place."""
    return recipe.seed, [settings.name for settings in recipe.data].index(name)


def has_chance(recipe: Recipe, name: str) -> bool:
    """Whether the training sequences of a data set differ from seed to seed."""
    _, index = sequence_seed(recipe, name)
    return recipe.joining is not None or recipe.data[index].augmented_passes > 0


def evaluation_sequences(corpus: Corpus, recipe: Recipe, split: Split) -> Iterator[Sequence]:
    """`split_sequences` of all data sets; those without this split take no part."""
    for name in corpus.names:
        if corpus.has_split(name, split):
            yield from split_sequences(corpus, recipe, name, split)


def split_sequences(corpus: Corpus, recipe: Recipe, name: str, split: Split) -> Iterator[Sequence]:
    """The clips of a split in their order, as they are or joined without silence and augmentation; measured targets."""
    if recipe.joining is None:
        for clip in corpus.clips(name, split):
            yield alone(clip, name)
        return
    for own in _by_person(corpus, name, split, lambda clip: clip):
        yield from join(own, name, _without_chance(recipe.joining), None, None)


def alone(
    clip: Clip,
    data_set: str,
    augmentation: Augmentation | None = None,
    rng: np.random.Generator | None = None,
    repeats: int = 1,
) -> Sequence:
    """A clip as a sequence of its own.

    Args:
        clip: which.
        data_set: name in the recipe.
        augmentation: ``None`` leaves sound and motion as they are.
        rng: of the augmentation.
        repeats: how often an epoch uses it.
    """
    audio, motion = clip.audio, clip.motion
    if augmentation is not None:
        rng = rng or np.random.default_rng(0)
        speed = rng.uniform(*augmentation.speed) * _jitter(augmentation, rng)
        audio, motion = change_speed(audio, motion, speed, clip.fps)
        audio = colour(audio * np.float32(rng.uniform(*augmentation.clip_gain)), augmentation, rng)
    return Sequence(
        name=f"{data_set}: {clip.name}",
        data_set=data_set,
        audio=audio,
        target=motion,
        identity=clip.identity,
        annotation=clip.annotation,
        repeats=repeats,
        template=clip.template,
        parts=((clip.name, 0),),
    )


def join(
    clips: list[ListedClip],
    data_set: str,
    joining: Joining,
    augmentation: Augmentation | None,
    rng: np.random.Generator | None,
) -> Iterator[Sequence]:
    """Joins clips of one person, each used once.

    Args:
        clips: of one identity and annotation.
        data_set: name in the recipe.
        joining: lengths and silences; a sequence is longer than its maximum only if a single clip is.
        augmentation: ``None`` leaves the sound as it is.
        rng: decides on order, lengths and silences; ``None`` keeps the order, for a `joining` without chance.
    """
    ordered = clips if rng is None else [clips[number] for number in rng.permutation(len(clips))]
    rng = rng or np.random.default_rng(0)
    for layout in _layouts(ordered, joining, augmentation, rng):
        sequence = _render(layout, data_set, joining, rng)
        if augmentation is not None:
            sequence = replace(sequence, audio=colour(sequence.audio, augmentation, rng))
        yield sequence


@dataclass
class _Layout:
    """A sequence to be: clips with their playing speed and gain, and silences in seconds, in their order."""

    limit: float
    speed: float
    seconds: float = 0.0
    pieces: list[tuple[ListedClip, float, float] | float] = field(default_factory=list)

    @property
    def has_clips(self) -> bool:
        return any(isinstance(piece, tuple) for piece in self.pieces)

    def add_silence(self, seconds: float) -> None:
        if self.seconds + seconds <= self.limit:
            self.pieces.append(seconds)
            self.seconds += seconds


def _layouts(
    clips: list[ListedClip], joining: Joining, augmentation: Augmentation | None, rng: np.random.Generator
) -> Iterator[_Layout]:
    layout = _begin(joining, augmentation, rng)
    for clip in clips:
        change = _jitter(augmentation, rng)
        seconds = clip.seconds
        if layout.has_clips and layout.seconds + seconds / (layout.speed * change) > layout.limit:
            yield layout
            layout = _begin(joining, augmentation, rng)
        gain = rng.uniform(*augmentation.clip_gain) if augmentation else 1.0
        layout.pieces.append((clip, layout.speed * change, gain))
        layout.seconds += seconds / (layout.speed * change)
        if rng.random() < joining.gap_probability:
            layout.add_silence(rng.uniform(*joining.gap))
    if layout.has_clips:
        yield layout


def _jitter(augmentation: Augmentation | None, rng: np.random.Generator) -> float:
    """Speed of one clip among those of its sequence."""
    widest = augmentation.clip_speed if augmentation else 0.0
    return 1 + rng.uniform(-widest, widest)


def _by_person(corpus: Corpus, name: str, split: Split, change: Callable[[Clip], Clip]) -> list[list[ListedClip]]:
    """The clips of each person; each is read once now to know how long it is.

    Args:
        corpus: with the data set.
        name: of the data set.
        split: which of its clips.
        change: what is done to a clip.
    """
    people: dict[str, list[ListedClip]] = defaultdict(list)
    for read in corpus.readers(name, split):
        clip = read()
        if clip is not None:
            people[clip.identity].append(ListedClip(len(clip.motion) / clip.fps, partial(_read_again, read, change)))
    return list(people.values())


def _read_again(read: Callable[[], Clip | None], change: Callable[[Clip], Clip]) -> Clip:
    return change(cast(Clip, read()))


def _without_chance(joining: Joining) -> Joining:
    """Sequences of one length and no silences."""
    middle = sum(joining.seconds) / 2
    return joining.model_copy(update={"seconds": (middle, middle), "leading_probability": 0.0, "gap_probability": 0.0})


def _begin(joining: Joining, augmentation: Augmentation | None, rng: np.random.Generator) -> _Layout:
    limit = rng.uniform(*joining.seconds)
    layout = _Layout(limit, rng.uniform(*augmentation.speed) if augmentation else 1.0)
    if rng.random() < joining.leading_probability:
        layout.add_silence(rng.uniform(*joining.leading_silence))
    return layout


def _render(layout: _Layout, data_set: str, joining: Joining, rng: np.random.Generator) -> Sequence:
    clips = [piece[0].read() for piece in layout.pieces if isinstance(piece, tuple)]
    annotation = clips[0].annotation
    sounds: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    parts: list[tuple[str, int]] = []
    following = iter(clips)
    for piece in layout.pieces:
        if isinstance(piece, tuple):
            clip, (_, speed, gain) = next(following), piece
            parts.append((clip.name, sum(len(target) for target in targets)))
            audio, motion = clip.audio, clip.motion
            if speed != 1:
                audio, motion = change_speed(audio, motion, speed, annotation.fps)
            sounds.append(_soft_edges(audio * np.float32(gain)))
            targets.append(motion)
        else:
            frames = round(piece * annotation.fps)
            sounds.append(np.zeros(0, np.float32))
            targets.append(np.zeros((frames, annotation.dim), np.float32))
    target = np.concatenate(targets)
    return Sequence(
        name=f"{data_set}: {' '.join(clip.name for clip in clips)}",
        data_set=data_set,
        audio=_place(sounds, [len(part) for part in targets], annotation.fps, joining.silence_level, rng),
        target=target,
        identity=clips[0].identity,
        annotation=annotation,
        template=clips[0].template,
        parts=tuple(parts),
    )


def _place(
    sounds: list[np.ndarray], frames: list[int], fps: float, level: float, rng: np.random.Generator
) -> np.ndarray:
    """Puts each sound where its frames begin; at 30 fps a frame is no whole number of samples."""
    starts = np.round(np.concatenate([[0], np.cumsum(frames)]) / fps * SAMPLE_RATE).astype(int)
    audio = np.zeros(starts[-1], np.float32)
    if level:
        audio += np.float32(level) * rng.standard_normal(len(audio), dtype=np.float32)
    for sound, start, end in zip(sounds, starts[:-1], starts[1:], strict=True):
        part = sound[: end - start]
        audio[start : start + len(part)] += part
    return audio


def _soft_edges(audio: np.ndarray) -> np.ndarray:
    """Fades the ends in and out, because a step in the background noise is a click."""
    length = min(round(_EDGE_SECONDS * SAMPLE_RATE), len(audio) // 2)
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    audio = audio.copy()
    audio[:length] *= ramp
    audio[len(audio) - length :] *= ramp[::-1]
    return audio


def mouth_channels(annotation: Annotation, settings: Loss) -> np.ndarray:
    """bool (D,): channels of the mouth by their names; of vertices all."""
    if annotation.kind != "blendshapes":
        return np.ones(annotation.dim, bool)
    return np.array([name.startswith(settings.mouth_prefixes) for name in annotation.names])


def _rest_in_silence(clip: Clip, recipe: Recipe) -> Clip:
    if not recipe.silence.to_rest:
        return clip
    kept = speech_weight(clip.audio, len(clip.motion), clip.fps, recipe.silence)[:, None]
    mouth = mouth_channels(clip.annotation, recipe.loss)
    return replace(clip, motion=np.where(mouth, clip.motion * kept, clip.motion))
