"""The teacher: phones in time → face motion, with the coarticulation of real takes.

Articulatory features of the first and second half of each frame go through a small temporal convolution network.
Several networks are averaged. Only what speech moves is learned: jaw and mouth; every other channel stays at rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from backend.errors import UniTalkerError
from training.synthesis.phones import FEATURE_COUNT, FEATURE_INDEX, FEATURES
from training.synthesis.takes import Take, Takes
from training.synthesis.timeline import Timeline, track

HALVES = 2
_SUBFRAMES = 4
_WIDTH, _BLOCKS, _DROPOUT = 128, 3, 0.2
_DEVIATION_FLOOR = 0.02
_APERTURE_WEIGHT, _APERTURE_VARIANCE = 3.0, 0.009
_BATCH, _LEARNING_RATE, _WEIGHT_DECAY = 16, 2e-3, 1e-2

Report = Callable[[str], None]


@dataclass(frozen=True)
class Schedule:
    """How long and how many networks are trained; `kernels` has one kernel width per network."""

    epochs: int = 30
    kernels: tuple[int, ...] = (5, 5, 7)
    seed: int = 0


def occupancy(timeline: Timeline, frames: int, fps: float) -> np.ndarray:
    """Articulatory features of the two halves of each frame.

    Frame ``i`` stands for the time from ``(i - 0.5) / fps`` to ``(i + 0.5) / fps``; outside the timeline is silence.

    Returns:
        float32 (frames, 2 · FEATURE_COUNT).
    """
    phones = track(timeline)
    times = (np.arange(frames * _SUBFRAMES) + 0.5) / (fps * _SUBFRAMES) - 0.5 / fps
    states = np.zeros((len(times), FEATURE_COUNT), np.float32)
    states[:, FEATURE_INDEX["silence"]] = 1
    for start, end, features in zip(phones.starts, phones.ends, phones.features, strict=True):
        states[(times >= start) & (times < end)] = features
    halves = states.reshape(frames, HALVES, _SUBFRAMES // HALVES, FEATURE_COUNT).mean(2)
    return np.asarray(halves.reshape(frames, -1), np.float32)


class MotionNet(nn.Module):
    """Linear layer, residual convolutions along time with LayerNorm, linear head that starts at the mean motion.

    Args:
        channels: of the motion.
        kernel: odd width of the convolutions in frames.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.entry = nn.Linear(HALVES * FEATURE_COUNT, _WIDTH)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(_WIDTH, _WIDTH, kernel, padding=kernel // 2) for _ in range(_BLOCKS)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(_WIDTH) for _ in range(_BLOCKS))
        self.head = nn.Linear(_WIDTH, channels)
        nn.init.zeros_(self.head.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, 2 · FEATURE_COUNT) → (B, T, channels)."""
        hidden = functional.dropout(self.entry(features), _DROPOUT, self.training)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            update = norm(convolution(hidden.transpose(1, 2)).transpose(1, 2))
            hidden = functional.dropout(functional.relu(hidden + update), _DROPOUT, self.training)
        motion: Tensor = self.head(hidden)
        return motion


class Teacher:
    """Trained networks and the channels they speak of.

    Args:
        nets: at least one.
        kernels: their kernel widths.
        names: channel names of the motion; those that do not belong to jaw and mouth stay 0.
        fps: frame rate of the motion.
        provenance: what it was trained on, for the manifest; plain data.
    """

    def __init__(
        self,
        nets: Sequence[MotionNet],
        kernels: Sequence[int],
        names: Sequence[str],
        fps: float,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        self._nets = [net.eval() for net in nets]
        self._kernels = tuple(kernels)
        self.names = tuple(names)
        self.fps = fps
        self.provenance = provenance or {}
        self._spoken = spoken_channels(names)

    def __call__(self, timeline: Timeline, frames: int) -> np.ndarray:
        """Motion of a timeline.

        Returns:
            float32 (frames, channels) relative to the resting face.
        """
        features = torch.from_numpy(occupancy(timeline, frames, self.fps))[None]
        motion = np.zeros((frames, len(self.names)), np.float32)
        with torch.no_grad():
            motion[:, self._spoken] = torch.stack([net(features)[0] for net in self._nets]).mean(0).numpy()
        return motion

    def save(self, path: Path) -> None:
        """Writes a safetensors file that `load_teacher` reads."""
        tensors = {f"{i}.{key}": t for i, net in enumerate(self._nets) for key, t in net.state_dict().items()}
        description = {
            **{"kernels": self._kernels, "names": self.names, "fps": self.fps, "features": FEATURES},
            "provenance": self.provenance,
        }
        save_file(tensors, path, {"teacher": json.dumps(description)})


def load_teacher(path: Path) -> Teacher:
    """Reads what `Teacher.save` wrote.

    Raises:
        UniTalkerError: the file is missing, of another kind, or made with other articulatory features.
    """
    try:
        with safe_open(path, "pt") as file:
            described = (file.metadata() or {}).get("teacher")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise UniTalkerError("synthesis.teacher", f"{path} cannot be read as a teacher: {error}.") from error
    if described is None:
        raise UniTalkerError("synthesis.teacher", f"{path} is not a teacher.", "Train one from takes instead.")
    description = json.loads(described)
    if tuple(description["features"]) != FEATURES:
        raise UniTalkerError(
            "synthesis.teacher", f"{path} was trained with other articulatory features.", "Train it again."
        )
    nets = []
    for i, kernel in enumerate(description["kernels"]):
        net = MotionNet(int(spoken_channels(description["names"]).sum()), kernel)
        net.load_state_dict({k.partition(".")[2]: t for k, t in tensors.items() if k.startswith(f"{i}.")})
        nets.append(net)
    return Teacher(
        nets, description["kernels"], description["names"], description["fps"], description.get("provenance")
    )


def spoken_channels(names: Sequence[str]) -> np.ndarray:
    """bool (channels,): which ARKit weights speech moves."""
    return np.array([name.startswith(("jaw", "mouth")) for name in names])


def train_teacher(takes: Takes, schedule: Schedule, report: Report) -> Teacher:
    """Trains the networks on the training split, on one thread and from fixed seeds."""
    spoken = spoken_channels(takes.names)
    names = [name for name, used in zip(takes.names, spoken, strict=True) if used]
    clips = [(occupancy(t.phones, len(t.motion), takes.fps), t.motion[:, spoken]) for t in takes.train]
    nets = []
    for i, kernel in enumerate(schedule.kernels):
        nets.append(_fit(clips, names, kernel, schedule.epochs, schedule.seed + i))
        report(f"teacher network {i + 1} of {len(schedule.kernels)} trained")
    return Teacher(nets, schedule.kernels, takes.names, takes.fps)


def evaluate(predict: Callable[[Take], np.ndarray], takes: Sequence[Take], names: Sequence[str]) -> dict[str, float]:
    """Correlation with measured motion over all frames, for ``aperture`` and the jaw and mouth weights that move."""
    measured = np.concatenate([take.motion for take in takes])
    predicted = np.concatenate([predict(take) for take in takes])
    index = {name: i for i, name in enumerate(names)}
    jaw, close = index["jawOpen"], index["mouthClose"]
    result = {"aperture": _correlation(predicted[:, jaw] - predicted[:, close], measured[:, jaw] - measured[:, close])}
    for name, channel in index.items():
        if name.startswith(("jaw", "mouth")) and measured[:, channel].std() > 1e-3:
            result[name] = _correlation(predicted[:, channel], measured[:, channel])
    return result


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-6 else 0.0


def _fit(
    clips: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[str], kernel: int, epochs: int, seed: int
) -> MotionNet:
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    motion = np.concatenate([target for _, target in clips])
    net = MotionNet(len(names), kernel)
    net.head.bias.data = torch.from_numpy(motion.mean(0))
    # What never occurs in the takes has nothing to say when it occurs elsewhere.
    heard = np.concatenate([features for features, _ in clips]).any(0)
    net.entry.weight.data *= torch.from_numpy(heard)
    weights = torch.from_numpy(1 / (motion.var(0) + _DEVIATION_FLOOR**2)).float()
    weights *= len(weights) / float((weights * torch.from_numpy(motion.var(0))).sum())
    jaw, close = names.index("jawOpen"), names.index("mouthClose")
    steps = -(-len(clips) // _BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=epochs * steps)
    for _ in range(epochs):
        for batch in np.array_split(order.permutation(len(clips)), steps):
            features, target, valid = _padded([clips[i] for i in batch])
            error = (net(features) - target) * valid
            aperture = error[..., jaw] - error[..., close]
            count = valid.sum()
            loss = (weights * error**2).sum() / (count * len(names))
            loss = loss + _APERTURE_WEIGHT * (aperture**2).sum() / (count * _APERTURE_VARIANCE * len(names))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return net


def _padded(clips: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor, Tensor]:
    features, motion = ([torch.from_numpy(pair[i]) for pair in clips] for i in range(2))
    valid = [torch.ones(len(target), 1) for target in motion]
    return tuple(nn.utils.rnn.pad_sequence(parts, batch_first=True) for parts in (features, motion, valid))  # type: ignore[return-value]
