"""A data set of weights whose lips come from the meshes of the same recordings (`training.lip_shape`)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from training.config import Silence
from training.datasets.clip import SPLITS, Clip, Split
from training.datasets.official import OfficialDataSet
from training.datasets.writer import AUDIO, OfficialWriter
from training.lip_shape import (
    DERIVED,
    MEDIAPIPE_VERTICES,
    LipFit,
    derived_weights,
    fit_lips,
    lip_shape,
    lips_of,
    resting_lips,
)
from training.motion_measures.measuring import Reading, measure
from training.motion_measures.phones import Phone, phones_in
from training.motion_measures.recording import hear
from training.motion_measures.takes import Take
from training.silence import quiet_frames

SHOWN = ("AUC closure", "AUC lip-teeth", "AUC rounding", "AUC open vowels", "near closures", "false closures")
"""Measures of `training.motion_measures` that tell whether labels are better."""

_RIDGE = 30.0


@dataclass(frozen=True)
class LipResult:
    """What came out.

    Attributes:
        measured: clips whose lips are those of their mesh.
        estimated: clips without a mesh, whose lips were estimated from their weights.
        agreement: correlation of estimate and mesh over validation clips that have one, by weight.
        before: readings of the validation clips with known phones as they were, by name of the measure.
        after: the same with derived weights.
    """

    measured: int
    estimated: int
    agreement: dict[str, float]
    before: dict[str, Reading]
    after: dict[str, Reading]


def derive_lips(weights: Path, mesh: Path, out: Path, phones: Path | None, told: Callable[[str], None]) -> LipResult:
    """Writes a data set like `weights`, relative to rest, with the weights of `lip_shape.DERIVED` from the lips.

    Clips without a mesh get what a ridge regression, fitted on those that have one, makes of all their weights.

    Args:
        weights: data set of ARKit weights, official layout.
        mesh: data set of MediaPipe's 468 vertices of the same recordings or some of them, with the same clip names.
        out: new or empty folder.
        phones: phone times of the clips; those beside the sounds are found without it.
        told: the progress in words.

    Raises:
        UniTalkerError: a set is of another kind, they have no clip in common, or somebody is never silent.
    """
    faces, shapes = OfficialDataSet(weights), OfficialDataSet(mesh)
    _check(faces, shapes)
    splits = [split for split in SPLITS if faces.has_split(split)]
    clips = {split: list(faces.clips(split)) for split in splits}
    rest = _resting_weights(faces, [clip for split in splits for clip in clips[split]])
    clips = {split: [replace(c, motion=c.motion - rest[c.identity]) for c in clips[split]] for split in splits}
    lips = _lips(shapes)
    pairs = [clip for split in splits for clip in clips[split] if clip.name in lips]
    if not any(clip.name in lips for clip in clips["train"]):
        raise UniTalkerError("lips.pairs", f"{weights} and {mesh} have no training clip in common.")
    told(f"{len(pairs)} of {sum(map(len, clips.values()))} clips have a mesh")
    derived = _from_mesh(pairs, lips)
    estimate = _Estimate([clip for clip in clips["train"] if clip.name in lips], derived)
    writer = OfficialWriter(out, faces.annotation)
    spoken = {name: found for split in splits for name, found in _phones(faces, split, phones).items()}
    for split in splits:
        for clip in clips[split]:
            motion = derived[clip.name] if clip.name in derived else estimate(clip)
            writer.add(replace(clip, motion=motion), split)
    still = {identity: np.zeros(faces.annotation.dim, np.float32) for identity in rest}
    note = f"weights relative to rest; {', '.join(DERIVED)} from the lips of {mesh.name}"
    writer.finish(note=note, neutral=still)
    if spoken:
        _write_phones(out / AUDIO / "phones.json", spoken)
    held_out = clips.get("val", [])
    return LipResult(
        measured=len(derived),
        estimated=sum(map(len, clips.values())) - len(derived),
        agreement=estimate.agreement([clip for clip in held_out if clip.name in lips], derived),
        before=_measured(held_out, spoken, lambda clip: clip.motion),
        after=_measured(held_out, spoken, lambda clip: derived[clip.name] if clip.name in derived else estimate(clip)),
    )


class _Estimate:
    """Derived weights from all weights of a frame and its neighbours."""

    def __init__(self, clips: Sequence[Clip], derived: dict[str, np.ndarray]) -> None:
        from sklearn.linear_model import Ridge

        inputs = np.concatenate([_with_neighbours(clip.motion) for clip in clips])
        self._columns = [clips[0].annotation.names.index(name) for name in DERIVED]
        self._scale = inputs.std(0) + 1e-4
        targets = np.concatenate([derived[clip.name][:, self._columns] for clip in clips])
        self._ridge = Ridge(alpha=_RIDGE).fit(inputs / self._scale, targets)

    def __call__(self, clip: Clip) -> np.ndarray:
        """float32 (T, C)."""
        result = clip.motion.copy()
        values = np.clip(self._ridge.predict(_with_neighbours(clip.motion) / self._scale), 0, 1)
        result[:, self._columns] = values
        jaw, close = (clip.annotation.names.index(name) for name in ("jawOpen", "mouthClose"))
        result[:, close] = np.minimum(result[:, close], result[:, jaw])
        return result

    def agreement(self, clips: Sequence[Clip], derived: dict[str, np.ndarray]) -> dict[str, float]:
        """Correlation with what the mesh says, by weight."""
        if not clips:
            return {}
        told = np.concatenate([self(clip) for clip in clips])
        seen = np.concatenate([derived[clip.name] for clip in clips])
        return {
            name: float(np.corrcoef(told[:, column], seen[:, column])[0, 1])
            for name, column in zip(DERIVED, self._columns, strict=True)
        }


def _with_neighbours(motion: np.ndarray) -> np.ndarray:
    padded = np.pad(motion, ((1, 1), (0, 0)), mode="edge")
    return np.concatenate([padded[:-2], padded[1:-1], padded[2:]], axis=1)


def _check(faces: OfficialDataSet, shapes: OfficialDataSet) -> None:
    missing = [name for name in DERIVED if name not in (faces.annotation.names or ())]
    if missing:
        raise UniTalkerError(
            "lips.weights", f"{faces.folder} has no {', '.join(missing)}.", "ARKit's weights are needed."
        )
    if shapes.annotation.dim != 3 * MEDIAPIPE_VERTICES or shapes.annotation.fps != faces.annotation.fps:
        raise UniTalkerError(
            "lips.mesh",
            f"{shapes.folder} does not hold MediaPipe's {MEDIAPIPE_VERTICES} vertices at {faces.annotation.fps:g} fps.",
        )


def _resting_weights(data: OfficialDataSet, clips: Sequence[Clip]) -> dict[str, np.ndarray]:
    """Each speaker's resting face: the data set's own word, else the median of the frames in which nobody speaks."""
    if data.neutral:
        return data.neutral
    quiet = _quiet([(clip, clip.motion) for clip in clips], data.folder)
    return {identity: np.median(frames, axis=0) for identity, frames in quiet.items()}


def _lips(data: OfficialDataSet) -> dict[str, tuple[str, np.ndarray, np.ndarray]]:
    """Identity, lips and resting lips by clip."""
    read: list[tuple[Clip, np.ndarray]] = []
    for split in SPLITS:
        for clip in data.clips(split) if data.has_split(split) else ():
            vertices = (clip.motion + data.templates[clip.identity]).reshape(-1, MEDIAPIPE_VERTICES, 3)
            read.append((clip, lips_of(vertices)))
    rest = {identity: resting_lips(frames) for identity, frames in _quiet(read, data.folder).items()}
    return {clip.name: (clip.identity, lips, rest[clip.identity]) for clip, lips in read}


def _quiet(read: Sequence[tuple[Clip, np.ndarray]], folder: Path) -> dict[str, np.ndarray]:
    """Frames in which nobody speaks, by identity."""
    frames: dict[str, list[np.ndarray]] = defaultdict(list)
    for clip, values in read:
        frames[clip.identity].append(values[quiet_frames(clip.audio, len(values), clip.fps, Silence())])
    for identity, parts in frames.items():
        if not sum(map(len, parts)):
            raise UniTalkerError("lips.rest", f"{folder}: {identity} is never silent, so the resting face is unknown.")
    return {identity: np.concatenate(parts) for identity, parts in frames.items()}


def _from_mesh(pairs: Sequence[Clip], lips: dict[str, tuple[str, np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Derived weights by clip; how far lips open is fitted over everybody, how they fall for each."""
    names = pairs[0].annotation.names
    jaw, close = names.index("jawOpen"), names.index("mouthClose")
    lengths = {clip.name: min(len(clip.motion), len(lips[clip.name][1])) for clip in pairs}
    shapes = {clip.name: lip_shape(lips[clip.name][1][: lengths[clip.name]], lips[clip.name][2]) for clip in pairs}
    openings = {c.name: (c.motion[:, jaw] - c.motion[:, close])[: lengths[c.name]] for c in pairs}

    def fit(chosen: Sequence[Clip]) -> LipFit:
        return fit_lips([shapes[clip.name] for clip in chosen], [openings[clip.name] for clip in chosen])

    opening = fit(pairs).opening
    people: dict[str, list[Clip]] = defaultdict(list)
    for clip in pairs:
        people[clip.identity].append(clip)
    fits = {person: LipFit(opening, fit(own).lowering) for person, own in people.items()}
    return {
        clip.name: derived_weights(clip.motion[: lengths[clip.name]], names, shapes[clip.name], fits[clip.identity])
        for clip in pairs
    }


def _phones(data: OfficialDataSet, split: Split, extra: Path | None) -> dict[str, list[Phone]]:
    return {name: found for place in data.sound_folders(split) for name, found in phones_in(place, extra).items()}


def _write_phones(path: Path, phones: dict[str, list[Phone]]) -> None:
    rows = {name: [(p.start, p.end, p.label, "") for p in found] for name, found in phones.items()}
    path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")


def _measured(
    clips: Sequence[Clip], phones: dict[str, list[Phone]], motion: Callable[[Clip], np.ndarray]
) -> dict[str, Reading]:
    recordings = [
        Take(
            clip.name,
            clip.identity,
            FaceMotion(motion(clip), clip.fps, clip.annotation),
            hear(clip.audio, phones[clip.name]),
        ).recording
        for clip in clips
        if clip.name in phones
    ]
    return {name: reading for name, reading in measure(recordings).items() if name in SHOWN}
