"""Folders of sounds, and `unitalker batch` on them with the tiny model."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from backend.bundle_manifest import find_bundle
from backend.engines.onnx_export import export_onnx

RATE = 16000


def make_voice(path: Path, seconds: float, seed: int = 0) -> Path:
    """Noise that rises and falls like syllables."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.1, len(time))
    soundfile.write(path, noise * np.abs(np.sin(2 * np.pi * 2 * time)), RATE)
    return path


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """A folder with six short sounds of different lengths."""
    folder = tmp_path / "voices"
    folder.mkdir()
    for number in range(6):
        make_voice(folder / f"voice {number}.wav", 0.5 + 0.3 * number, number)
    return folder


@pytest.fixture(scope="session")
def quick_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model for ONNX Runtime, whose processes start ten times faster than those of torch."""
    folder = tmp_path_factory.mktemp("quick") / "tiny"
    shutil.copytree(tiny_model, folder)
    export_onnx(find_bundle(folder))
    return folder


@dataclass
class Ran:
    """One call of `unitalker batch`."""

    code: int
    text: str
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """Done, skipped, failed, pending."""
        totals = self.report["totals"]
        return totals["done"], totals["skipped"], totals["failed"], totals["pending"]

    def failures(self) -> dict[str, str]:
        """File name of the sound → what is said of it."""
        return {
            Path(item["audio"]).name: item["failure"]["message"] for item in self.report["items"] if item["failure"]
        }


RunBatch = Callable[..., Ran]


@pytest.fixture
def batch(call_with: Callable[..., tuple[int, str, str]], tiny_model: Path, tmp_path: Path) -> RunBatch:
    """`unitalker batch … --out …/out` in this process."""
    call = functools.partial(call_with, tiny_model.parent)

    def run(source: Path, *options: object) -> Ran:
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        code, _, text = call(
            *("batch", source, "--out", tmp_path / "out", "--model", "tiny", "--report", report), *options
        )
        return Ran(code, text, json.loads(report.read_text()) if report.is_file() else {})

    return run


def outputs(folder: Path) -> dict[str, int]:
    """Every result below a folder, with its time of writing in nanoseconds; nothing unfinished may lie there."""
    assert not [path for path in folder.rglob("*") if "partial" in path.name or path.name.startswith("run-")]
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".unitalker" not in path.parts
    }
