"""What a network is made of, as plain data: enough to build it without any download."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.annotation import Annotation

PIVOT = "pivot"

InterpolatePosition = Literal[0, 1, 2]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderSpec(_Spec):
    """A speech encoder of the `transformers` library.

    Attributes:
        kind: which encoder class.
        config: keyword arguments of its configuration class. The number of layers in it is the number built.
        normalise_waveform: zero mean and unit variance per waveform before the encoder
            (xlsr-53 wants it, WavLM-base-plus must not have it, Whisper takes log-mel and ignores it).
        final_layer_norm: Whisper only; off when the last layers were cut away.
    """

    kind: Literal["wav2vec2", "wavlm", "hubert", "whisper"]
    config: dict[str, Any]
    normalise_waveform: bool = False
    final_layer_norm: bool = True


class DecoderSpec(_Spec):
    """The decoder body (paper section 3.2 and figure 3).

    Attributes:
        kind: ``tcn``; ``transformer`` is the paper's non-autoregressive encoder (three layers, four heads);
            ``transformer_as_released`` is what the official code runs under the name transformer.
        width: channels of the decoder.
        identity_width: size of the identity embedding; the released transformer uses `width` instead.
        dropout: on the audio channels in training.
        period: of the periodic position encoding (``transformer_as_released``).
        interpolate_position: where the frequency adaptor sits: 0 before the encoder's transformer,
            1 after the encoder, 2 after the decoder body.
    """

    kind: Literal["tcn", "transformer", "transformer_as_released"] = "tcn"
    width: int = Field(default=256, gt=0)
    identity_width: int = Field(default=64, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    period: int = 30
    interpolate_position: InterpolatePosition = 1


class HeadSpec(_Spec):
    """One head.

    Attributes:
        annotation: what it yields.
        layers: linear layers; 1 is zero-initialised, more are joined by tanh.
        components: PCA components that it predicts, ``None`` for direct output.
        stored_components: PCA components kept with the model (at least `components`).
        has_template: whether the bundle carries a default template, added to the output.
    """

    annotation: Annotation
    layers: int = Field(default=1, ge=1)
    components: int | None = None
    stored_components: int | None = None
    has_template: bool = False

    @property
    def width(self) -> int:
        """Numbers that the head itself predicts per frame."""
        return self.components or self.annotation.dim


class ModelSpec(_Spec):
    """A whole network.

    Attributes:
        identities: names of the rows of the identity table in order; the last is the pivot when present.
    """

    encoder: EncoderSpec
    decoder: DecoderSpec = DecoderSpec()
    heads: tuple[HeadSpec, ...]
    identities: tuple[str, ...]

    def head(self, type_name: str) -> HeadSpec:
        """The head of an annotation type; KeyError lists what exists."""
        for head in self.heads:
            if head.annotation.type_name == type_name:
                return head
        raise KeyError(f"no head {type_name!r}; there are {', '.join(h.annotation.type_name for h in self.heads)}")

    @property
    def has_pivot(self) -> bool:
        return bool(self.identities) and self.identities[-1] == PIVOT
