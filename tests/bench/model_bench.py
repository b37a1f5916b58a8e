"""Networks at full size: ours beside a plain use of `transformers` with the same weights and the same decoder.

usage: python -m tests.bench.model_bench          the tables
       python -m tests.bench.model_bench B        one model's measurements as JSON lines: a child of the above
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from backend.engine import prepare_environment
from backend.errors import UniTalkerError

prepare_environment()

import torch  # noqa: E402 - after its environment
from torch import Tensor, nn  # noqa: E402
from transformers import Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel  # noqa: E402

from backend.audio import SAMPLE_RATE  # noqa: E402
from backend.bundle import load_bundle  # noqa: E402
from backend.model.frequency_adaptor import adapt_frequency  # noqa: E402
from backend.model.unitalker import UniTalker  # noqa: E402
from backend.windows import WINDOW_SECONDS, split_windows  # noqa: E402
from tests.official_weights import RELEASED, official_spec, random_model  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SMALL = "S"
# Seconds of sound and batch, the cheapest first: the later ones are foretold from the earlier.
CASES = ((10, 1), (10, 8), (60, 1), (60, 8))
WEIGHTS, MESH = "inhouse_blendshape_weight", "BIWI_23370_vertices"
# Repetitions end here, and the plain way is not tried where it would take longer.
PATIENCE = 15.0
# Beyond this only the first window is measured and the rest reckoned from it.
LONGEST = 45.0
RUNS = 3
# Table 9 of the paper: millions of trainable parameters, seconds for 10 s of sound on a V100 (BIWI).
PAPER = {"B": (92, 0.024), "L": (313, 0.054)}

Way = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes:
        sound: seconds.
        way: ``ours``, ``plain``, or the half precision.
        seconds: shortest of the runs, since other programs only ever lengthen one.
        peak: MB.
        reckoned: whether `seconds` is reckoned from the first window.
        deviation: from ours in single precision.
    """

    model: str
    sound: int
    batch: int
    way: str
    head: str
    seconds: float
    peak: float
    reckoned: bool = False
    deviation: float = 0.0


@dataclass(frozen=True)
class Skipped:
    """A measurement of ours that was left out, and why."""

    model: str
    sound: int
    batch: int
    way: str
    reason: str


# --- the two ways ------------------------------------------------------------------------------------------------


def our_way(model: UniTalker, head: str) -> Way:
    return lambda waveform, frames: model(waveform, head, frames).values


def plain_way(model: UniTalker, head: str) -> Way:
    """The library's own encoder as its documentation shows it, then adaptor, decoder and head of the same model."""
    spec = model.spec.encoder
    config_class, model_class = {"wavlm": (WavLMConfig, WavLMModel), "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model)}[
        spec.kind
    ]
    with torch.device("meta"):
        encoder: nn.Module = model_class(config_class(**spec.config))
    # The same tensors, not a copy.
    encoder.load_state_dict(model.audio_encoder.state_dict(), assign=True)
    encoder.eval()

    def predict(waveform: Tensor, frames: int) -> Tensor:
        if spec.normalise_waveform:
            deviation = torch.sqrt(waveform.var(-1, keepdim=True, unbiased=False) + 1e-7)
            waveform = (waveform - waveform.mean(-1, keepdim=True)) / deviation
        features = adapt_frequency(encoder(waveform).last_hidden_state, frames)
        pivot = torch.full((len(waveform),), len(model.spec.identities) - 1, device=waveform.device)
        return model.read(model.decoder(features, pivot), head).values

    return predict


@torch.inference_mode()
def animate(way: Way, sounds: Tensor, fps: float) -> Tensor:
    """All sounds of a batch, in the windows in which inference cuts them; the last window's motion."""
    for window in split_windows(sounds.shape[1], fps):
        motion = way(sounds[:, window.start : window.stop], window.frames)
    return motion.float()


def seconds_of_windows(sound: float) -> float:
    """What the network hears of a sound, overlaps twice."""
    windows = split_windows(round(sound * SAMPLE_RATE), 25.0)
    return sum(window.stop - window.start for window in windows) / SAMPLE_RATE


# --- measuring ---------------------------------------------------------------------------------------------------


