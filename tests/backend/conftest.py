"""Real speech to test on, a tiny model, and a real backend process."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from backend import cli
from backend.annotation import Annotation
from backend.bundle import save_bundle
from backend.bundle_manifest import Manifest
from backend.model.spec import DecoderSpec, EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 60.0

Event = dict[str, Any]


@pytest.fixture(scope="session")
def speech_folder(shared: Path) -> Path:
    return shared / "speech"


@pytest.fixture(scope="session")
def bundled_model() -> Path:
    folder = ROOT / "assets" / "models" / "unitalker-s"
    if not (folder / "model.json").is_file():
        pytest.skip("needs the bundled model")
    return folder


WHISPER = {
    "d_model": 32,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}
WEIGHTS = Annotation(
    type_name="weights",
    title="Mouth weights",
    kind="blendshapes",
    dim=4,
    fps=25,
    unit="weight",
    names=("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"),
)
MESH = Annotation(type_name="mesh", title="A mesh", kind="vertices", dim=15, fps=30, unit="m")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model that takes milliseconds: it moves at random, but the same way every time."""
    spec = ModelSpec(
        encoder=EncoderSpec(kind="whisper", config=WHISPER),
        decoder=DecoderSpec(width=16, identity_width=4),
        heads=(
            HeadSpec(annotation=WEIGHTS),
            HeadSpec(annotation=MESH, components=3, stored_components=3, has_template=True),
        ),
        identities=("one", "two", "pivot"),
    )
    manifest = Manifest(name="tiny", version="1", title="Tiny", licence="CC0-1.0", spec=spec, default_head="weights")
    torch.manual_seed(0)
    model = UniTalker(spec)
    with torch.no_grad():
        for tensor in (*model.out_head_dict.parameters(), *model.template_dict.parameters()):
            torch.nn.init.normal_(tensor, 0.2, 0.3)
        for tensor in model.pca_layer_dict.buffers():
            torch.nn.init.normal_(tensor, 0.0, 0.1)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_bundle(model, manifest, folder, "Random weights, for tests.", "float32")
    return folder


@pytest.fixture(scope="session")
def murmur(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds that rise and fall like syllables, under a name that breaks careless programs."""
    rate = 22050
    time = np.arange(2 * rate) / rate
    voice = np.sin(2 * np.pi * 120 * time) * np.abs(np.sin(2 * np.pi * 2 * time)) * 0.3
    path = tmp_path_factory.mktemp('sound "it\'s" 测试 ü') / "murmur.wav"
    soundfile.write(path, voice, rate)
    return path


@pytest.fixture(scope="session")
def long_murmur(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half an hour, which takes any model long enough to be stopped in the middle."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    noise = np.random.default_rng(0).normal(0, 0.1, 60 * 8000)
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(30):
            file.write(noise)
    return path


@pytest.fixture(scope="session")
def backend_environment(tiny_model: Path) -> dict[str, str]:
    """The tiny model is found by name; one thread, so that tests leave the machine usable."""
    return os.environ | {"UNITALKER_MODELS": str(tiny_model.parent), "OMP_NUM_THREADS": "1"}


class BackendProcess:
    """`python -m backend serve` as the add-on starts it."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "backend", "serve"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            # A line that is no JSON ends the thread, and the test that waits for an event fails.
            self._events.put(json.loads(line.decode("utf-8")))
        self._events.put(None)

    def send(self, **request: object) -> None:
        self.send_line(json.dumps(request, ensure_ascii=False).encode("utf-8"))

    def send_line(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def event(self, timeout: float = TIMEOUT) -> Event | None:
        """The next event; None at the end of the stream."""
        return self._events.get(timeout=timeout)

    def until(self, *types: str, job: int | None = None) -> list[Event]:
        """Events up to the first of one of these types (and of this job)."""
        events = []
        while event := self.event():
            events.append(event)
            if event["type"] in types and job in (None, event.get("id")):
                return events
        pytest.fail(f"the stream ended before {types}; events {events}; log {self.log.read_text()}")

    def ending(self, job: int) -> Event:
        """How a job ends."""
        return self.until("result", "error", "cancelled", job=job)[-1]

    def close(self) -> int:
        """End stdin and wait; returns the exit code."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait(TIMEOUT)


StartBackend = Callable[..., BackendProcess]


@pytest.fixture(scope="session")
def backend_class() -> type[BackendProcess]:
    return BackendProcess


@pytest.fixture
def start_backend(tmp_path: Path, backend_environment: dict[str, str]) -> Iterator[StartBackend]:
    """Starts backends, with further environment variables as keywords, and ends what is left of them."""
    started: list[BackendProcess] = []

    def start(**environment: str) -> BackendProcess:
        log = tmp_path / f"log{len(started)}.txt"
        own = {"UNITALKER_CACHE": str(tmp_path / "cache")}
        started.append(BackendProcess(log, backend_environment | own | environment))
        return started[-1]

    yield start
    for backend in started:
        backend.process.kill()
        backend.process.wait()
        for pipe in (backend.process.stdin, backend.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


CallWith = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call_with(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CallWith:
    """`unitalker …` in this process, with models in the folder that comes first: exit code, stdout, stderr."""

    def run(models: object, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setenv("UNITALKER_MODELS", str(models))
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["unitalker", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        out, err = capfd.readouterr()
        return int(exit_.value.code or 0), out, err

    return run
