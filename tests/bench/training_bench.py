"""Training: motion trained a second, beside a loop built as the released one is; share of loading; peak memory.

The released loop takes one clip a step, holds all clips in memory and asks the encoder in each step, also while it is
frozen. Both ways here have the same clips, losses and optimiser, and a model of the same weights: the encoder's size is
that of the bundled model, its weights are random, which does not change the time.

usage: python -m tests.bench.training_bench                  the tables
       python -m tests.bench.training_bench WAY CLIPS        peak memory of one way, in MB: a child of the above
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from backend.engine import prepare_environment

prepare_environment()

import torch  # noqa: E402 - after its environment
from transformers import WhisperConfig  # noqa: E402
from transformers.models.whisper.modeling_whisper import WhisperEncoder  # noqa: E402

from backend.annotation import Annotation  # noqa: E402
from backend.audio import SAMPLE_RATE, read_audio  # noqa: E402
from tests.bench.model_bench import peak_mb, reset_peak  # noqa: E402
from training.config import Recipe, Stage, parse_recipe  # noqa: E402
from training.datasets.clip import Clip  # noqa: E402
from training.datasets.corpus import Corpus  # noqa: E402
from training.datasets.writer import OfficialWriter  # noqa: E402
from training.losses import SumOf  # noqa: E402
from training.objective import losses_by_head  # noqa: E402
from training.observer import EpochReport, Observer  # noqa: E402
from training.places import Places  # noqa: E402
from training.runs import begin  # noqa: E402
from training.schedule import make_optimiser  # noqa: E402
from training.store import Progress  # noqa: E402
from training.trainer import Material, Trainer  # noqa: E402
from training.whisper_source import WhisperEncoderWeights, save_encoder  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
VOICE = ROOT / "assets" / "audio" / "demo_voice.ogg"
# Whisper base, of which the bundled model has three layers.
ENCODER = {
    "d_model": 512,
    "encoder_layers": 3,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}
CLIPS, SECONDS = 24, 4
FEW, MANY = 25, 100
TURNS = 3
# Of a turn: epochs of ours, steps of the released loop.
STAGES = {"warm_up": (4, 16), "joint": (1, 12)}
TITLES = {"warm_up": "decoder warm-up, encoder frozen", "joint": "joint training"}

RECIPE = """
name: bench
licence: CC0-1.0
data:
  - {name: weights, folder: weights}
  - {name: mesh, folder: mesh}
encoder: {source: [encoder.safetensors], layers: 3}
heads:
  bench_weight: {title: Weights}
  bench_vertices: {title: Mesh, components: 16}
warm_up: {epochs: 1, batch: 4}
joint: {epochs: 0, batch: 4}
checkpoint_minutes: 1000
"""


@dataclass(frozen=True)
class Turn:
    """What one way did in its turn: seconds it took, seconds of motion it trained on, share of loading."""

    spent: float
    trained: float
    loading: float

    @property
    def rate(self) -> float:
        return self.trained / self.spent


# --- what is trained on --------------------------------------------------------------------------------------------


def write_data(root: Path, clips: int) -> None:
    """As many clips of each of two annotation types: 51 weights, and a mesh of 468 vertices."""
    voice = read_audio(VOICE).samples[:]
    names = tuple(f"channel {number}" for number in range(51))
    kinds = {
        "weights": Annotation(type_name="bench_weight", kind="blendshapes", dim=51, fps=25, unit="weight", names=names),
        "mesh": Annotation(type_name="bench_vertices", kind="vertices", dim=468 * 3, fps=25, unit="m"),
    }
    random = np.random.default_rng(0)
    for folder, annotation in kinds.items():
        writer = OfficialWriter(root / folder, annotation)
        scale = 0.2 if annotation.unit == "weight" else 0.002
        for number in range(clips):
            audio = np.roll(voice, int(random.integers(len(voice))))
            audio = np.resize(audio, SECONDS * SAMPLE_RATE).astype(np.float32)
            noise = random.standard_normal((SECONDS * 25 + 4, annotation.dim)).cumsum(0)
            motion = (scale * np.abs(noise[4:] - noise[:-4])).astype(np.float32)
            clip = Clip(name=f"{number}", audio=audio, motion=motion, identity="one", annotation=annotation)
            writer.add(clip, "train")
            if number < 2:
                writer.add(replace(clip, name=f"val {number}"), "val")
        writer.finish()


def write_encoder(path: Path) -> None:
    torch.manual_seed(0)
    state = WhisperEncoder(WhisperConfig(**ENCODER)).state_dict()
    save_encoder(WhisperEncoderWeights({name: tensor.numpy() for name, tensor in state.items()}, ENCODER), path)


def silent(_name: str) -> Progress:
    return lambda _done, _what: None


def recipe_for(stage: str) -> Recipe:
    """Only one of the stages."""
    recipe = parse_recipe(yaml.safe_load(RECIPE), "bench")
    stages = {
        name: getattr(recipe, name).model_copy(update={"epochs": epochs if name == stage else 0})
        for name, (epochs, _) in STAGES.items()
    }
    return recipe.model_copy(update=stages)


def prepare(folder: Path, stage: str, device: torch.device) -> tuple[Material, float]:
    """What a training works with, and the seconds that preparing it took, the features' storing included."""
    started = time.perf_counter()
    places = Places(folder, folder / "cache", folder / "encoder.safetensors")
    material = begin(recipe_for(stage), folder / f"run {stage}", places, device, silent)
    return material, time.perf_counter() - started