def reset_peak() -> None:
    """Let the system's high-water mark of this process begin anew; where it cannot, marks only grow."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    elif sys.platform == "linux":
        # Memory that is freed but not given back would be counted for the next.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    if sys.platform == "linux":
        return _proc_mb("/proc/self/status", "VmHWM")
    import resource  # not on Windows, where this bench does not run

    # In bytes on macOS and in KiB elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _proc_mb(file: str, label: str) -> float:
    line = next(line for line in Path(file).read_text().splitlines() if line.startswith(label))
    return int(line.split()[1]) * 1024 / 1e6


def timed(way: Way, sounds: Tensor, fps: float) -> tuple[float, float, Tensor]:
    """Seconds, peak in MB, motion."""
    reset_peak()
    start = time.perf_counter()
    motion = animate(way, sounds, fps)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, peak_mb(), motion


def alternate(ways: dict[str, Way], sounds: Tensor, fps: float, spent: float) -> Iterator[tuple[str, float, float]]:
    """Way, shortest of its times, largest of its peaks; by turns, so that a busy machine slows all alike.

    Args:
        ways: by name.
        sounds: ``(batch, samples)``.
        fps: of the head.
        spent: seconds that one round is expected to take.
    """
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    # In each order once, where there is something to compare.
    for turn in range(max(len(ways), min(RUNS, int(PATIENCE / spent)))):
        # Whoever comes second finds warm caches.
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            runs[name].append(timed(ways[name], sounds, fps)[:2])
    for name, measured in runs.items():
        yield name, min(seconds for seconds, _ in measured), max(peak for _, peak in measured)


def voice(seconds: int, batch: int, device: str) -> Tensor:
    """Noise that swells and fades: the time does not depend on what is said."""
    samples = torch.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    noise = torch.randn(batch, len(samples), generator=torch.Generator().manual_seed(0))
    return (0.1 * noise * torch.sin(3 * samples) ** 2).to(device)


def too_large(model: str, sound: int, batch: int, peak_of_one: float, base: float) -> Skipped | None:
    """Whether a batch would not fit, judged by what one item took."""
    needed = base + batch * (peak_of_one - base)
    if sys.platform != "linux" or torch.cuda.is_available():
        return None
    free = _proc_mb("/proc/meminfo", "MemAvailable")
    if needed - base < 0.9 * free:
        return None
    return Skipped(model, sound, batch, "ours", f"needs {needed / 1e3:.0f} GB, {free / 1e3:.0f} GB are free")


def measure(name: str, device: str) -> Iterator[Result | Skipped]:
    """Every case of one model."""
    if name == SMALL:
        bundle = load_bundle("unitalker-s", device)
        model, head = bundle.model, bundle.manifest.default_head
    else:
        model, head = random_model(RELEASED[name]).to(device), WEIGHTS
    ways = {"ours": our_way(model, head)} | ({} if name == SMALL else {"plain": plain_way(model, head)})
    yield from compare(name, ways, head, model.spec.head(head).annotation.fps, device)
    if name != SMALL:
        yield mesh_result(name, model, device)
        yield from precision_results(name, model, device)


def compare(name: str, ways: dict[str, Way], head: str, fps: float, device: str) -> Iterator[Result | Skipped]:
    """`CASES` in each way, as far as time and memory allow."""
    for way in ways.values():
        animate(way, voice(2, 1, device), fps)
    reset_peak()
    base = peak_mb()
    alone: dict[int, Result] = {}
    for sound, batch in CASES:
        skipped = too_large(name, sound, batch, alone[sound].peak, base) if sound in alone else None
        if skipped:
            yield skipped
            continue
        expected = batch * seconds_of_windows(sound) / 10 * alone[10].seconds if alone else 1.0
        reckoned = expected > LONGEST
        measured = WINDOW_SECONDS if reckoned else sound
        factor = seconds_of_windows(sound) / seconds_of_windows(measured)
        chosen = {way: call for way, call in ways.items() if way == "ours" or expected <= PATIENCE}
        for way, seconds, peak in alternate(chosen, voice(measured, batch, device), fps, 2 * expected):
            result = Result(name, sound, batch, way, head, seconds * factor, peak, reckoned)
            if way == "ours" and batch == 1:
                alone[sound] = result
            yield result


def mesh_result(name: str, model: UniTalker, device: str) -> Result:
    """10 s to the mesh of BIWI, which the paper's times are of."""
    model.pca_layer_dict[MESH].feat_to_data.normal_(0, 0.01)  # type: ignore[union-attr, operator]
    way, sounds = our_way(model, MESH), voice(10, 1, device)
    fps = model.spec.head(MESH).annotation.fps
    _, seconds, peak = next(alternate({"ours": way}, sounds, fps, 1.0))
    return Result(name, 10, 1, "ours", MESH, seconds, peak)


def precision_results(name: str, model: UniTalker, device: str) -> Iterator[Result]:
    """On CUDA: half precisions by autocast, with the largest deviation of a weight from single precision."""
    if device != "cuda":
        return
    way, fps = our_way(model, WEIGHTS), model.spec.head(WEIGHTS).annotation.fps
    for sound, batch in CASES:
        sounds = voice(sound, batch, device)
        reference = animate(way, sounds, fps)
        for precision in (torch.bfloat16, torch.float16):
            with torch.autocast(device, precision):
                deviation = (animate(way, sounds, fps) - reference).abs().max().item()
                _, seconds, peak = next(alternate({"half": way}, sounds, fps, 1.0))
            yield Result(name, sound, batch, str(precision), WEIGHTS, seconds, peak, deviation=deviation)


