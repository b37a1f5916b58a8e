"""A recipe: everything that decides how a model comes out, in one YAML file.

Each field says what it does and when to change it. Unknown fields are errors, so that a typing mistake cannot
silently fall back to a default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backend.errors import UniTalkerError
from backend.model.spec import DecoderSpec

Range = tuple[float, float]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSet(_Section):
    """One data set in the official layout.

    Attributes:
        name: what logs and tables call it, e.g. ``G1``. Change it freely.
        folder: relative to the data root.
        identities: names in the identity table instead of those of its ``id_list``; for two data sets with the
            same person under different names, or the same name for different people.
        neutral: which resting face is subtracted from blendshape weights, so that 0 is rest. ``annotation`` takes
            each speaker's ``neutral`` from annotation.json, ``quiet`` the median of the quiet frames at the ends of
            the clips, ``none`` nothing. Use ``none`` for hand-made or solved weights whose rest is 0 already.
        clean_passes: how often each clip is used as it is. Left out, as in the paper: 10, 5 and 4 times for D0, D1
            and D2 of the release, once for all others.
        augmented_passes: how often in addition with augmentation; raise for small data sets.
        credit: who made the data, and its licence, for the model card.
    """

    name: str
    folder: str
    identities: tuple[str, ...] | None = None
    neutral: Literal["none", "annotation", "quiet"] = "none"
    clean_passes: int | None = Field(default=None, ge=0)
    augmented_passes: int = Field(default=0, ge=0)
    credit: str = ""


class Encoder(_Section):
    """The speech encoder.

    Attributes:
        source: a safetensors file that ``unitalker train encoder`` wrote, relative to the data root or absolute,
            or the names of installed packages that carry a CTranslate2 Whisper model.
        layers: transformer layers kept. Early layers know phones and carry over to other voices, late ones know
            words; three was best in the study behind the bundled model. Fewer is faster.
        final_layer_norm: whether Whisper's last LayerNorm follows; only right when no layer was cut.
        credit: who made the weights, and their licence, for the model card.
    """

    source: tuple[str, ...]
    layers: int = Field(default=3, ge=1)
    final_layer_norm: bool = False
    credit: str = ""


class Head(_Section):
    """One annotation type.

    Attributes:
        title: what people read in the list of heads.
        components: PCA components the head predicts; only for vertices, and needed there for dense meshes. Raise
            if the explained variance in the log is below 0.98.
        loss_weight: of this head beside the others; lower it if an auxiliary head costs the main one accuracy.
        layers: linear layers of the head.
    """

    title: str
    components: int | None = Field(default=None, gt=0)
    loss_weight: float = Field(default=1.0, gt=0)
    layers: int = Field(default=1, ge=1)


class Joining(_Section):
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


class Augmentation(_Section):
    """What is done to the sound of an augmented pass; each makes the model less bound to one microphone and voice.

    Attributes:
        speed: playing speed of a sequence; the motion follows. Wider for data of one slow or fast speaker.
        clip_speed: further factor of each clip is drawn from 1 - x to 1 + x.
        clip_gain: loudness factor of each clip.
        reverb_probability: how many sequences get a synthetic room.
        reverb_seconds: its decay time.
        tilt_probability: how many get a low-pass, a high-pass or a pre-emphasis.
        noise_probability: how many get noise.
        noise_snr: its distance from the speech in dB; lower if users have noisy sound.
        level: final level of the sequence, dB re full scale.
    """

    speed: Range = (0.84, 1.2)
    clip_speed: float = Field(default=0.03, ge=0, lt=0.5)
    clip_gain: Range = (0.6, 1.5)
    reverb_probability: float = Field(default=0.4, ge=0, le=1)
    reverb_seconds: Range = (0.08, 0.5)
    tilt_probability: float = Field(default=0.5, ge=0, le=1)
    noise_probability: float = Field(default=0.6, ge=0, le=1)
    noise_snr: Range = (8.0, 40.0)
    level: Range = (-38.0, -14.0)


class Silence(_Section):
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


class Loss(_Section):
    """Training loss.

    Attributes:
        deviation_floor: blendshape channels are weighted by 1 / (std² + floor²); lower it to make nearly dead
            channels count more.
        dead_below: channels with a smaller standard deviation are not trained and stay 0.
        mouth_prefixes: channel names that begin so belong to the mouth.
        other_weight: factor for all other channels, which follow speech little.
        aperture_weight: of the term on jawOpen - mouthClose, 1 counting as much as one channel; raise if lips do not
            close, but far above 10 all other channels suffer.
        coefficient_weight: of the PCA coefficient term beside the vertex term (0.01 in the paper).
    """

    deviation_floor: float = Field(default=0.02, gt=0)
    dead_below: float = Field(default=1e-3, ge=0)
    mouth_prefixes: tuple[str, ...] = ("mouth", "jaw", "tongue", "tooth")
    other_weight: float = Field(default=0.05, ge=0)
    aperture_weight: float = Field(default=3.0, ge=0)
    coefficient_weight: float = Field(default=0.01, ge=0)


class Optimiser(_Section):
    """Optimiser of one stage.

    Attributes:
        kind: ``adam`` as in the paper, or ``adamw``.
        learning_rate: peak rate of decoder and heads; 1e-4 in the paper.
        schedule: ``constant`` as in the paper; ``one_cycle`` warms up over a tenth of the steps and falls by cosine,
            which reaches the same loss in a fraction of the epochs.
        weight_decay: with ``adamw``.
        clip_norm: largest gradient norm; ``null`` for none, as in the paper.
    """

    kind: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)


class Stage(_Section):
    """Decoder warm-up or joint training.

    Attributes:
        epochs: passes over all sequences; 0 skips the stage.
        batch: sequences per step, all of one annotation type.
        crop_seconds: longer sequences are cut at random; bounds memory.
        optimiser: starts afresh in each stage, as in the released code.
    """

    epochs: int = Field(ge=0)
    batch: int = Field(default=4, gt=0)
    crop_seconds: float = Field(default=15.0, gt=0)
    optimiser: Optimiser = Optimiser()


class JointStage(Stage):
    """Joint training of encoder and decoder (paper section 3.4).

    Attributes:
        epochs: 0 in most cases on a CPU: the study found no gain from it.
        first_layer: transformer layers from this one on (counted from 0) are trained; the convolutional front end
            never is.
        encoder_learning_rate: of the encoder.
    """

    epochs: int = Field(default=0, ge=0)
    first_layer: int = Field(default=0, ge=0)
    encoder_learning_rate: float = Field(default=5e-5, gt=0)


class Recipe(_Section):
    """A whole training.

    Attributes:
        name: of the model.
        title: one line for people.
        version: of the model that this recipe gives; raise it when the recipe changes.
        licence: of the trained weights, which the licences of the data must allow.
        limits: what the model cannot do, a sentence each, for the model card.
        data: data sets in the order of the identity table.
        encoder: see `Encoder`.
        decoder: see `backend.model.spec.DecoderSpec`.
        heads: by annotation type; the first is the model's default.
        joining: see `Joining`; ``null`` makes each clip a sequence of its own, as in the paper.
        augmentation: see `Augmentation`.
        silence: see `Silence`.
        loss: see `Loss`.
        pivot_probability: how many sequences are trained under the pivot identity (0.1 in the paper), which then
            speaks for unknown voices; 0 leaves the pivot out.
        warm_up: decoder warm-up, encoder frozen.
        joint: afterwards, see `JointStage`.
        seed: of everything random.
        checkpoint_minutes: between two checkpoints; one is also written after every epoch.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    title: str = ""
    version: str = "0.1.0"
    licence: str
    limits: tuple[str, ...] = ()
    data: tuple[DataSet, ...] = Field(min_length=1)
    encoder: Encoder
    decoder: DecoderSpec = DecoderSpec()
    heads: dict[str, Head]
    joining: Joining | None = Joining()
    augmentation: Augmentation = Augmentation()
    silence: Silence = Silence()
    loss: Loss = Loss()
    pivot_probability: float = Field(default=0.1, ge=0, le=1)
    warm_up: Stage
    joint: JointStage = JointStage()
    seed: int = 42
    checkpoint_minutes: float = Field(default=5.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        names = [data.name for data in self.data]
        if len(set(names)) != len(names):
            raise ValueError("two data sets have the same name")
        if not self.heads:
            raise ValueError("at least one head is needed")
        return self


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe.

    Raises:
        UniTalkerError: the file is missing, not YAML, or has a wrong, missing or unknown field; the message names it.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UniTalkerError("recipe.not_found", f"The recipe {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UniTalkerError("recipe.invalid", f"{path} is not valid YAML: {error}") from error
    return parse_recipe(content, str(path))


def parse_recipe(content: Any, label: str) -> Recipe:
    """Checks a recipe that is already plain data.

    Args:
        content: what YAML or JSON gave.
        label: where it came from, for messages.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'recipe'}: {problem['msg']}" for problem in error.errors()
        )
        raise UniTalkerError(
            "recipe.invalid", f"{label}: {problems}.", "training/config.py documents every field."
        ) from error
