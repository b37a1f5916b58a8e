"""Sound files in: any rate, any number of channels, out come 16 kHz mono float32 samples."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from backend.errors import UniTalkerError
from backend.sample_store import SampleFile, Samples

SAMPLE_RATE = 16_000
MIN_SECONDS = 0.1
"""Two to three frames; the speech encoders need 25 ms for a single feature."""
MAX_SECONDS = 3 * 3600.0
"""Three hours are 0.7 GB of samples, on disk."""

_BLOCK_SECONDS = 10
_MEMORY_SECONDS = 600
"""Longer sounds are kept on disk; an hour is 230 MB of samples."""


@dataclass(frozen=True)
class Audio:
    """A mono sound at 16 kHz.

    Attributes:
        samples: float32, shape ``(samples,)``, usually within -1 to 1; an array, or for long sounds a file.
        notes: remarks for the user, e.g. that the file was cut short.
    """

    samples: Samples
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def read_audio(path: Path) -> Audio:
    """Decode a wav, flac, ogg or mp3 file, mix it to mono (mean of the channels) and resample it to 16 kHz.

    The file is read in blocks, so that memory holds the 16 kHz samples of ten minutes at most and little else.

    Raises:
        UniTalkerError: ``audio.not_found``, ``audio.unreadable``, ``audio.empty``, ``audio.too_short``,
            ``audio.too_long`` or, for NaN and infinite samples, ``audio.not_finite``.
    """
    try:
        _check_is_file(path)
        file = _open(path)
    except OSError as error:
        raise UniTalkerError("audio.unreadable", f"Cannot read {path}: {error.strerror}.") from error
    try:
        with file:
            return _read_open_file(file, path)
    except soundfile.LibsndfileError as error:
        raise UniTalkerError(
            "audio.unreadable", f"{path} is damaged: {error.error_string.rstrip('.')}.", "Export the sound again."
        ) from error


def _open(path: Path) -> soundfile.SoundFile:
    # Bytes on POSIX, whose names need not be Unicode.
    name = os.fsencode(path) if os.name == "posix" else str(path)
    try:
        return soundfile.SoundFile(name)
    # TypeError: a suffix that libsndfile takes for headerless data.
    except (soundfile.LibsndfileError, TypeError) as error:
        raise UniTalkerError(
            "audio.unreadable",
            f"{path} is not sound in a format that can be read: it is something else, or damaged.",
            "Use a wav, flac, ogg or mp3 file; ffmpeg -i INPUT OUTPUT.wav makes one from almost anything.",
        ) from error


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise UniTalkerError("audio.not_found", f"{path} is a folder.", "Choose a sound file in it.")
    if not path.is_file():
        raise UniTalkerError("audio.not_found", f"There is no file {path}.", "Check the name and the folder.")
    if path.stat().st_size == 0:
        raise UniTalkerError("audio.empty", f"The file {path} is empty (0 bytes).", "Export the sound again.")


def _read_open_file(file: soundfile.SoundFile, path: Path) -> Audio:
    _check_not_too_long(file.frames / file.samplerate, path)
    samples = _Recorder(path)
    for block in _resampled_blocks(file, path):
        samples.append(block)
        _check_not_too_long(samples.length / SAMPLE_RATE, path)
    decoded = file.tell()
    # The resampler's rounding may differ by one sample.
    kept = samples.finish(math.ceil(decoded * SAMPLE_RATE / file.samplerate))
    _check_not_too_short(len(kept) / SAMPLE_RATE, path)
    return Audio(kept, tuple(_remarks(samples.is_silent, file, decoded)))


class _Recorder:
    """Takes blocks of samples, at first into memory and from ten minutes on into a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # It grows in place, where a list of blocks would need everything twice when joined.
        self._memory = bytearray()
        self._file: SampleFile | None = None
        self.is_silent = True

    @property
    def length(self) -> int:
        return len(self._memory) // 4 if self._file is None else len(self._file)

    def append(self, block: np.ndarray) -> None:
        self.is_silent = self.is_silent and not block.any()
        try:
            if self._file is not None:
                self._file.append(block.tobytes())
                return
            self._memory += block.tobytes()
            if self.length > _MEMORY_SECONDS * SAMPLE_RATE:
                self._file = SampleFile(self._memory)
                self._memory = bytearray()
        except OSError as error:
            raise UniTalkerError(
                "audio.no_space",
                f"{self._path} is long, and its samples cannot be kept in the folder for temporary files: "
                f"{error.strerror}.",
                "Make room there, or set TMPDIR to a folder with more.",
            ) from error

    def finish(self, length: int) -> Samples:
        """All samples, cut or filled up with silence."""
        if self._file is not None:
            self._file.resize(length)
            return self._file
        self._memory += bytes(max(0, 4 * length - len(self._memory)))
        return np.frombuffer(self._memory, np.float32)[:length]


def _resampled_blocks(file: soundfile.SoundFile, path: Path) -> Iterator[np.ndarray]:
    """Mono blocks at 16 kHz."""
    resampler = None
    if file.samplerate != SAMPLE_RATE:
        resampler = soxr.ResampleStream(file.samplerate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    start = 0
    # Not file.blocks(): where a file is cut short it fills up with uninitialised memory.
    while len(block := file.read(_BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True)):
        mono = block.mean(axis=1)
        _check_finite(mono, start, file.samplerate, path)
        start += len(mono)
        yield mono if resampler is None else resampler.resample_chunk(mono)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _check_finite(mono: np.ndarray, start: int, rate: int, path: Path) -> None:
    bad = np.flatnonzero(~np.isfinite(mono))
    if not len(bad):
        return
    at = (start + int(bad[0])) / rate
    raise UniTalkerError(
        "audio.not_finite",
        f"{path} holds samples that are not numbers (NaN or infinite), the first at {at:.3f} s.",
        "Export the sound again from the program that made it.",
    )


def _check_not_too_long(seconds: float, path: Path) -> None:
    if seconds > MAX_SECONDS:
        raise UniTalkerError(
            "audio.too_long",
            f"{path} is longer than {MAX_SECONDS / 3600:.0f} hours, the most that is animated at once.",
            "Cut it into parts.",
        )


def _check_not_too_short(seconds: float, path: Path) -> None:
    if seconds == 0:
        raise UniTalkerError("audio.empty", f"{path} holds no sound (0 s).", "Export the sound again.")
    if seconds < MIN_SECONDS:
        raise UniTalkerError(
            "audio.too_short",
            f"{path} is {seconds:.3f} s long; at least {MIN_SECONDS} s are needed.",
            "Use a longer sound, or add silence at its end.",
        )


def _remarks(is_silent: bool, file: soundfile.SoundFile, decoded: int) -> Iterator[str]:
    # An mp3 may announce a few frames more than it decodes to; a twentieth of a second is heard by nobody.
    if file.frames - decoded > file.samplerate / 20:
        announced, read = file.frames / file.samplerate, decoded / file.samplerate
        yield f"The sound file is cut short: it announces {announced:.2f} s and holds {read:.2f} s."
    if is_silent:
        yield "The sound is silent throughout."
