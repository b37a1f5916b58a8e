"""Lines to events and requests to lines, as docs/protocol.md has them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from unitalker_blender.client import protocol
from unitalker_blender.client.errors import UniTalkerError

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/protocol.md"


def test_documented_hello_is_understood() -> None:
    example = re.search(r"```json\n(.*?)\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    hello = protocol.parse_event(example[1].encode())
    assert isinstance(hello, protocol.Hello)
    assert hello.protocol == protocol.PROTOCOL_VERSION
    assert hello.models[0].heads[0].channels == 51
    assert hello.models[0].heads[0].names[0] == "browDownLeft"
    assert hello.models[0].identities[-1] == "pivot"


def test_error_without_id_is_an_error_for_the_user() -> None:
    line = b'{"type": "error", "id": null, "code": "audio.empty", "message": "It is empty.", "hint": "Record it."}'
    event = protocol.parse_event(line)
    assert isinstance(event, protocol.Failure)
    assert (event.id, str(event.error())) == (None, "It is empty. Record it.")


def test_whole_number_is_taken_as_frame_rate() -> None:
    keys = {"path": "/x.npz", "frames": 5, "fps": 25, "duration": 0.2, "head": "h", "identity": "i", "device": "cpu"}
    more = {"engine": "onnx", "take": "00", "quality": {"range": 1}, "waveform": [0, 1], "notes": ["a"]}
    event = protocol.parse_event(json.dumps({"type": "result", "id": 1, **keys, **more}).encode())
    assert isinstance(event, protocol.Result)
    assert (event.fps, event.notes, event.quality) == (25.0, ("a",), {"range": 1.0})
    assert event.waveform == (0.0, 1.0)


@pytest.mark.parametrize(
    "line",
    [
        b"Loading weights: 100%",
        b"\xff\xfe",
        b"[]",
        b'{"id": 1}',
        b'{"type": "surprise", "id": 1}',
        b'{"type": ["hello"]}',
        b'{"type": "cancelled"}',
        b'{"type": "cancelled", "id": "1"}',
        b'{"type": "cancelled", "id": true}',
        b'{"type": "cancelled", "id": 1, "extra": 2}',
        b'{"type": "result", "id": 1, "path": "/x.npz", "frames": 5, "fps": 25, "duration": 0.2, "head": "h", '
        b'"identity": "i", "device": "cpu", "engine": "onnx", "take": "0", "quality": {"range": "1"}, '
        b'"waveform": [], "notes": []}',
        b'{"type": "progress", "id": 1, "stage": "infer", "done": 0.5, "total": 1}',
        b'{"type": "hello", "protocol": 1, "version": "1", "python": "3", "engines": "torch", "devices": [], '
        b'"models": [], "problems": []}',
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(UniTalkerError) as caught:
        protocol.parse_event(line)
    assert caught.value.code == "protocol.bad_event"


def test_request_is_one_utf8_line_whatever_the_path() -> None:
    path = '/it\'s "测试"\n ü.wav'
    direction = {"intensity": 0.5, "emotions": [{"emotion": "happy", "weight": [[0.0, 1.0]]}]}
    request = protocol.AnimateRequest(audio=path, output="/o.npz", fps=23.976, direction=direction)
    line = protocol.request_line(7, request)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "type": "animate",
        "id": 7,
        "audio": path,
        "output": "/o.npz",
        "model": None,
        "head": None,
        "identity": None,
        "identity_b": None,
        "fps": 23.976,
        "direction": direction,
        "rig": None,
        "device": "auto",
        "engine": "auto",
    }


def test_remap_is_a_request_of_its_own() -> None:
    rig = {"convention": None, "targets": [{"target": "jaw", "source": "jawOpen"}]}
    line = protocol.request_line(8, protocol.RemapRequest(take="ab12", output="/o.npz", rig=rig))
    assert json.loads(line) == {
        "type": "remap",
        "id": 8,
        "take": "ab12",
        "output": "/o.npz",
        "fps": None,
        "direction": {},
        "rig": rig,
    }
