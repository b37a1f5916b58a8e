"""A backend without torch: speaks docs/protocol.md, writes a made-up motion, and misbehaves on request.

Copied as `backend/__main__.py` into a folder of its own and started as the real one is. The environment variable
UNITALKER_FAKE names what goes wrong; the modes are the keys of `MODES`.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import wave
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

MODES = {
    "": "all goes well",
    "die_before_hello": "exits before its first line",
    "silent": "never says anything",
    "noise_before_hello": "the first line is not JSON",
    "unknown_event": "an event that the protocol does not have",
    "wrong_protocol": "speaks another version",
    "no_engines": "torch is missing",
    "die_after_hello": "exits before it gets a request",
    "die_on_request": "exits when it gets a request",
    "die_midway": "exits after some progress",
    "die_before_result": "exits after it wrote the file, before it says so",
    "garbage_midway": "writes something that is not JSON while it works",
    "refuse": "answers with an error event",
    "slow": "works until it is cancelled",
    "deaf": "works, and does not listen to cancel",
    "forgetful": "keeps no take",
    "wrong_fps": "the motion has another frame rate than asked for",
    "nan": "values that are not numbers",
    "truncated": "half a file",
}
MODE = os.environ.get("UNITALKER_FAKE", "")

HEADS = ("arkit_fake", "mesh_fake")
COMMON_KEYS = {"type", "id", "output", "fps", "direction", "rig"}
REQUEST_KEYS = {
    "animate": COMMON_KEYS | {"audio", "model", "head", "identity", "identity_b", "device", "engine"},
    "remap": COMMON_KEYS | {"take"},
    "import": COMMON_KEYS | {"motion", "audio", "entry"},
    "components": (COMMON_KEYS - {"rig"}) | {"take", "most", "tolerance"},
}


def channel_names(root: Path) -> list[str]:
    """51 ARKit names, all but tongueOut, as the bundled head has them."""
    rig = json.loads((root / "assets/rigs/arkit52.json").read_text(encoding="utf-8"))
    return [name for name in rig["channels"] if name != "tongueOut"]


def made_up_values(frames: int, channels: int, intensity: float = 1.0) -> np.ndarray:
    """Weights between 0 and 1 that differ between channels and frames, shape ``(frames, channels)``."""
    phase = np.arange(frames)[:, None] * 0.4 + np.arange(channels)[None, :] * 0.7
    return (intensity * (0.5 - 0.5 * np.cos(phase))).astype(np.float32)


def say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def die() -> NoReturn:
    sys.stderr.write("a line before the end\nthe fake backend gives up\n")
    sys.stderr.flush()
    os._exit(3)


def hello() -> None:
    if MODE == "die_before_hello":
        die()
    if MODE == "silent":
        time.sleep(600)
    if MODE == "noise_before_hello":
        sys.stdout.write("Welcome to some library!\n")
    if MODE == "unknown_event":
        say(type="good_morning")
    head = {"title": "fake", "fps": 25.0}
    arkit = channel_names(Path.cwd())
    say(
        type="hello",
        protocol=99 if MODE == "wrong_protocol" else 2,
        version="0.0.1",
        python="3.11.0",
        engines=[] if MODE == "no_engines" else ["torch"],
        devices=["cpu"],
        models=[
            {
                "name": "fake",
                "path": "/nowhere",
                "licence": "CC0-1.0",
                "default_head": HEADS[0],
                "default_identity": "pivot",
                "heads": [
                    {"name": HEADS[0], "kind": "blendshapes", "unit": "weight", "channels": 51, "names": arkit, **head},
                    {"name": HEADS[1], "kind": "vertices", "unit": "m", "channels": 9, "names": [], **head},
                ],
                "identities": ["someone", "pivot"],
            }
        ],
        problems=["torch is not installed."] if MODE == "no_engines" else [],
    )
    if MODE == "die_after_hello":
        die()


class Requests:
    """Lines from stdin, read by a thread so that a cancel arrives while the job runs."""

    def __init__(self) -> None:
        self.jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.cancelled: set[int] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            request = json.loads(line)
            if request["type"] == "cancel" and MODE != "deaf":
                self.cancelled.add(request["id"])
            elif request["type"] in REQUEST_KEYS:
                self.jobs.put(request)
            elif request["type"] == "shutdown":
                break
        self.jobs.put(None)


TAKES: dict[str, dict[str, Any]] = {}
"""The request that each take was made by."""


def work(request: dict[str, Any], requests: Requests) -> None:
    job = request["id"]
    paths = [request[key] for key in ("audio", "motion", "output") if request.get(key)]
    if set(request) != REQUEST_KEYS[request["type"]] or not all(Path(path).is_absolute() for path in paths):
        say(type="error", id=job, code="protocol.bad_request", message=f"Bad request {request}.", hint="")
        return
    if MODE == "die_on_request":
        die()
    try:
        match request["type"]:
            case "remap":
                remap(request)
            case "components":
                components(request)
            case _:
                animate(request, requests)
    except FileNotFoundError as error:
        # Who gave a job up removes its folder at once, as the real backend has to bear as well.
        say(type="error", id=job, code="output.unwritable", message=f"Cannot write {error.filename}.", hint="")


def remap(request: dict[str, Any]) -> None:
    if request["take"] not in TAKES:
        say(type="error", id=request["id"], code="take.missing", message="The take is not kept.", hint="Animate again.")
        return
    write_result(TAKES[request["take"]] | request, request["take"])


def components(request: dict[str, Any]) -> None:
    """Three vertices of which each component moves one."""
    made_by = TAKES.get(request["take"])
    if made_by is None or head_of(made_by) != HEADS[1]:
        say(type="error", id=request["id"], code="take.no_vertices", message="No vertices.", hint="Choose another.")
        return
    count = min(3, request["most"])
    seconds = length_of(made_by)
    weights = made_up_values(max(1, round(seconds * request["fps"])), count) * 2 - 1
    shapes = np.zeros((count, 3, 3), np.float32)
    shapes[range(count), range(count), 1] = 0.01
    np.savez(
        request["output"],
        rest=np.float32([0, 0, 0, 1, 0, 0, 0, 1, 0]),
        shapes=shapes.reshape(count, 9),
        weights=np.full_like(weights, np.nan) if MODE == "nan" else weights,
        triangles=np.array([[0, 1, 2]], np.uint32),
        fps=request["fps"],
        annotation=HEADS[1],
    )
    if MODE == "truncated":
        Path(request["output"]).write_bytes(Path(request["output"]).read_bytes()[:100])
    quality = {"components": float(count), "largest_error_mm": 0.25, "mean_error_mm": 0.1}
    answer = {"path": request["output"], "frames": len(weights), "fps": request["fps"], "quality": quality}
    say_result(request, made_by, answer | {"duration": seconds, "head": HEADS[1], "take": request["take"]})


def length_of(request: dict[str, Any]) -> float:
    """Seconds of the sound; a motion file without one is a second long."""
    if not request["audio"]:
        return 1.0
    with wave.open(request["audio"]) as sound:
        return sound.getnframes() / sound.getframerate()


def animate(request: dict[str, Any], requests: Requests) -> None:
    job = request["id"]
    say(type="progress", id=job, stage="load", done=1, total=1)
    if MODE == "die_midway":
        die()
    if MODE == "garbage_midway":
        sys.stdout.write("Loading weights: 100%\n")
    if MODE == "refuse":
        say(type="error", id=job, code="audio.unreadable", message="This is not a sound file.", hint="Choose another.")
        return
    while MODE in ("slow", "deaf"):
        say(type="progress", id=job, stage="infer", done=1, total=2)
        time.sleep(0.02)
        if job in requests.cancelled:
            say(type="cancelled", id=job)
            return
    take = f"{job:032x}"
    if MODE != "forgetful":
        TAKES[take] = request
    write_result(request, take)


def rigged(values: np.ndarray, names: list[str], rows: list[dict[str, Any]]) -> tuple[np.ndarray, list[str]]:
    """Values and names of a character's controls; sources that are no ARKit names follow the first channel."""
    targets: dict[str, np.ndarray] = {}
    for row in rows:
        source = values[:, names.index(row["source"]) if row["source"] in names else 0]
        moved = row.get("gain", 1) * source + row.get("offset", 0)
        moved = np.clip(moved, row.get("minimum", 0), row.get("maximum", 1))
        targets[row["target"]] = targets.get(row["target"], 0) + moved
    return np.stack(list(targets.values()), axis=1), list(targets)


