"""What goes wrong in the middle: the report says which, the exit code tells, a second run finishes the rest."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.batch.item import Item
from backend.batch.manifest import Defaults, read_items
from backend.batch.processes import ProcessPool
from backend.batch.run import Batch, run_batch
from backend.batch.worker import WorkerSetup
from backend.bundle_manifest import find_bundle
from backend.engine import EngineChoice
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions
from backend.motion.presets import DirectionChoice
from tests.backend.batch.conftest import RunBatch, make_voice, outputs

ROOT = Path(__file__).resolve().parents[3]


def make_batch(source: Path, out: Path, model: Path, jobs: int = 1, engine: EngineChoice = "auto") -> Batch:
    items, failed = read_items(source, Defaults(out, ".npz", (AnimateOptions("weights", "pivot"),), DirectionChoice()))
    assert not failed
    return Batch(items, find_bundle(model), ("cpu",), engine, jobs)


def test_an_unreadable_file_in_the_middle_is_done_once_it_is_repaired(
    batch: RunBatch, voices: Path, tmp_path: Path
) -> None:
    good = (voices / "voice 3.wav").read_bytes()
    (voices / "voice 3.wav").write_bytes(b"RIFF" + bytes(range(100)))
    first = batch(voices)
    assert (first.code, first.totals) == (1, (5, 0, 1, 0))
    assert "voice 3.wav" in first.failures()["voice 3.wav"]
    assert "voice 3.wav" in first.text
    (voices / "voice 3.wav").write_bytes(good)
    second = batch(voices)
    assert (second.code, second.totals) == (0, (1, 5, 0, 0))
    assert len(outputs(tmp_path / "out")) == 6


def test_a_full_disk_is_said_of_every_file_that_it_hits(
    batch: RunBatch, voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = np.savez, []

    def full_after_two(file: Any, **arrays: Any) -> None:
        calls.append(file)
        if len(calls) > 2:
            file.write(b"PK")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(file, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full_after_two)
        first = batch(voices)
    assert (first.code, first.totals) == (1, (2, 0, 4, 0))
    assert {message.partition(tmp_path.name)[2] for message in first.failures().values()} == {
        f"/out/voice {number}.npz: No space left on device." for number in range(4)
    }
    assert len(outputs(tmp_path / "out")) == 2
    assert batch(voices).totals == (4, 2, 0, 0)


def test_the_output_folder_is_removed_meanwhile(voices: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    with closing(run_batch(make_batch(voices, out, tiny_model))) as results:
        assert next(results).status == "done"
        shutil.rmtree(out)
        rest = list(results)
    assert [result.status for result in rest] == ["failed"] * 5
    assert all(result.failure and "no folder" in result.failure.message for result in rest)
    assert not out.exists()
    assert {result.status for result in run_batch(make_batch(voices, out, tiny_model))} == {"done"}
    assert len(outputs(out)) == 6


@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_with_130_and_the_same_command_does_the_rest(
    voices: Path, tmp_path: Path, backend_environment: dict[str, str], quick_model: Path, jobs: int
) -> None:
    for number in range(6, 60):
        make_voice(voices / f"voice {number}.wav", 8, number)
    out, report = tmp_path / "out", tmp_path / "report.json"
    options = ["--out", out, "--model", quick_model, "--engine", "onnx", "--jobs", str(jobs), "--report", report]
    command = [sys.executable, "-m", "backend", "batch", voices, *options]
    # A group of its own, all of which the terminal would send the signal to.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=backend_environment,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        # What a shell starts in the background ignores Ctrl-C, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.npz"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command does the rest" in text
    assert "Traceback" not in text
    totals = json.loads(report.read_text())["totals"]
    assert totals["pending"] > 0
    assert totals["failed"] == 0
    before = outputs(out)
    assert totals["done"] <= len(before)
    done = subprocess.run(command, cwd=ROOT, env=backend_environment, timeout=60, check=False)
    assert done.returncode == 0
    assert json.loads(report.read_text())["totals"]["skipped"] == len(before)
    assert len(outputs(out)) == 60


def test_a_killed_worker_costs_nothing_but_time(voices: Path, tmp_path: Path, quick_model: Path) -> None:
    for number in range(6, 30):
        make_voice(voices / f"voice {number}.wav", 3, number)
    out = tmp_path / "out"
    statuses = []
    with closing(run_batch(make_batch(voices, out, quick_model, 2, "onnx"))) as results:
        for result in results:
            statuses.append(result.status)
            if len(statuses) == 3:
                multiprocessing.active_children()[0].kill()
    assert statuses == ["done"] * 30
    assert len(outputs(out)) == 30


def test_workers_that_cannot_use_the_device_say_so_once(voices: Path, tmp_path: Path, quick_model: Path) -> None:
    item = Item(1, voices / "voice 0.wav", tmp_path / "out.npz", AnimateOptions("weights", "pivot"))
    pool = ProcessPool([WorkerSetup(quick_model, "nonsense", "onnx", "run-0")])
    try:
        with pytest.raises(UniTalkerError, match="nonsense"):
            list(pool.run([(item,), (item,)]))
    finally:
        pool.close()
    assert multiprocessing.active_children() == []
