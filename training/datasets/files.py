"""Files of data sets that others made: read without running code from them, and named when they are wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from backend.audio import SAMPLE_RATE, read_audio
from backend.errors import UniTalkerError


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UniTalkerError: ``data.not_found`` or ``data.unreadable``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UniTalkerError(
            "data.not_found", f"{path} cannot be read: {error.strerror}.", "Is the data root right?"
        ) from error
    except ValueError as error:
        raise UniTalkerError("data.unreadable", f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise UniTalkerError("data.unreadable", f"{path} holds a {type(content).__name__}, expected an object.")
    return content


def open_array(path: Path) -> np.ndarray:
    """A ``.npy`` file of numbers, memory-mapped: rows are read when they are used.

    Raises:
        UniTalkerError: ``data.not_found`` or ``data.unreadable``, also for pickled objects.
    """
    try:
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise UniTalkerError("data.not_found", f"{path} cannot be read: {error}.") from error
    except (ValueError, EOFError) as error:
        raise UniTalkerError("data.unreadable", f"{path} is not a plain .npy array: {error}.") from error


def open_frames(path: Path, dim: int) -> np.ndarray:
    """A ``.npy`` file of frames as (T, dim), memory-mapped.

    Raises:
        UniTalkerError: also ``data.shape``, for another number of values per frame.
    """
    array = open_array(path)
    if not array.ndim or not len(array) or array[0].size != dim:
        raise UniTalkerError("data.shape", f"{path} has shape {array.shape}; {dim} numbers per frame were expected.")
    return array.reshape(len(array), dim)


def read_sound(path: Path) -> np.ndarray:
    """16 kHz mono float32 of a sound file, or of samples as ``.npy``, which are taken as they are."""
    return np.asarray(open_array(path), np.float32) if path.suffix == ".npy" else read_audio(path).samples[:]


def samples_of_sound(path: Path) -> int:
    """How many samples `read_sound` gives, by the file's header."""
    if path.suffix == ".npy":
        return len(open_array(path))
    try:
        header = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise UniTalkerError("audio.unreadable", f"{path} is not sound: {error.error_string.rstrip('.')}.") from error
    samples: int = math.ceil(header.frames * SAMPLE_RATE / header.samplerate)
    return samples
