"""Movies through PyAV, which comes with the optional extra ``video``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError

MOVIE_SUFFIXES = (".mov", ".mp4", ".m4v", ".mkv", ".avi", ".webm", ".mpg", ".mpeg")


def import_extra(package: str, what_for: str) -> Any:
    """A package of the extra ``video``.

    Raises:
        UniTalkerError: ``video.package``, when it is not installed; names `what_for`.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise UniTalkerError(
            "video.package",
            f"{what_for} needs the package {package}, which is not installed ({error}).",
            "Install it: pip install mediapipe av.",
        ) from error


def frames_of(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds from the start, and the picture as uint8 (height, width, 3), RGB.

    Raises:
        UniTalkerError: ``video.package``, or ``video.unreadable`` for something that is no movie.
    """
    av = import_extra("av", f"Reading {path}")
    try:
        with av.open(str(path)) as movie:
            for frame in movie.decode(_stream(movie.streams.video, path, "picture")):
                if frame.time is not None:
                    yield frame.time, frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(path, error) from error


def read_movie_sound(path: Path) -> np.ndarray:
    """The sound, 16 kHz mono float32, beginning with the first picture where there are pictures.

    Raises:
        UniTalkerError: ``video.package``, or ``video.unreadable``, also for a movie without sound.
    """
    av = import_extra("av", f"Reading the sound of {path}")
    try:
        with av.open(str(path)) as movie:
            stream = _stream(movie.streams.audio, path, "sound")
            rate = stream.rate
            blocks, starts = [], []
            for frame in movie.decode(stream):
                samples = _as_float(frame.to_ndarray(), frame.layout.nb_channels)
                blocks.append(samples.mean(axis=0))
                starts.append(frame.time or 0.0)
            first_picture = _start_of_pictures(movie)
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(path, error) from error
    if not blocks:
        raise _unreadable(path, ValueError("its sound is empty"))
    mono = _moved(np.concatenate(blocks), round((starts[0] - first_picture) * rate))
    return np.asarray(soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ"), np.float32)


def _stream(streams: Any, path: Path, what: str) -> Any:
    if not streams:
        raise _unreadable(path, ValueError(f"it has no {what}"))
    return streams[0]


def _start_of_pictures(movie: Any) -> float:
    video = movie.streams.video
    if not video or video[0].start_time is None:
        return 0.0
    return float(video[0].start_time * video[0].time_base)


def _as_float(samples: np.ndarray, channels: int) -> np.ndarray:
    """float32 (channels, samples) of planar or interleaved samples of any type."""
    if samples.shape[0] != channels:
        samples = samples.reshape(-1, channels).T
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    return samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)


def _moved(mono: np.ndarray, later: int) -> np.ndarray:
    """The sound begun so many samples later, or earlier for negative numbers."""
    return np.pad(mono, (later, 0)) if later > 0 else mono[-later:]


def _unreadable(path: Path, error: Exception) -> UniTalkerError:
    return UniTalkerError(
        "video.unreadable", f"{path} cannot be read: {error}.", "Convert it with: ffmpeg -i INPUT OUTPUT.mp4"
    )
