"""A Ray cluster of several processes on this machine, with a worker killed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.backend.batch.conftest import make_voice, outputs

ROOT = Path(__file__).resolve().parents[3]
ACTOR = b"ray::MapWorker"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


def test_a_killed_actor_loses_nothing_and_repeats_nothing(
    tmp_path: Path, backend_environment: dict[str, str], quick_model: Path
) -> None:
    pytest.importorskip("ray")
    voices = tmp_path / "voices"
    voices.mkdir()
    for number in range(24):
        make_voice(voices / f"voice {number}.wav", 4, number)
    run_and_kill(voices, tmp_path, backend_environment, quick_model, 24)


@pytest.mark.slow
def test_a_thousand_clips_of_real_voices_come_out_complete(
    tmp_path: Path, speech_folder: Path, backend_environment: dict[str, str]
) -> None:
    pytest.importorskip("ray")
    voices = tmp_path / "voices"
    voices.mkdir()
    random = np.random.default_rng(0)
    sounds = [soundfile.read(path) for path in sorted(speech_folder.glob("librispeech/*.flac"))]
    for number in range(1000):
        samples, rate = sounds[number % len(sounds)]
        length = int(random.uniform(1, 3) * rate)
        start = random.integers(0, max(1, len(samples) - length))
        soundfile.write(voices / f"clip {number}.flac", samples[start : start + length], rate)
    run_and_kill(voices, tmp_path, backend_environment, "unitalker-s", 1000)


def run_and_kill(voices: Path, folder: Path, environment: dict[str, str], model: str | Path, count: int) -> None:
    """Run a batch on two actors, kill one once there are results, and look at what comes out."""
    out, report = folder / "out", folder / "report.json"
    options = ["--out", out, "--model", model, "--engine", "onnx", "--ray", "local", "--jobs", "2", "--report", report]
    with subprocess.Popen(
        [sys.executable, "-m", "backend", "batch", voices, *options],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        written = watch(process, out)
        text = process.stderr.read() if process.stderr else ""
    assert process.returncode == 0, text
    assert json.loads(report.read_text())["totals"] == {"done": count, "skipped": 0, "failed": 0, "pending": 0}
    assert len(outputs(out)) == count
    assert all(len(times) == 1 for times in written.values())
    assert "Traceback" not in text


def watch(process: subprocess.Popen[str], out: Path) -> dict[str, set[int]]:
    """Until the end of the run: file → times at which it was written. Kills an actor once two files are there."""
    written: dict[str, set[int]] = defaultdict(set)
    killed = False
    while process.poll() is None:
        for path in out.glob("*.npz"):
            written[path.name].add(path.stat().st_mtime_ns)
        if len(written) >= 2 and not killed:
            os.kill(next(actors_below(process.pid)), signal.SIGKILL)
            killed = True
        time.sleep(0.05)
    assert killed
    return written


def actors_below(root: int) -> Iterator[int]:
    """Processes of Ray Data's actors that descend from a process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(ACTOR) and root in ancestors(folder):
                yield int(folder.name)
        except OSError:  # it has ended meanwhile
            continue


def ancestors(folder: Path) -> Iterator[int]:
    while folder.name != "0":
        # The fourth field, after the name in brackets, which may contain anything.
        parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        yield int(parent)
        folder = folder.with_name(parent)


def test_without_ray_one_is_told_what_to_install(
    tmp_path: Path, backend_environment: dict[str, str], murmur: Path
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "ray.py").write_text("raise ImportError('No module named ray')\n")
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    shutil.copy(murmur, sounds)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "backend",
            "batch",
            sounds,
            "--out",
            tmp_path / "out",
            "--model",
            "tiny",
            "--ray",
            "auto",
        ],
        cwd=ROOT,
        env=backend_environment | {"PYTHONPATH": str(shadow)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: Ray cannot be loaded")
    assert "ray[data]" in done.stderr