# --- the two ways ------------------------------------------------------------------------------------------------


class Reports(Observer):
    def __init__(self) -> None:
        self.epochs: list[EpochReport] = []

    def epoch(self, report: EpochReport) -> None:
        self.epochs.append(report)


def our_turn(material: Material, run: Path, stage: str, device: torch.device) -> Turn:
    """Some epochs of our trainer, which take its steps alone: validation and checkpoints are left out."""
    reports = Reports()
    Trainer(material, run, device, reports).fit()
    settings: Stage = getattr(material.recipe, stage)
    seconds = sum(min(entry.frames / entry.fps, settings.crop_seconds) for entry in material.training.entries)
    steps = reports.epochs[-1].steps / len(reports.epochs)
    spent = sum(steps / report.steps_per_second for report in reports.epochs)
    return Turn(spent, seconds * len(reports.epochs), median(report.loading_share for report in reports.epochs))


class ReleasedLoop:
    """The structure of the released training loop around our model, losses and optimiser.

    Args:
        material: of ours; its model is copied.
        clips: all of them, in memory.
        stage: ``warm_up`` or ``joint``.
        device: where to compute.
    """

    def __init__(self, material: Material, clips: list[Clip], stage: str, device: torch.device) -> None:
        self._model = copy.deepcopy(material.model).to(device).train()
        self._losses = {name: loss.to(device) for name, loss in whole_losses(material).items()}
        self._optimiser = make_optimiser(self._model, getattr(material.recipe, stage))
        self._clips = clips
        self._device = device
        self._random = np.random.default_rng(0)

    def turn(self, steps: int) -> Turn:
        started, loading, trained = time.perf_counter(), 0.0, 0.0
        for number in self._random.permutation(len(self._clips))[:steps]:
            before = time.perf_counter()
            clip = self._clips[number]
            waveform, target = (torch.from_numpy(values)[None].to(self._device) for values in (clip.audio, clip.motion))
            loading += time.perf_counter() - before
            self._step(clip, waveform, target)
            trained += len(clip.motion) / clip.fps
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        spent = time.perf_counter() - started
        return Turn(spent, trained, loading / spent)

    def _step(self, clip: Clip, waveform: torch.Tensor, target: torch.Tensor) -> None:
        head, frames = clip.annotation.type_name, len(clip.motion)
        features = self._model.encode(waveform, frame_count=frames)
        identity = torch.zeros(1, dtype=torch.long, device=self._device)
        prediction = self._model.decode(features, frames, identity, head)
        mask = torch.ones(1, frames, dtype=torch.bool, device=self._device)
        loss = self._losses[head](prediction, target, mask)
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._optimiser.step()
        # As the released loop does when it sums the loss of an epoch.
        float(loss.detach())


