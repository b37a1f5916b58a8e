"""Sections on what is trained on: data sets, how clips become sequences, and what is done to their sound."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.config.section import Range, Section


class DataSet(Section):
    """One data set in the official layout.

    Attributes:
        name: what logs and tables call it, e.g. ``G1``. Change it freely.
        folder: relative to the data root.
        identities: names in the identity table instead of those of its ``id_list``; for two data sets with the
            same person under different names, or the same name for different people.
        neutral: which resting face is subtracted from blendshape weights, so that 0 is rest. ``annotation`` takes
            each speaker's ``neutral`` from annotation.json, ``quiet`` the median of the quiet frames at the ends of
            the clips, ``none`` nothing. Use ``none`` for hand-made or solved weights whose rest is 0 already.
        head: of the start model, to train it with data of another annotation type: channels are matched by name, and
            the frame rate becomes the head's. Left out: the head of the data's own type.
        clips: how many training clips are used, evenly chosen from all; ``null`` for all. For finding out how much
            data is needed.
        clean_passes: how often each clip is used as it is. Left out, as in the paper: 10, 5 and 4 times for D0, D1
            and D2 of the release, once for all others.
        augmented_passes: how often in addition with augmentation; raise for small data sets.
        credit: who made the data, and its licence, for the model card.
    """

    name: str
    folder: str
    identities: tuple[str, ...] | None = None
    neutral: Literal["none", "annotation", "quiet"] = "none"
    head: str | None = None
    clips: int | None = Field(default=None, gt=0)
    clean_passes: int | None = Field(default=None, ge=0)
    augmented_passes: int = Field(default=0, ge=0)
    credit: str = ""


class Joining(Section):
    """Clips are joined to long sequences: a model that only sees 3 s clips fails on long sounds.

    ``joining: null`` leaves clips as they are, as the paper does.

    Attributes:
        seconds: shortest and longest sequence; the longest must fit the encoder's window (Whisper: 30 s).
        leading_silence: seconds of silence in front, drawn uniformly.
        leading_probability: how many sequences begin with silence.
        gap: seconds of silence between two clips.
        gap_probability: how often there is one.
        silence_level: standard deviation of the noise that fills silence, full scale 1.
    """

    seconds: Range = (10.0, 29.0)
    leading_silence: Range = (0.0, 3.0)
    leading_probability: float = Field(default=0.6, ge=0, le=1)
    gap: Range = (0.2, 1.8)
    gap_probability: float = Field(default=0.4, ge=0, le=1)
    silence_level: float = Field(default=1e-4, ge=0)


NoiseKind = Literal["white", "rumble", "hum", "wind", "rain", "clicks", "breath", "music", "crowd"]


class Augmentation(Section):
    """What is done to the sound of an augmented pass; each makes the model less bound to one microphone and voice.

    Attributes:
        speed: playing speed of a sequence; the motion follows. Wider for data of one slow or fast speaker.
        clip_speed: further factor of each clip is drawn from 1 - x to 1 + x.
        clip_gain: loudness factor of each clip.
        formant_probability: how many sequences get another vocal tract; raise for data of few speakers.
        formants: by which factor their resonances move; 1.15 turns a man's vocal tract into about a woman's.
        reverb_probability: how many sequences get a synthetic room.
        reverb_seconds: its decay time.
        tilt_probability: how many get a low-pass, a high-pass or a pre-emphasis.
        noise_probability: how many get noise.
        noise: of which kinds, see `training.backgrounds`; ``crowd`` is made of the sequence's own voice, reversed.
        noise_snr: its distance from the speech in dB; lower if users have noisy sound.
        telephone_probability: how many go through a telephone: 300 to 3400 Hz, µ-law, A-law or GSM.
        codec_probability: how many of the others go through MP3 or Ogg Vorbis at 20 to 40 kbit/s.
        level: final level of the sequence, dB re full scale.
    """

    speed: Range = (0.84, 1.2)
    clip_speed: float = Field(default=0.03, ge=0, lt=0.5)
    clip_gain: Range = (0.6, 1.5)
    formant_probability: float = Field(default=0.0, ge=0, le=1)
    formants: Range = (0.87, 1.15)
    reverb_probability: float = Field(default=0.4, ge=0, le=1)
    reverb_seconds: Range = (0.08, 0.5)
    tilt_probability: float = Field(default=0.5, ge=0, le=1)
    noise_probability: float = Field(default=0.6, ge=0, le=1)
    noise: tuple[NoiseKind, ...] = Field(default=("rumble", "white"), min_length=1)
    noise_snr: Range = (8.0, 40.0)
    telephone_probability: float = Field(default=0.0, ge=0, le=1)
    codec_probability: float = Field(default=0.0, ge=0, le=1)
    level: Range = (-38.0, -14.0)


class Silence(Section):
    """Where nobody speaks, the mouth of the targets goes to rest; without it the model leaves it ajar in pauses.

    Attributes:
        to_rest: on or off; off for singing or data with breathing and laughing.
        threshold: a 20 ms frame is quiet this many dB below the clip's 95th percentile,
        floor_margin: or less than this many dB above its noise floor (10th percentile); raise for noisy recordings
            if the log shows little silence, lower if quiet speech is taken for silence.
        minimum: shorter silences are closures of p, t, k and left alone, seconds.
        hold: how far from speech the target begins to fade, seconds.
        fade: how long the fade takes, seconds.
    """

    to_rest: bool = True
    threshold: float = Field(default=42.0, gt=0)
    floor_margin: float = Field(default=10.0, ge=0)
    minimum: float = Field(default=0.13, gt=0)
    hold: float = Field(default=0.08, ge=0)
    fade: float = Field(default=0.16, gt=0)
