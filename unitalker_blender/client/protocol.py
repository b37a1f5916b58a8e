"""The protocol of docs/protocol.md, seen from the client: requests to lines, lines to events."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import UniTalkerError

PROTOCOL_VERSION = 2
MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class HeadInfo:
    """A head of a model: `kind` is blendshapes, vertices or flame; `names` of its channels, none for vertices."""

    name: str
    title: str
    kind: str
    fps: float
    unit: str
    channels: int
    names: tuple[str, ...]


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
    """A job is finished; its motion lies in the `.npz` at `path`.

    Attributes:
        duration: seconds.
        take: name of the network's output, for a `RemapRequest`.
        quality: read-out of the motion, number by name.
        waveform: loudness over the length of the sound, 0 to 1.
    """

    id: int
    path: str
    frames: int
    fps: float
    duration: float
    head: str
    identity: str
    device: str
    engine: str
    take: str
    quality: Mapping[str, float]
    waveform: tuple[float, ...]
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
        identity_b: a second style that the direction can blend in.
        fps: frame rate of the motion, frames per second.
        direction: what is changed about the network's motion, see docs/protocol.md.
        rig: whose controls the result's channels are.
    """

    audio: str
    output: str = ""
    model: str | None = None
    head: str | None = None
    identity: str | None = None
    identity_b: str | None = None
    fps: float | None = None
    direction: Mapping[str, Any] = field(default_factory=dict)
    rig: Mapping[str, Any] | None = None
    device: str = "auto"
    engine: str = "auto"


@dataclass(frozen=True)
class RemapRequest:
    """Ask for the motion of a take in another direction, frame rate or rig; attributes as of `AnimateRequest`."""

    take: str
    output: str = ""
    fps: float | None = None
    direction: Mapping[str, Any] = field(default_factory=dict)
    rig: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ImportRequest:
    """Ask for the motion in a file, as a take that can be directed; other attributes as of `AnimateRequest`.

    Attributes:
        motion: absolute path of a `.npz`, `.csv` or `.json`.
        audio: absolute path of its sound, which layers listen to.
        entry: which result, for a file that holds several.
    """

    motion: str
    audio: str | None = None
    entry: str | None = None
    output: str = ""
    fps: float | None = None
    direction: Mapping[str, Any] = field(default_factory=dict)
    rig: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ComponentsRequest:
    """Ask for a take of vertices as shapes and weights: at most `most`, no more than `tolerance` (metres) takes."""

    take: str
    output: str = ""
    fps: float | None = None
    direction: Mapping[str, Any] = field(default_factory=dict)
    most: int = 32
    tolerance: float = 1e-4


MotionRequest = AnimateRequest | RemapRequest | ImportRequest | ComponentsRequest

_KINDS: dict[type, str] = {
    AnimateRequest: "animate",
    RemapRequest: "remap",
    ImportRequest: "import",
    ComponentsRequest: "components",
}


def request_line(job_id: int, request: MotionRequest) -> bytes:
    return _line({"type": _KINDS[type(request)], "id": job_id, **vars(request)})


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
    """`value` as the type `wanted`: plain, ``X | None``, ``tuple[X, ...]``, ``Mapping[str, X]`` or a dataclass."""
    if dataclasses.is_dataclass(wanted):
        return _decode_fields(wanted, value, where)
    if typing.get_origin(wanted) is tuple and isinstance(value, list):
        return tuple(_decode(typing.get_args(wanted)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if typing.get_origin(wanted) is Mapping and isinstance(value, dict):
        return {key: _decode(typing.get_args(wanted)[1], item, f"{where}.{key}") for key, item in value.items()}
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
