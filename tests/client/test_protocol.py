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
    assert hello.models[0].identities[-1] == "pivot"


def test_error_without_id_is_an_error_for_the_user() -> None:
    line = b'{"type": "error", "id": null, "code": "audio.empty", "message": "It is empty.", "hint": "Record it."}'
    event = protocol.parse_event(line)
    assert isinstance(event, protocol.Failure)
    assert (event.id, str(event.error())) == (None, "It is empty. Record it.")


def test_whole_number_is_taken_as_frame_rate() -> None:
    keys = {"path": "/x.npz", "frames": 5, "fps": 25, "duration": 0.2, "head": "h", "identity": "i", "device": "cpu"}
    event = protocol.parse_event(json.dumps({"type": "result", "id": 1, "notes": ["a"], **keys}).encode())
    assert isinstance(event, protocol.Result)
    assert (event.fps, event.notes) == (25.0, ("a",))


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
    line = protocol.animate_line(7, protocol.AnimateRequest(audio=path, output="/o.npz", fps=23.976))
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "type": "animate",
        "id": 7,
        "audio": path,
        "output": "/o.npz",
        "model": None,
        "head": None,
        "identity": None,
        "fps": 23.976,
        "intensity": 1.0,
        "smoothing": 0.0,
        "device": "auto",
    }
