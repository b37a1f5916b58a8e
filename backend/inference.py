"""From a sound and a loaded model to face motion: windows, cross-fade, progress, cancel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.audio import SAMPLE_RATE, Audio
from backend.engine import memory_watched
from backend.engines.base import Engine
from backend.errors import UniTalkerError
from backend.motion.direction import NEUTRAL, Direction
from backend.motion.perform import perform
from backend.progress import ProgressCallback, Stage
from backend.prosody import analyse
from backend.rig.solve import apply_rig
from backend.rig.spec import Rig
from backend.takes import Origin, Take

WINDOW_SECONDS = 25
OVERLAP_SECONDS = 5
STEP_SECONDS = WINDOW_SECONDS - OVERLAP_SECONDS
WINDOWS = f"{WINDOW_SECONDS} s, {OVERLAP_SECONDS} s overlap"
"""How a sound is cut, which is part of what a take is made with."""
MAX_RESULT_BYTES = 2 << 30


@dataclass(frozen=True)
class AnimateOptions:
    """What a user chooses.

    Attributes:
        head: annotation type; None for the model's default.
        identity: speaking style; None for the model's default.
        identity_b: a second style, which the direction can blend in; None for none.
        fps: frames per second of the result; None for the head's own.
        direction: what is changed about the network's motion.
        rig: whose controls the result's channels are; None for the head's own channels.
    """

    head: str | None = None
    identity: str | None = None
    identity_b: str | None = None
    fps: float | None = None
    direction: Direction = NEUTRAL
    rig: Rig | None = None

    def as_plain_data(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries."""
        direction = self.direction.model_dump(mode="json")
        rig = None if self.rig is None else self.rig.model_dump(mode="json")
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"direction": direction, "rig": rig}


@dataclass(frozen=True)
class Window:
    """A stretch of the sound: samples `start` to `stop`, frames from `first_frame` on."""

    start: int
    stop: int
    first_frame: int
    frames: int

    @property
    def end_frame(self) -> int:
        return self.first_frame + self.frames


def frame_count(samples: int, fps: float) -> int:
    """Frames for a stretch of sound: the official code's arithmetic, halves to even in double precision."""
    return round(samples / SAMPLE_RATE * fps)


def split_windows(samples: int, fps: float) -> list[Window]:
    """Windows of 25 s that overlap by 5 s; the last takes what remains (as the official demo cuts)."""
    length, step = WINDOW_SECONDS * SAMPLE_RATE, STEP_SECONDS * SAMPLE_RATE
    count = max(0, math.ceil((samples - length) / step)) + 1
    windows = []
    for index in range(count):
        start, stop = index * step, min(index * step + length, samples)
        first = round(index * STEP_SECONDS * fps)
        windows.append(Window(start, stop, first, frame_count(stop - start, fps)))
    return windows


def cross_fade(values: np.ndarray, window: np.ndarray, first: int, filled: int) -> None:
    """Put a window's frames into `values` in place, fading linearly over what is filled already.

    Args:
        values: float32 (all frames, channels), final up to frame `filled`.
        window: (frames, channels).
        first: frame of `values` at which the window starts, at most `filled`.
        filled: end of the preceding window; 0 for the first.
    """
    overlap = min(filled - first, len(window))
    if overlap > 0:
        # Both ends inclusive and in double precision, as in the official demo.
        old = np.linspace(1, 0, overlap)[:, None]
        blended = values[first : first + overlap] * old + window[:overlap] * (1 - old)
        values[first : first + overlap] = blended
    values[first + overlap : first + len(window)] = window[overlap:]


