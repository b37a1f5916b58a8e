"""Sound as a browser plays it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import soundfile

from backend.audio import read_audio

_MEDIA_TYPES = {"WAV": "audio/wav", "FLAC": "audio/flac", "OGG": "audio/ogg", "MP3": "audio/mpeg", "MPEG": "audio/mpeg"}


@dataclass(frozen=True)
class PageSound:
    """A sound file's bytes, their media type, and how long it plays."""

    media_type: str
    content: bytes
    seconds: float


def read_sound(path: Path) -> PageSound:
    """The file as it is; what browsers do not play becomes FLAC of the same rate and channels.

    Raises:
        UniTalkerError: ``audio.*``; `path` is no sound that can be read.
    """
    seconds = read_audio(path).seconds
    with path.open("rb") as file, soundfile.SoundFile(file) as sound:
        media_type = _MEDIA_TYPES.get(sound.format)
        if media_type is None:
            return PageSound("audio/flac", _as_flac(sound), seconds)
    return PageSound(media_type, path.read_bytes(), seconds)


def _as_flac(sound: soundfile.SoundFile) -> bytes:
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", sound.samplerate, sound.channels, format="FLAC", subtype="PCM_16") as flac:
        for block in sound.blocks(sound.samplerate, dtype="float32", always_2d=True):
            flac.write(block)
    return content.getvalue()


def find_sound(motion_file: Path, name: str) -> Path | None:
    """The sound that a motion names, when it lies beside it."""
    # Only the last part: a motion from somewhere else must not pick files elsewhere.
    candidate = motion_file.parent / Path(name).name if name else None
    return candidate if candidate is not None and candidate.is_file() else None


def sound_for(motion_file: Path, named: str, chosen: Path | None) -> tuple[PageSound | None, str]:
    """The chosen sound, else the one beside the motion, else none; and a remark when there is none.

    Raises:
        UniTalkerError: ``audio.*`` for the chosen sound.
    """
    path = chosen or find_sound(motion_file, named)
    if path is not None:
        return read_sound(path), ""
    missing = f"the sound {Path(named).name} is not beside {motion_file.name}" if named else "the motion names no sound"
    return None, f"{missing}; the page is silent (--audio names one)"
