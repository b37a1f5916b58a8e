"""Sound files of every kind and every kind of broken one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.audio import MAX_SECONDS, SAMPLE_RATE, read_audio
from backend.errors import UniTalkerError
from backend.sample_store import SampleFile

AWKWARD_NAME = 'it\'s a "voice" 测试 ü.wav'


def tone(seconds: float, rate: int, channels: int = 1, hertz: float = 440.0) -> np.ndarray:
    """A sine, louder on the left than on the right; float32 (samples, channels)."""
    wave = np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return (wave[:, None] * np.linspace(0.8, 0.4, channels)).astype(np.float32)


def error_of(path: Path) -> UniTalkerError:
    with pytest.raises(UniTalkerError) as caught:
        read_audio(path)
    assert path.name in caught.value.message
    return caught.value


def test_every_real_speech_file_reads_to_its_own_length(speech_folder: Path) -> None:
    files = [path for path in sorted(speech_folder.rglob("*")) if path.suffix in (".wav", ".flac")]
    assert len(files) > 30
    for path in files:
        audio = read_audio(path)
        assert audio.samples.dtype == np.float32
        assert audio.seconds == pytest.approx(soundfile.info(path).duration, abs=1 / SAMPLE_RATE)
        assert 0.01 < np.abs(audio.samples).max() < 2
        assert audio.notes == ()


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (44100, 2), (48000, 1)])
def test_every_format_rate_and_channel_count_gives_the_same_tone(
    tmp_path: Path, suffix: str, rate: int, channels: int
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(1.0, rate, channels), rate)
    samples = read_audio(path).samples
    assert len(samples) == SAMPLE_RATE
    middle = slice(2000, -2000)
    expected = tone(1.0, SAMPLE_RATE, channels).mean(axis=1)
    # Lossy codecs shift nothing audible; a tenth of the amplitude tells a wrong mix or rate from a codec.
    assert np.abs(samples[middle] - expected[middle]).max() < 0.1 * np.abs(expected).max()


@settings(max_examples=15, deadline=None)
@given(rate=st.sampled_from([8000, 11025, 22050, 44100, 48000, 96000]), samples=st.integers(10_000, 400_000))
def test_length_is_that_of_the_sound_however_the_blocks_fall(
    tmp_path_factory: pytest.TempPathFactory, rate: int, samples: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "length.wav"
    soundfile.write(path, np.zeros(samples, np.float32), rate)
    assert len(read_audio(path).samples) == -(-samples * SAMPLE_RATE // rate)


def test_a_path_with_quotes_spaces_and_other_scripts(tmp_path: Path) -> None:
    path = tmp_path / AWKWARD_NAME
    soundfile.write(path, tone(1.0, 22050), 22050)
    assert read_audio(path).seconds == 1.0


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert error_of(tmp_path / "gone.wav").code == "audio.not_found"
    assert error_of(tmp_path).code == "audio.not_found"


def test_empty_file_and_empty_sound(tmp_path: Path) -> None:
    (tmp_path / "nothing.wav").touch()
    assert error_of(tmp_path / "nothing.wav").code == "audio.empty"
    soundfile.write(tmp_path / "silent.wav", np.zeros((0, 1), np.float32), 16000)
    assert error_of(tmp_path / "silent.wav").code == "audio.empty"


@pytest.mark.parametrize("suffix", ["wav", "mp3", "raw", "txt"])
def test_a_text_file_is_no_sound(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"letter.{suffix}"
    path.write_text("Dear reader, this is not a sound.\n" * 100)
    assert error_of(path).code == "audio.unreadable"


def test_a_video_is_no_sound(shared: Path) -> None:
    video = next(shared.glob("video/*.mpg"))
    error = error_of(video)
    assert error.code == "audio.unreadable"
    assert "ffmpeg" in error.hint


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "damaged.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 44100), 44100)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = b"\x55" * (len(data) - len(data) // 2)
    path.write_bytes(data)
    assert error_of(path).code == "audio.unreadable"


def test_a_file_that_is_cut_short_is_read_with_a_remark(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 44100), 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = read_audio(path)
    assert 0.2 < audio.seconds < 0.8
    assert "cut short" in audio.notes[0]


def test_silence_is_read_with_a_remark(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros(16000, np.float32), 16000)
    assert read_audio(tmp_path / "quiet.wav").notes == ("The sound is silent throughout.",)


def test_a_twentieth_of_a_second_is_too_short_and_the_message_says_what_is_needed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", tone(0.05, 44100), 44100)
    error = error_of(tmp_path / "click.wav")
    assert error.code == "audio.too_short"
    assert "0.1 s" in error.message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused_with_their_place(tmp_path: Path, bad: float) -> None:
    samples = tone(2.0, 44100, 2)
    samples[round(1.5 * 44100), 1] = bad
    soundfile.write(tmp_path / "broken.wav", samples, 44100, subtype="FLOAT")
    error = error_of(tmp_path / "broken.wav")
    assert error.code == "audio.not_finite"
    assert "1.500 s" in error.message


def write_silence(path: Path, hours: float) -> None:
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC") as file:
        for _ in range(round(hours * 60)):
            file.write(np.zeros(60 * 8000, np.int16))


def test_two_hours_are_read(tmp_path: Path) -> None:
    write_silence(tmp_path / "long.flac", 2)
    assert read_audio(tmp_path / "long.flac").seconds == 7200


def test_more_than_the_limit_is_refused_at_once(tmp_path: Path) -> None:
    write_silence(tmp_path / "endless.flac", MAX_SECONDS / 3600 + 0.1)
    error = error_of(tmp_path / "endless.flac")
    assert error.code == "audio.too_long"
    assert "3 hours" in error.message


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_long_sound_is_kept_on_disk_and_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    soundfile.write(tmp_path / "long.wav", tone(31.7, rate, 2), rate)
    in_memory = read_audio(tmp_path / "long.wav")
    monkeypatch.setattr("backend.audio._MEMORY_SECONDS", 15)
    on_disk = read_audio(tmp_path / "long.wav")
    assert isinstance(in_memory.samples, np.ndarray)
    assert isinstance(on_disk.samples, SampleFile)
    assert on_disk.notes == in_memory.notes
    assert np.array_equal(on_disk.samples[:], in_memory.samples)


def test_a_full_folder_for_temporary_files_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    soundfile.write(tmp_path / "long.wav", tone(31.7, 8000, 1), 8000)
    monkeypatch.setattr("backend.audio._MEMORY_SECONDS", 15)
    monkeypatch.setattr(SampleFile, "append", full)
    error = error_of(tmp_path / "long.wav")
    assert error.code == "audio.no_space"
    assert "No space left" in error.message
    assert "TMPDIR" in error.hint


@given(
    blocks=st.lists(st.integers(0, 50), max_size=5),
    length=st.integers(0, 200),
    start=st.integers(-210, 210),
    stop=st.integers(-210, 210),
)
def test_stretches_of_a_sample_file_are_those_of_an_array(
    blocks: list[int], length: int, start: int, stop: int
) -> None:
    whole = np.arange(sum(blocks), dtype=np.float32)
    file = SampleFile()
    for block in np.split(whole, np.cumsum(blocks)[:-1]) if blocks else []:
        file.append(block.tobytes())
    file.resize(length)
    expected = np.zeros(length, np.float32)
    expected[: len(whole)] = whole[:length]
    assert len(file) == length
    assert np.array_equal(file[start:stop], expected[start:stop])
    assert file[start:stop].flags.writeable