def animate(
    engine: Engine, audio: Audio, options: AnimateOptions, progress: ProgressCallback | None = None
) -> FaceMotion:
    """Animate a sound.

    Memory holds one window and the result. The callback is asked before every window and every stage, so that
    cancelling takes at most the time of one.

    Returns:
        Motion from the start of the sound at ``options.fps``; blendshape weights within 0 to 1; vertices and
        parameters with the head's template added.

    Raises:
        UniTalkerError: ``model.unknown_head``, ``model.unknown_identity``, ``audio.too_long`` for a result beyond
            2 GiB, ``engine.out_of_memory``.
        Cancelled: from `progress`.
    """
    take = record(engine, audio, options, progress)
    with memory_watched():
        motion = perform(take, options.direction, options.fps)
        return motion if options.rig is None else apply_rig(motion, options.rig)


def record(engine: Engine, audio: Audio, options: AnimateOptions, progress: ProgressCallback | None = None) -> Take:
    """What the network says of a sound, once, to be directed any number of times; raises as `animate`."""
    identities = [options.identity, options.identity_b] if options.identity_b else [options.identity]
    with memory_watched():
        raw, *second = predict_styles(engine, audio, options.head, identities, progress)
        template = engine.template(raw.annotation.type_name)
    return Take(
        raw=raw,
        raw_b=second[0].values if second else None,
        rest=template,
        prosody=analyse(audio.samples),
        origin=Origin(
            model=engine.manifest.name,
            identity=engine.manifest.identity_name(options.identity),
            identity_b=options.identity_b or "",
            device=engine.device,
            engine=engine.name,
        ),
    )


def predict(
    engine: Engine,
    audio: Audio,
    options: AnimateOptions,
    progress: ProgressCallback | None = None,
    rest: np.ndarray | None = None,
) -> FaceMotion:
    """What the network itself says in one style; of `options` head and identity count. See `predict_styles`."""
    return predict_styles(engine, audio, options.head, [options.identity], progress, rest)[0]


def predict_styles(
    engine: Engine,
    audio: Audio,
    head: str | None,
    identities: Sequence[str | None],
    progress: ProgressCallback | None = None,
    rest: np.ndarray | None = None,
) -> list[FaceMotion]:
    """What the network itself says, window by window, at the head's own rate; the encoder runs once for all styles.

    Args:
        engine: the model, loaded.
        audio: the sound.
        head: annotation type; None for the model's default.
        identities: styles; None for the model's default.
        progress: as for `animate`.
        rest: (D,), float32, the resting face to add in place of the head's template.

    Returns:
        One motion per identity.
    """
    report = progress or _ignore_progress
    head = engine.manifest.head_name(head)
    annotation = engine.manifest.spec.head(head).annotation
    rows = [engine.manifest.identity_index(name) for name in identities]
    template = engine.template(head) if rest is None else rest
    windows = split_windows(len(audio.samples), annotation.fps)
    _check_size(windows[-1].end_frame * len(rows), annotation)
    styles = [np.empty((windows[-1].end_frame, annotation.dim), np.float32) for _ in rows]
    filled = 0
    for done, window in enumerate(windows):
        report("infer", done, len(windows))
        waveform = audio.samples[window.start : window.stop][None]
        outputs = engine.predict_windows(waveform, head, window.frames, rows, template)
        for values, output in zip(styles, outputs, strict=True):
            cross_fade(values, output, window.first_frame, filled)
        filled = window.end_frame
    report("infer", len(windows), len(windows))
    return [FaceMotion(values, annotation.fps, annotation, (*audio.notes, *engine.notes)) for values in styles]


def _check_size(frames: int, annotation: Annotation) -> None:
    size = frames * annotation.dim * np.float32().itemsize
    if size > MAX_RESULT_BYTES:
        raise UniTalkerError(
            "audio.too_long",
            f"{frames} frames of {annotation.type_name} would take {size / 2**30:.1f} GiB of memory; "
            f"at most {MAX_RESULT_BYTES >> 30} GiB are used.",
            "Cut the sound into parts, or choose a head with fewer channels.",
        )


def _ignore_progress(stage: Stage, done: int, total: int) -> None:
    """For callers who do not ask."""
