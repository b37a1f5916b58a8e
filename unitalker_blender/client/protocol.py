"""The protocol of docs/protocol.md, seen from the client: requests to lines, lines to events."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from typing import Any

from .errors import UniTalkerError

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class HeadInfo:
    """A head of a model: `kind` is blendshapes, vertices or flame."""

    name: str
    title: str
    kind: str
    fps: float
    unit: str
    channels: int


@dataclass(frozen=True)
class ModelInfo:
    """A model folder that the backend can load."""

    name: str
    path: str
    licence: str
    default_head: str
    default_identity: str
    heads: tuple[HeadInfo, ...]
    identities: tuple[str, ...]


@dataclass(frozen=True)
class Hello:
    """The backend's first line. `engines` is empty when torch is missing; `problems` says why in words."""

    protocol: int
    version: str
    python: str
    engines: tuple[str, ...]
    devices: tuple[str, ...]
    models: tuple[ModelInfo, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far one stage (load, decode, infer, write) of a job is."""

    id: int
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Result:
    """A job is finished; its motion lies in the `.npz` at `path`. `duration` is in seconds."""

    id: int
    path: str
    frames: int
    fps: float
    duration: float
    head: str
    identity: str
    device: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Cancelled:
    """A job was cancelled at the client's request."""

    id: int


@dataclass(frozen=True)
class Failure:
    """A request failed; `id` is null when the backend could not tell which."""

    id: int | None
    code: str
    message: str
    hint: str

    def error(self) -> UniTalkerError:
        return UniTalkerError(self.code, self.message, self.hint)


Event = Hello | Progress | Result | Cancelled | Failure

_EVENTS: dict[str, type[Event]] = {
    "hello": Hello,
    "progress": Progress,
    "result": Result,
    "cancelled": Cancelled,
    "error": Failure,
}


@dataclass(frozen=True)
class AnimateRequest:
    """Ask for the motion of one sound file; `None` stands for the backend's own default.

    Attributes:
        audio: absolute path of the sound file.
        output: absolute path of the `.npz` to write; a `MotionJob` fills it in.
        fps: frame rate of the motion, frames per second.
        smoothing: seconds.
    """

    audio: str
    output: str = ""
    model: str | None = None
    head: str | None = None
    identity: str | None = None
    fps: float | None = None
    intensity: float = 1.0
    smoothing: float = 0.0
    device: str = "auto"


def animate_line(job_id: int, request: AnimateRequest) -> bytes:
    return _line({"type": "animate", "id": job_id, **dataclasses.asdict(request)})


def cancel_line(job_id: int) -> bytes:
    return _line({"type": "cancel", "id": job_id})


def shutdown_line() -> bytes:
    return _line({"type": "shutdown"})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def parse_event(line: bytes) -> Event:
    """One line of the backend's stdout; UniTalkerError ``protocol.bad_event`` when it is not an event."""
    try:
        message = json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise _bad(f"not JSON ({error}): {line[:200]!r}") from error
    kind = message.pop("type", None) if isinstance(message, dict) else None
    if not isinstance(kind, str) or kind not in _EVENTS:
        raise _bad(f"unknown event: {line[:200]!r}")
    event: Event = _decode(_EVENTS[kind], message, kind)
    return event


def _bad(what: str) -> UniTalkerError:
    return UniTalkerError(
        "protocol.bad_event",
        f"The backend sent something that this add-on does not understand: {what}.",
        "The add-on and the backend are probably of different versions: install both from the same release.",
    )


def _decode(wanted: Any, value: Any, where: str) -> Any:
    """`value` as the type `wanted`: a plain type, ``X | None``, ``tuple[X, ...]`` or one of the dataclasses here."""
    if dataclasses.is_dataclass(wanted):
        return _decode_fields(wanted, value, where)
    if typing.get_origin(wanted) is tuple and isinstance(value, list):
        return tuple(_decode(typing.get_args(wanted)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return None if value is None else _decode(typing.get_args(wanted)[0], value, where)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise _bad(f"{where} is {value!r}")
    return value


def _decode_fields(wanted: Any, value: Any, where: str) -> Any:
    hints = typing.get_type_hints(wanted)
    if not isinstance(value, dict) or set(value) != set(hints):
        given = sorted(value) if isinstance(value, dict) else value
        raise _bad(f"{where} has {given}, expected {sorted(hints)}")
    return wanted(**{name: _decode(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})