def whole_losses(material: Material) -> dict[str, SumOf]:
    """Those of the material, comparing vertices themselves as the released loop does."""
    layers = material.model.pca_layer_dict.items()
    components = {name: layer.get_buffer("feat_to_data").cpu() for name, layer in layers}
    return losses_by_head(material.recipe, material.annotations, material.training, components, {})


def all_clips(material: Material, folder: Path) -> list[Clip]:
    corpus = Corpus(material.recipe, folder)
    return [clip for name in corpus.names for clip in corpus.clips(name, "train")]


# --- tables ------------------------------------------------------------------------------------------------------


def speed_table(folder: Path, device: torch.device) -> tuple[Table, float, float]:
    """The table; seconds that storing the features took, and those of one epoch of the released loop."""
    table = Table(title=f"Seconds of motion trained in a second, {device.type}, by turns, medians of {TURNS}")
    for heading in ("stage", "ours", "loading", "as released", "ratio", "aim"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    stored = epoch = 0.0
    for stage, (_, steps) in STAGES.items():
        material, preparing = prepare(folder, stage, device)
        loop = ReleasedLoop(material, all_clips(material, folder), stage, device)
        ours, released = [], []
        # One turn more than counted, since whoever begins pays for what is done only once.
        for turn in range(TURNS + 1):
            ours.append(our_turn(material, folder / f"run {stage}", stage, device))
            released.append(loop.turn(steps))
            if turn == 0:
                ours.clear()
                released.clear()
        ratio = median(mine.rate / other.rate for mine, other in zip(ours, released, strict=True))
        loading = median(turn.loading for turn in ours)
        rates = (median(turn.rate for turn in turns) for turns in (ours, released))
        cells = [f"{rate:.0f} s" for rate in rates]
        aim = "3 x, loading below 10 %" if stage == "warm_up" else ""
        table.add_row(TITLES[stage], cells[0], f"{100 * loading:.1f} %", cells[1], f"{ratio:.1f} x", aim)
        if stage == "warm_up":
            stored = preparing
            epoch = 2 * CLIPS * SECONDS / median(turn.rate for turn in released)
    return table, stored, epoch


def memory_table() -> Table:
    table = Table(title=f"Peak memory of a whole process, clips of {SECONDS} s, half of them of 468 vertices")
    for heading in ("clips", "ours", "as released"):
        table.add_column(heading, justify="right")
    for clips in (FEW, MANY):
        table.add_row(str(2 * clips), *(f"{peak_of_child(way, clips):.0f} MB" for way in ("ours", "released")))
    return table


def peak_of_child(way: str, clips: int) -> float:
    command = [sys.executable, "-m", "tests.bench.training_bench", way, str(clips)]
    # Otherwise the C library keeps what is freed, and the peak tells how often something was, not how much is held.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072"}
    run = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return float(run.stdout)


def peak_of(way: str, clips: int) -> float:
    """MB of this process while it prepares a warm-up and trains for a while."""
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_encoder(folder / "encoder.safetensors")
        write_data(folder, clips)
        reset_peak()
        material, _ = prepare(folder, "warm_up", device)
        if way == "ours":
            our_turn(material, folder / "run warm_up", "warm_up", device)
        else:
            ReleasedLoop(material, all_clips(material, folder), "warm_up", device).turn(STAGES["warm_up"][1])
        return peak_mb()


def main() -> None:
    if len(sys.argv) > 1:
        print(peak_of(sys.argv[1], int(sys.argv[2])))
        return
    console = Console(width=120)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as name:
        write_encoder(Path(name) / "encoder.safetensors")
        write_data(Path(name), CLIPS)
        table, stored, epoch = speed_table(Path(name), device)
    console.print(table)
    console.print(
        f"Before the warm-up ours stores the features once, which here takes {stored:.0f} s with all other "
        f"preparations: {stored / epoch:.1f} epochs of the released loop."
    )
    console.print(memory_table())


if __name__ == "__main__":
    main()
