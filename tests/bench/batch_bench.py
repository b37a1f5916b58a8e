"""Batches and long files: time per file beside single calls, memory of an hour, workers on Ray, what a cut changes.

usage: python -m tests.bench.batch_bench
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from backend.audio import SAMPLE_RATE, Audio, read_audio
from backend.bundle import load_bundle
from backend.engine import prepare_environment
from backend.engines.base import Engine
from backend.engines.torch_engine import TorchEngine
from backend.inference import AnimateOptions, animate, record_sounds

ROOT = Path(__file__).resolve().parents[2]
VOICE = ROOT / "assets" / "audio" / "demo_voice.ogg"
FILES = 200
SINGLE_CALLS = 5
RAY_FILES = (150, 1200)
RAY_TURNS = 3
ENGINES = ("torch", "onnx")

# A process that measures one command and nothing before it.
PEAK = "import os, sys; p = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); print(os.wait4(p, 0)[2].ru_maxrss)"


def unitalker(*arguments: object, **environment: str) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "backend", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, capture_output=True)
    return time.perf_counter() - start


def write_clips(folder: Path, count: int) -> Path:
    """Pieces of the sample voice, one to three seconds long."""
    samples, rate = soundfile.read(VOICE, dtype="float32")
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        length = int(random.uniform(1, 3) * rate)
        start = random.integers(0, len(samples) - length)
        soundfile.write(folder / f"{number}.wav", samples[start : start + length], rate)
    return folder


# --- many short files --------------------------------------------------------------------------------------------


def batch_table(folder: Path) -> Table:
    clips = write_clips(folder / "clips", FILES)
    table = Table(title=f"{FILES} files of 1 to 3 s, times of whole processes")
    for heading in ("engine", "single calls", "batch", "ratio", "batch, two processes", "ratio", "aim"):
        table.add_column(heading, justify="right")
    for engine in ENGINES:
        singles = [
            unitalker("animate", path, "-o", folder / "single.npz", "--engine", engine)
            for path in sorted(clips.iterdir())[:SINGLE_CALLS]
        ]
        single = median(singles)
        row = [engine, f"{single:.2f} s a file"]
        for jobs in (1, 2):
            out = folder / f"{engine} {jobs}"
            seconds = unitalker("batch", clips, "--out", out, "--engine", engine, "--jobs", jobs) / FILES
            row += [f"{seconds:.3f} s a file", f"{single / seconds:.0f} x"]
        table.add_row(*row, "3 x")
    return table


# --- an hour -----------------------------------------------------------------------------------------------------


def hour_table(folder: Path) -> Table:
    samples, rate = soundfile.read(VOICE, dtype="float32")
    sound = folder / "hour.flac"
    soundfile.write(sound, np.resize(samples, 3600 * rate), rate)
    table = Table(title="One hour, from file to file")
    for heading in ("engine", "time", "times faster than the sound", "peak memory", "aim"):
        table.add_column(heading, justify="right")
    for engine in ENGINES:
        start = time.perf_counter()
        command = [sys.executable, "-m", "backend", "animate", sound, "-o", folder / "hour.npz", "--engine", engine]
        environment = os.environ | {"UNITALKER_CACHE": str(folder / f"cache {engine}")}
        measured = subprocess.run(
            [sys.executable, "-c", PEAK, *map(str, command)],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - start
        # In bytes on macOS and in KiB elsewhere.
        peak = int(measured.stdout.splitlines()[-1]) * (1 if sys.platform == "darwin" else 1024) / 1e6
        table.add_row(engine, f"{seconds:.0f} s", f"{3600 / seconds:.0f} x", f"{peak:.0f} MB", "2000 MB")
    return table


# --- a cluster ---------------------------------------------------------------------------------------------------


def ray_table(folder: Path) -> Table:
    """Cluster and workers take seconds to start, so two runs of different size tell what a file takes."""
    clips = [write_clips(folder / f"{count} clips", count) for count in RAY_FILES]
    table = Table(title=f"Ray on this machine, {os.cpu_count()} processors, one thread a worker: beyond the start")
    for heading in ("workers", "time", "scaling", "aim"):
        table.add_column(heading, justify="right")
    measured: dict[int, list[float]] = {1: [], 2: []}
    # By turns, so that a busy machine slows both alike.
    for turn in range(RAY_TURNS):
        for jobs in measured:
            few, many = (on_ray(source, folder / f"{source.name} {jobs} {turn}", jobs) for source in clips)
            measured[jobs].append((many - few) / (RAY_FILES[1] - RAY_FILES[0]))
    one, two = (median(times) for times in measured.values())
    table.add_row("1", f"{one * 1000:.1f} ms a file", "", "")
    table.add_row("2", f"{two * 1000:.1f} ms a file", f"{one / two:.2f} x", "1.6 x")
    return table


def on_ray(clips: Path, out: Path, jobs: int) -> float:
    options = ["--engine", "onnx", "--ray", "local", "--jobs", jobs]
    # Ray gives way to all other work unless told not to, and two workers more so than one.
    return unitalker("batch", clips, "--out", out, *options, OMP_NUM_THREADS="1", RAY_worker_niceness="0")


# --- what a cut changes ------------------------------------------------------------------------------------------


def invariance_table() -> Table:
    """Differences of weights between a sound and the same sound otherwise cut, away from the cuts."""
    engine = TorchEngine(load_bundle("unitalker-s"))
    voice = read_audio(VOICE).samples[:]
    voice = np.tile(voice, 9)[: 55 * SAMPLE_RATE]
    table = Table(title="The same 55 s of speech otherwise cut or computed: differences of the 51 weights")
    for heading in ("what is changed", "mean", "95 % below", "largest"):
        table.add_column(heading, justify="left" if heading.startswith("what") else "right")
    for name, difference in differences(engine, voice):
        cells = (difference.mean(), np.percentile(difference, 95), difference.max())
        table.add_row(name, *(f"{cell:.1e}" if cell else "0" for cell in cells))
    return table


def differences(engine: Engine, voice: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    whole = motion_of(engine, voice)
    clips = [voice[start * SAMPLE_RATE : round((start + 2 + start / 100) * SAMPLE_RATE)] for start in range(0, 50, 2)]
    alone = np.concatenate(raw_motions(engine, clips))
    for size in (4, 16):
        engine.batch_size = size
        together = np.concatenate(raw_motions(engine, clips))
        yield f"{len(clips)} clips of it in batches of {size}", np.abs(together - alone)
    engine.batch_size = 1
    for seconds in (0.04, 0.4, 10.0):
        silence = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
        later = motion_of(engine, np.concatenate([silence, voice]))
        yield f"{seconds:g} s of silence before it", inner(later[round(seconds * 25) :], whole)
    for start in (0.4, 10.0):
        cropped = motion_of(engine, voice[round(start * SAMPLE_RATE) :])
        yield f"the first {start:g} s left out", inner(cropped, whole[round(start * 25) :])
    yield "the last 10 s left out", inner(motion_of(engine, voice[: 45 * SAMPLE_RATE]), whole)


def raw_motions(engine: Engine, sounds: list[np.ndarray]) -> list[np.ndarray]:
    takes = record_sounds(engine, [(Audio(samples), [AnimateOptions()]) for samples in sounds])
    return [take.raw.values for (take,) in takes]


def motion_of(engine: Engine, samples: np.ndarray) -> np.ndarray:
    return animate(engine, Audio(samples), AnimateOptions()).values


def inner(one: np.ndarray, other: np.ndarray, margin: int = 25) -> np.ndarray:
    """Absolute difference where both have frames, without a second at each end."""
    frames = min(len(one), len(other))
    return np.abs(one[margin : frames - margin] - other[margin : frames - margin])


def main() -> None:
    prepare_environment()
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        os.environ["UNITALKER_CACHE"] = str(Path(name) / "cache")
        tables: list[Callable[[], Table]] = [lambda: batch_table(Path(name)), lambda: hour_table(Path(name))]
        if find_spec("ray"):
            tables.append(lambda: ray_table(Path(name)))
        for table in (*tables, invariance_table):
            console.print(table())


if __name__ == "__main__":
    main()
