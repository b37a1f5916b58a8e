"""The backend process, over its real pipes."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from backend.protocol import MAX_LINE

Start = Callable[..., Any]

# Prints from Python and from C, at import and at exit, as libraries do; then stands in for the real one.
NOISY_TORCH = """
import atexit, os, sys
print("library print at import")
os.write(1, b"raw write to descriptor 1\\n")
print('{"type": "result", "id": 1}', flush=True)
atexit.register(print, "library print at exit")
raise ImportError("this torch is broken on purpose")
"""

# Loading the real torch from beside a noisy neighbour shows that the stream stays clean in a job that goes well.
NOISY_SITE = """
import os, sys
class Noise:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "transformers"):
            print("import of", name, flush=True)
            os.write(1, b"raw write to descriptor 1\\n")
sys.meta_path.insert(0, Noise())
"""


@pytest.fixture
def backend(start_backend: Start) -> Any:
    process = start_backend()
    assert process.event()["type"] == "hello"
    return process


@pytest.fixture(scope="module")
def shared_backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = request.getfixturevalue("backend_environment")
    folder = tmp_path_factory.mktemp("shared")
    environment = environment | {"UNITALKER_CACHE": str(folder)}
    process = request.getfixturevalue("backend_class")(folder / "log.txt", environment)
    assert process.event()["type"] == "hello"
    yield process
    assert process.close() == 0


def animate(job: int, audio: Path, output: Path, **more: object) -> dict[str, object]:
    return {"type": "animate", "id": job, "audio": str(audio), "output": str(output), "model": "tiny"} | more


def test_hello_comes_first_and_says_what_there_is(start_backend: Start, tiny_model: Path) -> None:
    hello = start_backend().event()
    assert list(hello) == ["type", "protocol", "version", "python", "engines", "devices", "models", "problems"]
    assert (hello["type"], hello["protocol"], hello["engines"]) == ("hello", 2, ["torch", "onnx"])
    assert "cpu" in hello["devices"]
    tiny = next(model for model in hello["models"] if model["name"] == "tiny")
    assert tiny["path"] == str(tiny_model)
    assert [head["name"] for head in tiny["heads"]] == ["weights", "mesh"]
    assert [head["names"] for head in tiny["heads"]] == [["jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"], []]
    assert tiny["identities"] == ["one", "two", "pivot"]


def noisy_torch(folder: Path) -> dict[str, str]:
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(NOISY_TORCH)
    return {"PYTHONPATH": str(folder)}


def test_hello_needs_no_torch_and_a_broken_noisy_torch_is_one_clear_error(
    start_backend: Start, tmp_path: Path, murmur: Path
) -> None:
    backend = start_backend(**noisy_torch(tmp_path))
    assert backend.event()["type"] == "hello"
    assert "library print" not in backend.log.read_text()
    backend.send(**animate(1, murmur, tmp_path / "out.npz"))
    error = backend.ending(1)
    assert (error["type"], error["code"]) == ("error", "engine.missing")
    assert "broken on purpose" in error["message"]
    assert "pip install" in error["hint"]
    assert backend.close() == 0
    assert backend.event() is None
    log = backend.log.read_text()
    for noise in ("library print at import", "raw write to descriptor 1", "library print at exit"):
        assert noise in log


def test_without_any_engine_hello_says_so(start_backend: Start, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name in ('torch', 'onnxruntime') else find(name, package)\n"
    )
    hello = start_backend(PYTHONPATH=str(tmp_path)).event()
    assert hello["engines"] == []
    assert "torch is not installed" in hello["problems"][0]
    assert "pip install" in hello["problems"][0]


def test_a_model_folder_that_cannot_be_read_is_a_problem_and_no_more(start_backend: Start, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{")
    hello = start_backend(UNITALKER_MODELS=str(tmp_path)).event()
    assert any("broken" in problem for problem in hello["problems"])


def test_a_job_from_request_to_file(start_backend: Start, tmp_path: Path, murmur: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOISY_SITE)
    backend = start_backend(PYTHONPATH=str(tmp_path))
    backend.event()
    output = tmp_path / 'it\'s "测试" ü.npz'
    backend.send(**animate(7, murmur, output, identity="two", fps=24, direction={"smoothing": 0.2}))
    *progress, result = backend.until("result", "error")
    assert re.fullmatch("[0-9a-f]{32}", result.pop("take"))
    assert {"range", "jitter"} <= result.pop("quality").keys()
    assert max(result.pop("waveform")) == 1.0
    assert result == {
        "type": "result", "id": 7, "path": str(output), "frames": 48, "fps": 24.0, "duration": 2.0,
        "head": "weights", "identity": "two", "device": "cpu", "engine": "torch", "notes": [],
    }  # fmt: skip
    assert {event["stage"] for event in progress} == {"load", "decode", "infer", "write"}
    for event in progress:
        assert event["type"] == "progress"
        assert 0 <= event["done"] <= event["total"]
    with np.load(output, allow_pickle=False) as data:
        assert data["values"].shape == (48, 4)
        assert np.isfinite(data["values"]).all()
    assert "import of torch" in backend.log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode there")
def test_a_file_name_that_is_no_unicode(shared_backend: Any, tmp_path: Path, murmur: Path) -> None:
    voice, output = (Path(os.fsdecode(bytes(tmp_path) + name)) for name in (b"/\xff.wav", b"/\xfe.npz"))
    shutil.copy(murmur, voice)
    line = json.dumps(animate(41, voice, output), ensure_ascii=False).encode("utf-8", "surrogateescape")
    shared_backend.send_line(line)
    result = shared_backend.ending(41)
    assert (result["type"], result.get("path")) == ("result", str(output))
    assert output.is_file()


def test_jobs_are_done_in_order_and_the_model_stays_loaded(
    shared_backend: Any, tmp_path: Path, murmur: Path, tiny_model: Path
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    shared_backend.send(**animate(11, murmur, tmp_path / "1.npz", model=str(model), identity_b="one"))
    assert shared_backend.ending(11)["type"] == "result"
    # What is loaded needs no file any more.
    (model / "model.safetensors").unlink()
    for job, identity in ((12, "one"), (13, "two")):
        shared_backend.send(**animate(job, murmur, tmp_path / f"{job}.npz", model=str(model), identity=identity))
    events = shared_backend.until("result", "error", job=13)
    endings = [(event["type"], event["id"]) for event in events if event["type"] != "progress"]
    assert endings == [("result", 12), ("result", 13)]
    with np.load(tmp_path / "12.npz") as first, np.load(tmp_path / "13.npz") as last:
        assert not np.array_equal(first["values"], last["values"])


def test_cancelling_a_running_and_a_waiting_job(
    shared_backend: Any, tmp_path: Path, murmur: Path, long_murmur: Path
) -> None:
    backend = shared_backend
    backend.send(**animate(21, long_murmur, tmp_path / "21.npz"))
    backend.send(**animate(22, long_murmur, tmp_path / "22.npz"))
    backend.send(**animate(23, murmur, tmp_path / "23.npz"))
    while backend.event().get("stage") != "infer":
        pass
    backend.send(type="cancel", id=22)
    assert backend.ending(22)["type"] == "cancelled"
    backend.send(type="cancel", id=21)
    events = backend.until("result", "error", job=23)
    assert [event["type"] for event in events if event["id"] == 21 and event["type"] != "progress"] == ["cancelled"]
    assert not any(event["id"] == 22 for event in events)
    # Nothing about a job comes after its end.
    end = next(i for i, event in enumerate(events) if event["type"] == "cancelled")
    assert not any(event["id"] == 21 for event in events[end + 1 :])
    assert [path.name for path in tmp_path.iterdir()] == ["23.npz"]


def test_cancelling_while_the_engine_is_being_imported_answers_at_once(
    start_backend: Start, tmp_path: Path, murmur: Path
) -> None:
    (tmp_path / "torch").mkdir()
    # An import that lasts until the test allows it to end: no wall clock decides.
    (tmp_path / "torch" / "__init__.py").write_text(
        "import pathlib, time\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n"
        "raise ImportError('late')\n"
    )
    backend = start_backend(PYTHONPATH=str(tmp_path))
    backend.event()
    backend.send(**animate(1, murmur, tmp_path / "1.npz"))
    while backend.event().get("stage") != "load":
        pass
    backend.send(type="cancel", id=1)
    assert backend.ending(1)["type"] == "cancelled"
    (tmp_path / "go").touch()
    backend.send(type="models", id=2)
    assert [event["type"] for event in backend.until("models")] == ["models"]


def test_a_late_cancel_is_no_mistake(shared_backend: Any) -> None:
    shared_backend.send(type="cancel", id=99)
    shared_backend.send(type="models", id=1)
    answer = shared_backend.event()
    assert (answer["type"], answer["id"]) == ("models", 1)
    assert "tiny" in [model["name"] for model in answer["models"]]


@pytest.mark.parametrize(
    ("line", "code", "request_id"),
    [
        (b"", "bad_json", None),
        (b"hello?", "bad_json", None),
        (b"[1, 2]", "bad_json", None),
        (b'{"type": "models", "id": 1', "bad_json", None),
        (b"\xff\xfe{}", "bad_json", None),
        (b"[" * 100_000, "bad_json", None),
        (b"1" * 10_000, "bad_json", None),
        (b"{}", "unknown_request", None),
        (b'{"type": "dance", "id": 4}', "unknown_request", 4),
        (b'{"type": ["models"], "id": 4}', "unknown_request", 4),
        (b'{"type": "models"}', "bad_request", None),
        (b'{"type": "models", "id": "4"}', "bad_request", None),
        (b'{"type": "models", "id": true}', "bad_request", None),
        (b'{"type": "models", "id": 4, "colour": "red"}', "bad_request", 4),
        (b'{"type": "models", "id": 4, "\\ud800": 1}', "bad_request", 4),
        (b'{"type": "animate", "id": 4, "audio": "relative.wav", "output": "/o.npz"}', "bad_request", 4),
        (b'{"type": "animate", "id": 4, "audio": "/a.wav", "output": "/o.exe"}', "bad_request", 4),
        (b'{"type": "animate", "id": 4, "audio": "/a.wav", "output": "/o.npz", "fps": 0}', "bad_request", 4),
        (b'{"type": "animate", "id": 4, "audio": "/a.wav", "output": "/o.npz", "fps": NaN}', "bad_request", 4),
        (b'{"type": "animate", "id": 4, "audio": "/a.wav", "output": "/o.npz", "device": "tpu"}', "bad_request", 4),
        (b'{"type": "animate", "id": 4, "audio": "/a.wav", "output": "/o.npz", "intensity": 1}', "bad_request", 4),
        (b'{"type": "remap", "id": 4, "take": "../x", "output": "/o.npz"}', "bad_request", 4),
        (b'{"type": "remap", "id": 4, "take": "00", "output": "/o.npz", "direction": {"jaw": 1}}', "bad_request", 4),
        (b'{"type": "remap", "id": 4, "take": "00", "output": "/o.npz", "rig": {}}', "bad_request", 4),
        (b'{"type": "models", "id": 4, "x": "' + b"x" * MAX_LINE + b'"}', "line_too_long", None),
    ],
)
def test_a_bad_line_is_answered_and_forgotten(
    shared_backend: Any, line: bytes, code: str, request_id: int | None
) -> None:
    shared_backend.send_line(line)
    error = shared_backend.event()
    assert list(error) == ["type", "id", "code", "message", "hint"]
    assert (error["type"], error["code"], error["id"]) == ("error", f"protocol.{code}", request_id)
    assert len(json.dumps(error)) < 2000
    shared_backend.send(type="models", id=8)
    assert shared_backend.event()["id"] == 8


def bad_jobs(folder: Path, murmur: Path) -> dict[str, dict[str, object]]:
    (folder / "text.wav").write_text("no sound")
    soundfile.write(folder / "click.wav", np.zeros(800), 16000)
    soundfile.write(folder / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    return {
        "audio.not_found": animate(1, folder / "gone.wav", folder / "o.npz"),
        "audio.unreadable": animate(1, folder / "text.wav", folder / "o.npz"),
        "audio.too_short": animate(1, folder / "click.wav", folder / "o.npz"),
        "audio.not_finite": animate(1, folder / "nan.wav", folder / "o.npz"),
        "model.not_found": animate(1, murmur, folder / "o.npz", model="gone"),
        "model.unknown_head": animate(1, murmur, folder / "o.npz", head="gone"),
        "model.unknown_identity": animate(1, murmur, folder / "o.npz", identity="gone"),
        "engine.device": animate(1, murmur, folder / "o.npz", device="mps"),
        "take.missing": {"type": "remap", "id": 1, "take": "0" * 32, "output": str(folder / "o.npz")},
        "output.unwritable": animate(1, murmur, folder / "gone" / "o.npz"),
    }


def test_jobs_that_cannot_be_done_say_why_and_leave_nothing(shared_backend: Any, tmp_path: Path, murmur: Path) -> None:
    jobs = bad_jobs(tmp_path, murmur)
    before = sorted(tmp_path.iterdir())
    for code, job in jobs.items():
        shared_backend.send(**job)
        error = shared_backend.ending(1)
        assert (error["type"], error["code"]) == ("error", code)
        assert error["message"]
        assert error["hint"]
    assert sorted(tmp_path.iterdir()) == before


def test_an_id_in_use_is_refused(shared_backend: Any, tmp_path: Path, long_murmur: Path) -> None:
    for _ in range(2):
        shared_backend.send(**animate(31, long_murmur, tmp_path / "1.npz"))
    error = shared_backend.until("error")[-1]
    assert (error["id"], error["code"]) == (31, "protocol.bad_request")
    shared_backend.send(type="cancel", id=31)
    assert shared_backend.ending(31)["type"] == "cancelled"


def test_what_nobody_foresaw_is_an_error_event_and_the_backend_goes_on(
    start_backend: Start, tmp_path: Path, murmur: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import backend.session as s\ndef fail(*_): raise ZeroDivisionError('unforeseen')\n"
        "s.read_audio, original = fail, s.read_audio\n"
    )
    backend = start_backend(PYTHONPATH=f"{tmp_path}")
    assert backend.event()["type"] == "hello"
    for job in (1, 2):
        backend.send(**animate(job, murmur, tmp_path / "o.npz"))
        error = backend.ending(job)
        assert (error["type"], error["code"]) == ("error", "internal")
        assert "unforeseen" in error["message"]
    assert "Traceback" in backend.log.read_text()


def test_the_end_of_stdin_ends_the_process_also_in_the_middle_of_a_job(
    backend: Any, tmp_path: Path, long_murmur: Path
) -> None:
    backend.send(**animate(1, long_murmur, tmp_path / "1.npz"))
    while backend.event().get("stage") != "infer":
        pass
    assert backend.close() == 0
    assert not list(tmp_path.glob("*.npz"))


def test_shutdown_ends_the_process(backend: Any) -> None:
    backend.send(type="shutdown")
    assert backend.event() is None
    assert backend.process.wait(30) == 0


def test_a_killed_backend_leaves_no_result(backend: Any, tmp_path: Path, murmur: Path) -> None:
    backend.send(**animate(1, murmur, tmp_path / "1.npz"))
    while backend.event().get("stage") != "load":
        pass
    backend.process.kill()
    while backend.event():
        pass
    assert not list(tmp_path.glob("*.npz"))
    with pytest.raises(queue.Empty):
        backend.event(timeout=0.1)


def test_a_take_is_directed_again_by_another_process_that_has_no_engine(
    start_backend: Start, tmp_path: Path, murmur: Path
) -> None:
    first = start_backend()
    first.event()
    first.send(**animate(1, murmur, tmp_path / "1.npz"))
    take = first.ending(1)["take"]
    assert first.close() == 0
    second = start_backend(**noisy_torch(tmp_path))
    second.event()
    rig = {"convention": None, "targets": [{"target": "A", "source": "jawOpen", "gain": 2, "maximum": 5}]}
    request = {"type": "remap", "id": 2, "take": take, "output": str(tmp_path / "2.npz")}
    second.send(**request, fps=50, direction={"intensity": 0.5}, rig=rig)
    result = second.ending(2)
    assert (result["type"], result["take"], result["fps"], result["frames"]) == ("result", take, 50, 100)
    with np.load(tmp_path / "1.npz") as whole, np.load(tmp_path / "2.npz") as half:
        assert half["names"].tolist() == ["A"]
        # Half of it, doubled by the rig and cut where the whole is cut.
        assert np.allclose(np.minimum(half["values"][::2, 0], 1), whole["values"][:, 0])
    assert "library print" not in second.log.read_text()
    second.send(**request | {"id": 3, "take": "f" * 32})
    assert second.ending(3)["code"] == "take.missing"