# --- the tables --------------------------------------------------------------------------------------------------


def run_child(name: str, console: Console) -> list[dict[str, Any]]:
    """All measurements of one model, in a process of its own; the lines of its stdout are JSON."""
    console.print(f"measuring {name} …", style="dim")
    command = [sys.executable, "-m", "tests.bench.model_bench", name]
    completed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if completed.returncode:
        # Killed for want of memory, most likely: what was measured before is still worth showing.
        console.print(f"{name}: ended with exit code {completed.returncode}", style="red")
    return [json.loads(line) for line in completed.stdout.splitlines()]


def speed_table(rows: list[dict[str, Any]]) -> Table:
    title = "Networks at full size, in windows of 25 s; plain: `transformers` and the same decoder, same weights"
    table = Table(title=title)
    for heading in ("model", "sound", "batch", "ours", "sound/time", "peak", "plain", "peak", "ours faster by"):
        table.add_column(heading, justify="right")
    by_case: dict[tuple[str, int, int], dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row.get("head") != MESH and row["way"] in ("ours", "plain"):
            by_case.setdefault((row["model"], row["sound"], row["batch"]), {})[row["way"]] = row
    for case, ways in by_case.items():
        table.add_row(*_speed_cells(*case, ways["ours"], ways.get("plain")))
    return table


def _speed_cells(
    model: str, sound: int, batch: int, ours: dict[str, Any], plain: dict[str, Any] | None
) -> Iterator[str]:
    yield from (model, f"{sound} s", str(batch))
    if "reason" in ours:
        yield ours["reason"]
        return
    yield ("≈ " if ours["reckoned"] else "") + f"{ours['seconds']:.2f} s"
    yield f"{sound * batch / ours['seconds']:.1f} x"
    yield f"{ours['peak']:.0f} MB"
    if plain:
        yield from (f"{plain['seconds']:.2f} s", f"{plain['peak']:.0f} MB")
        yield f"{plain['seconds'] / ours['seconds']:.2f} x"


def trainable_millions(variant: str) -> float:
    """Parameters that training changes: all but the convolutional front end."""
    with torch.device("meta"):
        model = UniTalker(official_spec(RELEASED[variant]))
    model.freeze_front_end()
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad) / 1e6


def paper_table(rows: list[dict[str, Any]], device: str) -> Table:
    table = Table(title="Beside the paper: 10 s of sound to the BIWI mesh, trainable parameters")
    for heading in ("model", f"ours, this {device}", "paper, V100", "parameters, ours", "paper"):
        table.add_column(heading, justify="right")
    for name, (millions, seconds) in PAPER.items():
        mesh = next((row for row in rows if row["model"] == name and row.get("head") == MESH), None)
        measured = "not measured" if mesh is None else f"{mesh['seconds']:.3f} s"
        table.add_row(name, measured, f"{seconds} s", f"{trainable_millions(name):.1f} M", f"{millions} M")
    return table


def precision_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Half precision by autocast, random weights")
    for heading in ("model", "sound", "batch", "precision", "time", "sound/time", "peak", "largest deviation"):
        table.add_column(heading, justify="right")
    for row in rows:
        speed = f"{row['sound'] * row['batch'] / row['seconds']:.0f} x"
        cells = [row["model"], f"{row['sound']} s", str(row["batch"]), row["way"].removeprefix("torch.")]
        table.add_row(
            *cells, f"{row['seconds']:.3f} s", speed, f"{row['peak']:.0f} MB", f"{row['deviation']:.1e} of a weight"
        )
    return table


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if len(sys.argv) > 1:
        for result in measure(sys.argv[1], device):
            print(json.dumps(asdict(result)), flush=True)
        return
    console = Console(width=120)
    rows: list[dict[str, Any]] = []
    for name in (*RELEASED, SMALL):
        rows += run_child(name, console)
    console.print(speed_table(rows))
    console.print(
        f"Plain is left out where it would take over {PATIENCE:.0f} s a run, and has no weights of S. "
        "≈: reckoned from the first window."
    )
    console.print(paper_table(rows, device))
    halves = [row for row in rows if row["way"].startswith("torch.")]
    if halves:
        console.print(precision_table(halves))
    else:
        console.print("No CUDA device here: half precision was not measured.")


if __name__ == "__main__":
    try:
        main()
    except UniTalkerError as error:
        sys.exit(f"error: {error}")
