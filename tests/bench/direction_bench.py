"""Direction: from a slider to the motion in another direction, for one minute of speech and every layer on.

Measured as the add-on does it, through the real backend's pipes and files, and the stages alone.

usage: python -m tests.bench.direction_bench
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from backend.motion.perform import perform
from backend.motion.presets import make_direction, preset_names
from backend.takes import TakeStore, takes_folder
from tests.bench.backend_bench import ROOT, spoken
from unitalker_blender.client.environment import BackendCommand
from unitalker_blender.client.job import MotionJob
from unitalker_blender.client.motion import load_motion
from unitalker_blender.client.protocol import AnimateRequest, MotionRequest, RemapRequest, Result
from unitalker_blender.client.session import BackendSession

SECONDS = 60
RATES = (24.0, 60.0)
RUNS = 15
LIMIT = 600.0
AIM_ALL, AIM_STAGES = 100, 60
"""Milliseconds."""


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Median and longest of the runs."""
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1000)
    return median(times), max(times)


def ask(session: BackendSession, request: MotionRequest) -> Result:
    """One request to its end, the result read as the add-on reads it."""
    job = MotionJob(session, request)
    try:
        job.start()
        assert job.finish(LIMIT) and job.result
        load_motion(Path(job.result.path))
        return job.result
    finally:
        job.close()


def main() -> None:
    table = Table(title=f"{SECONDS} s of speech in another direction: median (longest) of {RUNS} runs")
    for heading in (
        "preset",
        "frames per second",
        f"slider to motion (aim {AIM_ALL} ms)",
        f"stages (aim {AIM_STAGES} ms)",
    ):
        table.add_column(heading, justify="right")
    session = BackendSession(lambda: BackendCommand(Path(sys.executable), ROOT))
    with tempfile.TemporaryDirectory() as folder:
        take = ask(session, AnimateRequest(audio=str(spoken(SECONDS, Path(folder))))).take
    kept = TakeStore(takes_folder()).get(take)
    for name in preset_names():
        settings = json.loads((ROOT / "assets" / "presets" / f"{name}.json").read_text("utf-8"))["direction"]
        direction = make_direction(settings, name)
        for fps in RATES:
            whole = milliseconds(lambda: ask(session, RemapRequest(take, fps=fps, direction=settings)))  # noqa: B023
            stages = milliseconds(lambda: perform(kept, direction, fps))  # noqa: B023
            table.add_row(
                name, f"{fps:g}", *(f"{middle:.0f} ({longest:.0f}) ms" for middle, longest in (whole, stages))
            )
    session.close()
    Console().print(table)


if __name__ == "__main__":
    main()
