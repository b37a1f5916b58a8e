"""Backend: how much faster than the sound, peak memory, time to the first message.

usage: python -m tests.bench.backend_bench
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
VOICE = ROOT / "assets" / "audio" / "demo_voice.ogg"
SECONDS = (10, 60, 600)
RUNS = 5

# The child measures itself, so that its peak memory is of this one sound and nothing before.
MEASURE = """
import json, resource, sys, time
from pathlib import Path
from backend.engine import prepare_environment
prepare_environment()
from backend.audio import read_audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.inference import AnimateOptions, animate
start = time.perf_counter()
engine = TorchEngine(load_bundle("unitalker-s"))
loaded = time.perf_counter()
times = []
for _ in range(int(sys.argv[2])):
    begin = time.perf_counter()
    motion = animate(engine, read_audio(Path(sys.argv[1])), AnimateOptions())
    times.append(time.perf_counter() - begin)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"load": loaded - start, "times": times, "frames": len(motion.values), "peak": peak}))
"""


def spoken(seconds: int, folder: Path) -> Path:
    """The sample voice over and over, `seconds` long."""
    samples, rate = soundfile.read(VOICE, dtype="float32")
    path = folder / f"{seconds}.wav"
    soundfile.write(path, np.resize(samples, seconds * rate), rate)
    return path


def measure(sound: Path, runs: int) -> dict[str, object]:
    command = [sys.executable, "-c", MEASURE, str(sound), str(runs)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(completed.stdout.splitlines()[-1])
    return result


def hello_seconds() -> float:
    """From the start of the process to its first line."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "backend", "serve"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        line = process.stdout.readline()
        elapsed = time.perf_counter() - start
        assert json.loads(line)["type"] == "hello"
        process.stdin.close()
        process.wait(10)
    return elapsed


def main() -> None:
    console = Console()
    table = Table(title="Bundled model, torch on the CPU: median of the runs")
    for heading in ("sound", "runs", "time", "times faster than the sound", "peak memory", "aim"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for seconds in SECONDS:
            runs = RUNS if seconds < 600 else 1
            result = measure(spoken(seconds, Path(folder)), runs)
            taken = median(result["times"])  # type: ignore[arg-type]
            # ru_maxrss is in bytes on macOS and in KiB on Linux.
            peak = float(result["peak"]) * (1 if sys.platform == "darwin" else 1024) / 1e6  # type: ignore[arg-type]
            row = (f"{seconds} s", str(runs), f"{taken:.2f} s", f"{seconds / taken:.0f} x", f"{peak:.0f} MB")
            table.add_row(*row, "20 x, 1500 MB")
    console.print(table)
    hellos = [hello_seconds() for _ in range(RUNS)]
    console.print(f"hello after {median(hellos):.2f} s (median of {RUNS}; aim 1 s)")


if __name__ == "__main__":
    main()
