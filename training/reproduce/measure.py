"""How far a model is from measured motion, in one way for all heads.

The relative error makes heads comparable: of a mesh LVE (squared, mean per clip, then of clips) divided by that of a
face at rest, of weights the mean squared error of the mouth's channels divided by that of weights at rest. 1 says that
the model is no better than a still face, 0 that it is perfect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from backend.annotation import Annotation
from backend.model.unitalker import UniTalker
from training.channel_metrics import channel_metrics
from training.config import Loss
from training.datasets.clip import Clip as Recording
from training.metrics import Clip, Region, lvd_mm, lve_m2_seqmean, weight_mse_seqmean
from training.reproduce.suite import Identity
from training.sequences import mouth_channels

RELATIVE = "relative error"
_BATCH = 8
_MOVING = 0.01
"""Standard deviation of a weight from which on a channel counts as moving."""


@dataclass(frozen=True)
class Recordings:
    """Recordings of one data set that a model is measured on.

    Attributes:
        recordings: with displacement from rest.
        annotation: of all.
        lips: vertices, for meshes.
    """

    recordings: tuple[Recording, ...]
    annotation: Annotation
    lips: Region | None


Numbers = dict[str, float]


def measure(model: UniTalker, test: Recordings, identities: Iterable[Identity]) -> dict[Identity, Numbers]:
    """Numbers under each kind of identity.

    Args:
        model: trained; its identity table decides who the others are.
        test: what on.
        identities: which kinds; ``own`` needs the recordings' speakers in the table.
    """
    model.eval()
    wanted: dict[Identity, list[str]] = {kind: _names(model, test, kind) for kind in identities}
    features = _encode(model, test)
    found = {}
    for kind, names in wanted.items():
        numbers = [_numbers(_predict(model, test, features, name), test) for name in names]
        found[kind] = {key: float(np.mean([one[key] for one in numbers])) for key in numbers[0]}
    return found


def mean_face(training: Iterable[Recording], test: Recordings) -> Numbers:
    """What a model would get that hears nothing: each speaker's mean over the training recordings, always."""
    frames: dict[str, list[np.ndarray]] = defaultdict(list)
    for recording in training:
        frames[recording.identity].append(recording.motion)
    means = {identity: np.concatenate(parts).mean(0) for identity, parts in frames.items()}
    clips = [
        Clip(np.broadcast_to(means[recording.identity], recording.motion.shape), recording.motion)
        for recording in test.recordings
    ]
    return _numbers(clips, test)


_OWN = ""


def _names(model: UniTalker, test: Recordings, kind: Identity) -> list[str]:
    """Identities to try; the empty name is each speaker's own."""
    table = model.spec.identities
    if kind == "own":
        return [_OWN]
    if kind == "pivot":
        return [table[-1]]
    speakers = {recording.identity for recording in test.recordings}
    people = table[:-1] if model.spec.has_pivot else table
    return [name for name in people if speakers != {name}]


@torch.inference_mode()
def _encode(model: UniTalker, test: Recordings) -> list[torch.Tensor]:
    """Features of each recording; those of one length go through the encoder together."""
    device = next(model.parameters()).device
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, recording in enumerate(test.recordings):
        groups[len(recording.audio), len(recording.motion)].append(number)
    found: dict[int, torch.Tensor] = {}
    for (_, frames), numbers in groups.items():
        for start in range(0, len(numbers), _BATCH):
            batch = numbers[start : start + _BATCH]
            sounds = torch.from_numpy(np.stack([test.recordings[number].audio for number in batch])).to(device)
            found.update(zip(batch, model.encode(sounds, frame_count=frames), strict=True))
    return [found[number] for number in range(len(test.recordings))]


@torch.inference_mode()
def _predict(model: UniTalker, test: Recordings, features: Sequence[torch.Tensor], name: str) -> list[Clip]:
    """Each recording as spoken under an identity; under somebody else's only those of other people."""
    table, head = model.spec.identities, test.annotation.type_name
    clips = []
    for recording, own in zip(test.recordings, features, strict=True):
        if name == recording.identity:
            continue
        row = torch.tensor([table.index(name or recording.identity)], device=own.device)
        values = model.decode(own[None], len(recording.motion), row, head).values[0]
        clips.append(Clip(values.float().cpu().numpy(), recording.motion))
    return clips


def _numbers(clips: list[Clip], test: Recordings) -> Numbers:
    at_rest = [replace(clip, prediction=np.zeros_like(clip.truth)) for clip in clips]
    if test.lips is not None:
        meshes, still = _meshes(clips), _meshes(at_rest)
        error = lve_m2_seqmean(meshes, test.lips).value
        return {
            RELATIVE: error / lve_m2_seqmean(still, test.lips).value,
            "LVE (1e-6 m²)": 1e6 * error,
            "LVD (mm)": lvd_mm(meshes, test.lips).value,
        }
    mouth = mouth_channels(test.annotation, Loss())
    chosen, still = _channels(clips, mouth), _channels(at_rest, mouth)
    error = weight_mse_seqmean(chosen).value
    return {
        RELATIVE: error / weight_mse_seqmean(still).value,
        "mouth MSE (1e-3 weight²)": 1e3 * error,
        "mouth r": _mean_correlation(chosen, test.annotation.fps),
    }


def _mean_correlation(clips: list[Clip], fps: float) -> float:
    """Mean over the channels that move; one that the prediction holds still counts 0."""
    moving = np.concatenate([clip.truth for clip in clips]).std(0) > _MOVING
    names = [str(channel) for channel in range(len(moving))]
    correlation = np.array([channel.pearson_r for channel in channel_metrics(clips, names, fps)])
    return float(np.nan_to_num(correlation[moving]).mean()) if moving.any() else float("nan")


def _meshes(clips: list[Clip]) -> list[Clip]:
    return [
        Clip(clip.prediction.reshape(len(clip.truth), -1, 3), clip.truth.reshape(len(clip.truth), -1, 3))
        for clip in clips
    ]


def _channels(clips: list[Clip], chosen: np.ndarray) -> list[Clip]:
    return [Clip(clip.prediction[:, chosen], clip.truth[:, chosen]) for clip in clips]