def write_result(request: dict[str, Any], take: str) -> None:
    duration = length_of(request)
    fps = request["fps"] or 25.0
    head = head_of(request)
    mesh = head == HEADS[1]
    names = [f"v{i}.{axis}" for i in range(3) for axis in "xyz"] if mesh else channel_names(Path.cwd())
    values = made_up_values(max(1, round(duration * fps)), len(names), request["direction"].get("intensity", 1.0))
    if request["rig"]:
        values, names = rigged(values, names, request["rig"]["targets"])
    if MODE == "nan":
        values[0, 0] = np.nan
    if MODE == "wrong_fps":
        fps = fps + 5.0
    output = Path(request["output"])
    with output.open("wb") as file:
        np.savez(file, values=values, names=np.array(names), fps=fps, unit="m" if mesh else "weight", annotation=head)
    if MODE == "truncated":
        output.write_bytes(output.read_bytes()[:100])
    if MODE == "die_before_result":
        die()
    quality = {"range": float(np.ptp(values))}
    answer = {"path": str(output), "frames": len(values), "fps": fps, "quality": quality}
    say_result(request, request, answer | {"duration": duration, "head": head, "take": take})


def head_of(request: dict[str, Any]) -> str:
    """The head that was asked for; a motion file is one of vertices when its name says so."""
    if "motion" in request:
        return HEADS[1] if "mesh" in Path(request["motion"]).name else HEADS[0]
    return request["head"] or HEADS[0]


def say_result(request: dict[str, Any], made_by: dict[str, Any], answer: dict[str, Any]) -> None:
    identity = "" if "motion" in made_by else made_by["identity"] or "pivot"
    say(
        type="result",
        id=request["id"],
        identity=identity,
        device="cpu",
        engine="torch",
        waveform=[0.0, 1.0, 0.5],
        notes=[],
        **answer,
    )


def main() -> None:
    hello()
    requests = Requests()
    while (request := requests.jobs.get()) is not None:
        work(request, requests)


if __name__ == "__main__":
    main()
