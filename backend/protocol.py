"""Requests and events between the add-on and the backend, exactly as docs/protocol.md has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from backend.errors import UniTalkerError
from backend.motion.direction import Direction
from backend.progress import Stage
from backend.rig.spec import Rig

PROTOCOL_VERSION = 2
MAX_LINE = 1 << 20

Device = Literal["auto", "cpu", "cuda", "mps"]
Engine = Literal["auto", "torch", "onnx"]


class _Message(BaseModel):
    # Strict, so that "1" or true is not taken for the integer 1.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _absolute(path: str) -> str:
    if not Path(path).is_absolute():
        raise ValueError("the path is not absolute")
    return path


def _npz(path: str) -> str:
    if Path(path).suffix.lower() != ".npz":
        raise ValueError("the output is written as .npz")
    return path


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
NpzPath = Annotated[AbsolutePath, AfterValidator(_npz)]
TakeName = Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
FrameRate = Annotated[float | None, Field(gt=0, le=1000, allow_inf_nan=False)]


# --- requests ----------------------------------------------------------------------------------------------------


class AnimateRequest(_Message):
    """Animate a sound file; `fps` None is the head's own rate, `identity_b` a second style to blend in."""

    type: Literal["animate"]
    id: int
    audio: AbsolutePath
    output: NpzPath
    model: str | None = None
    head: str | None = None
    identity: str | None = None
    identity_b: str | None = None
    fps: FrameRate = None
    direction: Direction = Direction()
    rig: Rig | None = None
    device: Device = "auto"
    engine: Engine = "auto"


class RemapRequest(_Message):
    """Direct a take again, without the network."""

    type: Literal["remap"]
    id: int
    take: TakeName
    output: NpzPath
    fps: FrameRate = None
    direction: Direction = Direction()
    rig: Rig | None = None


class ImportRequest(_Message):
    """Make a take of a motion file, and of its sound if there is one; `entry` chooses among several results."""

    type: Literal["import"]
    id: int
    motion: AbsolutePath
    audio: AbsolutePath | None = None
    entry: str | None = None
    output: NpzPath
    fps: FrameRate = None
    direction: Direction = Direction()
    rig: Rig | None = None


class ComponentsRequest(_Message):
    """Split a take of vertices into shapes and weights, `tolerance` being metres."""

    type: Literal["components"]
    id: int
    take: TakeName
    output: NpzPath
    fps: FrameRate = None
    direction: Direction = Direction()
    most: int = Field(default=32, ge=1, le=256)
    tolerance: float = Field(default=1e-4, ge=0, allow_inf_nan=False)


class ModelsRequest(_Message):
    """List the models anew."""

    type: Literal["models"]
    id: int


class CancelRequest(_Message):
    """Stop the job `id`, running or waiting."""

    type: Literal["cancel"]
    id: int


class ShutdownRequest(_Message):
    """End the process."""

    type: Literal["shutdown"]


JobRequest = AnimateRequest | RemapRequest | ImportRequest | ComponentsRequest
Request = JobRequest | ModelsRequest | CancelRequest | ShutdownRequest

_REQUESTS: dict[str, TypeAdapter[Any]] = {
    "animate": TypeAdapter(AnimateRequest),
    "remap": TypeAdapter(RemapRequest),
    "import": TypeAdapter(ImportRequest),
    "components": TypeAdapter(ComponentsRequest),
    "models": TypeAdapter(ModelsRequest),
    "cancel": TypeAdapter(CancelRequest),
    "shutdown": TypeAdapter(ShutdownRequest),
}


# --- events ------------------------------------------------------------------------------------------------------


class HeadInfo(_Message):
    """One head of a model as clients list it; `names` of its channels, none for vertices."""

    name: str
    title: str
    kind: str
    fps: float
    unit: str
    channels: int
    names: list[str]


class ModelInfo(_Message):
    """One installed model."""

    name: str
    path: str
    licence: str
    default_head: str
    default_identity: str
    heads: list[HeadInfo]
    identities: list[str]


class HelloEvent(_Message):
    """The first line."""

    type: Literal["hello"] = "hello"
    protocol: int = PROTOCOL_VERSION
    version: str
    python: str
    engines: list[str]
    devices: list[str]
    models: list[ModelInfo]
    problems: list[str]


class ProgressEvent(_Message):
    """How far a job is."""

    type: Literal["progress"] = "progress"
    id: int
    stage: Stage
    done: int
    total: int


class ResultEvent(_Message):
    """The end of a job that went well; `duration` is in seconds, `take` names what can be directed again."""

    type: Literal["result"] = "result"
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
    quality: dict[str, float]
    waveform: list[float]
    notes: list[str]


class CancelledEvent(_Message):
    """The end of a cancelled job."""

    type: Literal["cancelled"] = "cancelled"
    id: int


class ErrorEvent(_Message):
    """The end of a job that went wrong, or a request that was refused."""

    type: Literal["error"] = "error"
    id: int | None
    code: str
    message: str
    hint: str


class ModelsEvent(_Message):
    """Answer to a `models` request."""

    type: Literal["models"] = "models"
    id: int
    models: list[ModelInfo]
    problems: list[str]


Event = HelloEvent | ProgressEvent | ResultEvent | CancelledEvent | ErrorEvent | ModelsEvent


# --- lines -------------------------------------------------------------------------------------------------------


class ProtocolError(UniTalkerError):
    """A line that is no request.

    Attributes:
        request_id: the id in it, as far as it could be understood.
    """

    def __init__(self, code: str, message: str, request_id: int | None = None) -> None:
        super().__init__(f"protocol.{code}", message, "See docs/protocol.md.")
        self.request_id = request_id


def encode(event: Event) -> bytes:
    """One line of JSON with its line end; ASCII, so that file names which are no Unicode come through as well."""
    return json.dumps(event.model_dump()).encode("ascii") + b"\n"


def parse_request(line: bytes) -> Request:
    """Read one line.

    Raises:
        ProtocolError: ``protocol.bad_json``, ``protocol.unknown_request``, ``protocol.bad_request`` or
            ``protocol.line_too_long``.
    """
    if len(line) > MAX_LINE:
        raise ProtocolError("line_too_long", f"A line of {len(line)} bytes is longer than {MAX_LINE}.")
    try:
        # A file's name need not be UTF-8 on every system; Python keeps such bytes in strings in this way.
        data = json.loads(line.decode("utf-8", "surrogateescape"))
    # RecursionError: brackets nested thousands deep.
    except (ValueError, RecursionError) as error:
        raise ProtocolError("bad_json", f"A line is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise ProtocolError("bad_json", f"A line is not a JSON object but {type(data).__name__}.")
    request_id = data["id"] if type(data.get("id")) is int else None
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in _REQUESTS:
        raise ProtocolError("unknown_request", f"There is no request {kind!r:.100}.", request_id)
    try:
        request: Request = _REQUESTS[kind].validate_python(data)
    except ValidationError as error:
        raise ProtocolError("bad_request", f"Bad {kind} request: {describe(error)}.", request_id) from error
    return request


def describe(error: ValidationError) -> str:
    """What pydantic found, in one line: ``fps: Input should be greater than 0``."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
