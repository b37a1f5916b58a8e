"""Backend: each engine's speed and peak memory, one beside the other, and the time to the first message and result.

usage: python -m tests.bench.backend_bench
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
VOICE = ROOT / "assets" / "audio" / "demo_voice.ogg"
ENGINES = ("torch", "onnx")
SECONDS = (10, 60, 600)
RUNS = 5
# The engines take turns, so that whatever else the machine does falls on both.
ROUNDS = 3

# The child measures itself, so that its peak memory is of this one sound and nothing before.
MEASURE = """
import json, resource, sys, time
from pathlib import Path
from backend.audio import read_audio
from backend.bundle_manifest import find_bundle
from backend.engine import load_engine
from backend.inference import AnimateOptions, animate
engine = load_engine(find_bundle("unitalker-s"), sys.argv[1], "cpu")
times = []
for _ in range(int(sys.argv[3])):
    begin = time.perf_counter()
    animate(engine, read_audio(Path(sys.argv[2])), AnimateOptions())
    times.append(time.perf_counter() - begin)
print(json.dumps({"times": times, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


@dataclass(frozen=True)
class Measured:
    """Seconds for one sound, the median of the runs; peak memory in MB."""

    seconds: float
    peak: float


def spoken(seconds: int, folder: Path) -> Path:
    """The sample voice over and over, `seconds` long."""
    samples, rate = soundfile.read(VOICE, dtype="float32")
    path = folder / f"{seconds}.wav"
    soundfile.write(path, np.resize(samples, seconds * rate), rate)
    return path


def measure(engine: str, sound: Path, runs: int) -> Measured:
    command = [sys.executable, "-c", MEASURE, engine, str(sound), str(runs)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(completed.stdout.splitlines()[-1])
    # ru_maxrss is in bytes on macOS and in KiB on Linux.
    return Measured(median(result["times"]), result["peak"] * (1 if sys.platform == "darwin" else 1024) / 1e6)


def first_seconds(engine: str) -> tuple[float, float]:
    """From the start of the process to its first line, and to its first result, the sample voice's motion."""
    with tempfile.TemporaryDirectory() as folder:
        request = {"type": "animate", "id": 1, "engine": engine, "audio": str(VOICE), "output": f"{folder}/motion.npz"}
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "backend", "serve"],
            cwd=ROOT,
            env=os.environ | {"UNITALKER_CACHE": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin and process.stdout
            assert json.loads(process.stdout.readline())["type"] == "hello"
            hello = time.perf_counter() - start
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            last = "progress"
            while last == "progress":
                last = json.loads(process.stdout.readline())["type"]
            assert last == "result"
            result = time.perf_counter() - start
            process.stdin.close()
            process.wait(10)
    return hello, result


def compare_speed(console: Console) -> None:
    table = Table(title=f"Bundled model on the CPU: median of {ROUNDS} rounds in which the engines take turns")
    for heading in ("sound", "engine", "time", "times faster than the sound", "than torch", "peak memory", "aim"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for seconds in SECONDS:
            sound = spoken(seconds, Path(folder))
            runs = RUNS if seconds < 600 else 1
            rounds = [[measure(engine, sound, runs) for engine in ENGINES] for _ in range(ROUNDS)]
            ratio = median(torch.seconds / onnx.seconds for torch, onnx in rounds)
            for engine, results in zip(ENGINES, zip(*rounds, strict=True), strict=True):
                taken, peak = median(result.seconds for result in results), max(result.peak for result in results)
                than_torch, aim = (
                    ("", "20 x, 1500 MB") if engine == "torch" else (f"{ratio:.1f} x", "60 x, 1.3 x torch")
                )
                row = (f"{seconds} s", engine, f"{taken:.2f} s", f"{seconds / taken:.0f} x", than_torch)
                table.add_row(*row, f"{peak:.0f} MB", aim)
    console.print(table)


def main() -> None:
    console = Console()
    compare_speed(console)
    firsts = [[first_seconds(engine) for engine in ENGINES] for _ in range(ROUNDS)]
    hello = median(hello for turn in firsts for hello, _ in turn)
    console.print(f"hello after {hello:.2f} s (aim 1 s)")
    for engine, turns in zip(ENGINES, zip(*firsts, strict=True), strict=True):
        aim = " (aim 3 s)" if engine == "onnx" else ""
        console.print(f"start to first result with {engine}: {median(result for _, result in turns):.2f} s{aim}")


if __name__ == "__main__":
    main()
