"""From a sound and a loaded model to face motion: windows, cross-fade, progress, cancel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.audio import SAMPLE_RATE, Audio
from backend.engine import memory_watched
from backend.errors import UniTalkerError
from backend.motion.clip import clip_weights
from backend.motion.intensity import scale_intensity
from backend.motion.resample import resample
from backend.motion.smoothing import smooth
from backend.progress import ProgressCallback, Stage

if TYPE_CHECKING:
    from backend.bundle import Bundle

WINDOW_SECONDS = 25
OVERLAP_SECONDS = 5
STEP_SECONDS = WINDOW_SECONDS - OVERLAP_SECONDS
MAX_RESULT_BYTES = 2 << 30


@dataclass(frozen=True)
class AnimateOptions:
    """What a user chooses.

    Attributes:
        head: annotation type; None for the model's default.
        identity: speaking style; None for the model's default.
        fps: frames per second of the result; None for the head's own.
        intensity: 0 is still, 1 as the model says, above 1 exaggerates.
        smoothing: length of the smoothing window in seconds, 0 for none.
    """

    head: str | None = None
    identity: str | None = None
    fps: float | None = None
    intensity: float = 1.0
    smoothing: float = 0.0


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
    bundle: Bundle, audio: Audio, options: AnimateOptions, progress: ProgressCallback | None = None
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
    with memory_watched():
        motion = predict(bundle, audio, options, progress)
        template = bundle.model.template(motion.annotation.type_name)
        return finish(motion, options, None if template is None else template.detach().cpu().numpy())


def predict(
    bundle: Bundle,
    audio: Audio,
    options: AnimateOptions,
    progress: ProgressCallback | None = None,
    rest: np.ndarray | None = None,
) -> FaceMotion:
    """What the network itself says, window by window, at the head's own rate; of `options` head and identity count.

    Args:
        bundle: the model.
        audio: the sound.
        options: as for `animate`.
        progress: as for `animate`.
        rest: (D,), float32, the resting face to add in place of the head's template.
    """
    import torch  # here, because it takes seconds and nothing else in this module needs it

    report = progress or _ignore_progress
    head = bundle.manifest.head_name(options.head)
    annotation = bundle.manifest.spec.head(head).annotation
    identity = torch.tensor([bundle.manifest.identity_index(options.identity)], device=bundle.device)
    template = bundle.model.template(head) if rest is None else torch.from_numpy(rest).to(bundle.device)
    windows = split_windows(len(audio.samples), annotation.fps)
    _check_size(windows[-1].end_frame, annotation)
    values = np.empty((windows[-1].end_frame, annotation.dim), np.float32)
    filled = 0
    for done, window in enumerate(windows):
        report("infer", done, len(windows))
        with torch.inference_mode():
            waveform = torch.from_numpy(audio.samples[window.start : window.stop]).to(bundle.device)[None]
            output = bundle.model(waveform, head, window.frames, identity, template).values[0]
        cross_fade(values, output.float().cpu().numpy(), window.first_frame, filled)
        filled = window.end_frame
    report("infer", len(windows), len(windows))
    return FaceMotion(values, annotation.fps, annotation, audio.notes)


def finish(motion: FaceMotion, options: AnimateOptions, rest: np.ndarray | None) -> FaceMotion:
    """Intensity, smoothing, frame rate and range, in this order."""
    motion = scale_intensity(motion, options.intensity, rest)
    motion = smooth(motion, options.smoothing)
    motion = resample(motion, options.fps or motion.fps)
    return clip_weights(motion)


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
