"""Pretrained speech encoders of `transformers`, built from plain configuration (paper section 3.2).

Each is the library's own module, so parameter names are those of the official release; what differs between the
families is how a waveform becomes the 50 Hz input of the transformer layers, and that is what the classes here add.
The work is cut in two, `front_end` and `context`, because the frequency adaptor may sit in between (position 0).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
)
from transformers.audio_utils import mel_filter_bank
from transformers.models.wavlm.modeling_wavlm import WavLMAttention
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from backend.model.spec import EncoderSpec

FEATURE_RATE = 50

_WAVEFORM_MODELS: dict[str, tuple[type[Any], type[Any]]] = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "wavlm": (WavLMConfig, WavLMModel),
    "hubert": (HubertConfig, HubertModel),
}


class SpeechEncoder(ABC):
    """What the model needs of an encoder; holds the module, whose parameters stay the model's own.

    Attributes:
        module: the `transformers` module.
        width: channels of its output.
    """

    module: nn.Module
    width: int

    @abstractmethod
    def feature_count(self, samples: int) -> int:
        """Frames at 50 Hz that so many 16 kHz samples give; 0 when they are too few for one."""

    @abstractmethod
    def front_end(self, waveform: Tensor) -> Tensor:
        """``(batch, samples)`` at 16 kHz to what the transformer layers start from, ``(batch, time, channels)``."""

    @abstractmethod
    def context(self, hidden: Tensor, counts: Tensor | None) -> Tensor:
        """The transformer layers over the front end's output.

        Args:
            hidden: ``(batch, time, channels)``.
            counts: ``(batch,)`` valid frames of each item, ``None`` when all are.
        """

    @abstractmethod
    def front_end_parameters(self) -> list[nn.Parameter]:
        """Parameters of the convolutional front end, which the official training always keeps frozen."""


class WaveformEncoder(SpeechEncoder):
    """wav2vec 2.0, WavLM and HuBERT: convolutions over the raw waveform."""

    def __init__(self, spec: EncoderSpec) -> None:
        config_class, model_class = _WAVEFORM_MODELS[spec.kind]
        config = config_class(**spec.config)
        self.module = model_class(config)
        self.width = config.hidden_size
        self._normalise = spec.normalise_waveform
        self._convolutions = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        if spec.kind == "wavlm":
            for layer in self._model.encoder.layers:
                # The same parameters under another computation; building the module anew would draw them again.
                layer.attention.__class__ = FusedWavLMAttention

    def feature_count(self, samples: int) -> int:
        for kernel, stride in self._convolutions:
            samples = max((samples - kernel) // stride + 1, 0)
        return samples

    def front_end(self, waveform: Tensor) -> Tensor:
        if self._normalise:
            # As the feature extractor of these models: population variance, and 1e-7 under the root.
            mean = waveform.mean(dim=-1, keepdim=True)
            variance = waveform.var(dim=-1, keepdim=True, unbiased=False)
            waveform = (waveform - mean) / torch.sqrt(variance + 1e-7)
        return cast(Tensor, self._model.feature_extractor(waveform)).transpose(1, 2)

    def context(self, hidden: Tensor, counts: Tensor | None) -> Tensor:
        model = self._model
        mask = None if counts is None else frame_mask(counts, hidden.shape[1])
        projected = model.feature_projection(hidden)
        projected = projected[0] if isinstance(projected, tuple) else projected
        projected = model._mask_hidden_states(projected, attention_mask=mask)
        return cast(Tensor, model.encoder(projected, attention_mask=mask)[0])

    def front_end_parameters(self) -> list[nn.Parameter]:
        return list(self._model.feature_extractor.parameters())

    @property
    def _model(self) -> Any:
        return self.module


class FusedWavLMAttention(WavLMAttention):
    """WavLM's attention through the fused kernel; the library's own makes and keeps the attention weights."""

    def torch_multi_head_self_attention(  # type: ignore[override]  # there are no weights to give
        self, hidden_states: Tensor, attention_mask: Tensor | None, gated_position_bias: Tensor
    ) -> tuple[Tensor, None]:
        """Attention with a bias.

        Args:
            hidden_states: ``(batch, time, width)``.
            attention_mask: ``(batch, time)``, true on valid frames.
            gated_position_bias: ``(batch * heads, time, time)``.
        """
        batch, time, width = hidden_states.shape
        query, key, value = (
            projection(hidden_states).view(batch, time, self.num_heads, self.head_dim).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        bias = gated_position_bias.view(batch, self.num_heads, time, time).to(query.dtype)
        if attention_mask is not None:
            bias = bias.masked_fill(~attention_mask[:, None, None], -torch.inf)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        return self.out_proj(attended.transpose(1, 2).reshape(batch, time, width)), None


class WhisperSpeechEncoder(SpeechEncoder):
    """Whisper's encoder at any length up to its position table, not padded to 30 s."""

    def __init__(self, spec: EncoderSpec) -> None:
        config = WhisperConfig(**spec.config)
        module = WhisperEncoder(config)
        if not spec.final_layer_norm:
            module.layer_norm = cast(Any, nn.Identity())
        self.module = module
        self.width = config.d_model
        self._positions = config.max_source_positions
        self._mel = LogMel(config.num_mel_bins)

    def feature_count(self, samples: int) -> int:
        if samples < LogMel.SHORTEST:
            return 0
        return (samples // LogMel.HOP + 1) // 2

    def front_end(self, waveform: Tensor) -> Tensor:
        hidden = self._mel(waveform)
        hidden = F.gelu(self._encoder.conv1(hidden))
        hidden = F.gelu(self._encoder.conv2(hidden))
        return hidden.transpose(1, 2)

    def context(self, hidden: Tensor, counts: Tensor | None) -> Tensor:
        encoder, time = self._encoder, hidden.shape[1]
        if time > self._positions:
            seconds = self._positions / FEATURE_RATE
            raise UniTalkerError(
                "model.too_long",
                f"{time / FEATURE_RATE:.1f} s of sound in one piece; this encoder takes {seconds:.0f} s.",
                "Cut the sound into windows.",
            )
        hidden = hidden + encoder.embed_positions.weight[:time]
        hidden = F.dropout(hidden, p=encoder.dropout, training=self.module.training)
        mask = None if counts is None else frame_mask(counts, time)[:, None, None]
        for layer in encoder.layers:
            hidden = layer(hidden, mask)
        return cast(Tensor, encoder.layer_norm(hidden))

    def front_end_parameters(self) -> list[nn.Parameter]:
        return [*self._encoder.conv1.parameters(), *self._encoder.conv2.parameters()]

    @property
    def _encoder(self) -> Any:
        return self.module


class LogMel:
    """Whisper's log-mel spectrogram (Radford et al. 2023, section 2.2) of a waveform of any length."""

    WINDOW = 400
    HOP = 160
    SHORTEST = 2 * HOP
    """Samples; the ends are mirrored by half a window, for which there must be that much."""

    def __init__(self, bins: int) -> None:
        filters = mel_filter_bank(
            num_frequency_bins=1 + self.WINDOW // 2,
            num_mel_filters=bins,
            min_frequency=0.0,
            max_frequency=8000.0,
            sampling_rate=SAMPLE_RATE,
            norm="slaney",
            mel_scale="slaney",
        )
        self.filters = torch.from_numpy(filters).float()

    def __call__(self, waveform: Tensor) -> Tensor:
        """``(batch, samples)`` to ``(batch, bins, frames)`` at 100 Hz; an odd count gets one more, silent frame."""
        # Powers span ten decades, more than half precision has.
        with torch.autocast(waveform.device.type, enabled=False):
            window = torch.hann_window(self.WINDOW, device=waveform.device)
            spectrum = torch.stft(waveform.float(), self.WINDOW, self.HOP, window=window, return_complex=True)
            power = spectrum[..., :-1].abs() ** 2
            log_mel = torch.clamp(self.filters.to(waveform.device).T @ power, min=1e-10).log10()
        peak = log_mel.amax(dim=(1, 2), keepdim=True)
        log_mel = (torch.maximum(log_mel, peak - 8.0) + 4.0) / 4.0
        if log_mel.shape[-1] % 2:
            silent = log_mel.amin(dim=(1, 2), keepdim=True).expand(-1, log_mel.shape[1], 1)
            log_mel = torch.cat([log_mel, silent], dim=-1)
        return log_mel


def build_encoder(spec: EncoderSpec) -> SpeechEncoder:
    """The encoder that `spec` describes, with random weights.

    Raises:
        UniTalkerError: ``model.unreadable`` when the configuration is not one of its class.
    """
    try:
        return WhisperSpeechEncoder(spec) if spec.kind == "whisper" else WaveformEncoder(spec)
    except (TypeError, ValueError) as error:
        raise UniTalkerError(
            "model.unreadable", f"The {spec.kind} encoder cannot be built: {error}.", "Check the encoder's config."
        ) from error


def frame_mask(counts: Tensor, time: int) -> Tensor:
    """``(batch, time)``, true on the first ``counts[i]`` frames of item ``i``."""
    return torch.arange(time, device=counts.device)[None] < counts[:, None]
