"""Decoder bodies: encoder features at the motion's frame rate and an identity to motion states (paper section 3.2).

Parameter names are those of the official release, so that its checkpoints map one to one.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.model.spec import DecoderSpec


def build_decoder(spec: DecoderSpec, feature_width: int, identity_count: int) -> nn.Module:
    """The decoder body that `spec` describes; all have ``forward(features, identity, mask)``."""
    kinds = {
        "tcn": TcnDecoder,
        "transformer": TransformerDecoder,
        "transformer_as_released": ReleasedTransformerDecoder,
    }
    return kinds[spec.kind](spec, feature_width, identity_count)


class TcnDecoder(nn.Module):
    """Temporal convolution network over features with the identity embedding appended (paper section 3.2).

    Args:
        spec: sizes.
        feature_width: channels of the encoder.
        identity_count: rows of the identity table, pivot included.
    """

    def __init__(self, spec: DecoderSpec, feature_width: int, identity_count: int) -> None:
        super().__init__()
        self.learnable_style_emb = nn.Embedding(identity_count, spec.identity_width)
        self.audio_feature_map = nn.Linear(feature_width, spec.width)
        self.dropout = nn.Dropout(spec.dropout)
        self.tcn = _Tcn(spec.width + spec.identity_width, spec.width)

    def forward(self, features: Tensor, identity: Tensor, mask: Tensor | None = None) -> Tensor:
        """Motion states.

        Args:
            features: ``(batch, time, feature_width)``.
            identity: ``(batch,)`` rows of the identity table.
            mask: ``(batch, time)``, true on frames that belong to the item; the rest is kept at zero, which is
                what the convolutions see beyond the end of a lone item.

        Returns:
            ``(batch, time, width)``.
        """
        audio = self.dropout(self.audio_feature_map(features))
        style = self.learnable_style_emb(identity)[:, None].expand(-1, audio.shape[1], -1)
        states: Tensor = self.tcn(torch.cat([audio, style], dim=-1).transpose(1, 2), mask)
        return states.transpose(1, 2)


class _Tcn(nn.Module):
    """Three blocks; the nesting repeats the official names ``tcn.first_net.conv_layers``."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.first_net = nn.Module()
        self.first_net.conv_layers = nn.ModuleList(
            [_ConvBlock(width_in, width), _ConvBlock(width, width), _ConvBlock(width, width)]
        )

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        for block in self.first_net.conv_layers:  # type: ignore[union-attr]
            if mask is not None:
                states = states * mask[:, None]
            states = block(states)
        return states


class _ConvBlock(nn.Module):
    """Convolution over three frames, LayerNorm over channels, residual, ReLU after the addition."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width_in, width, kernel_size=3, padding=1)
        self.norm = nn.LayerNorm(width)
        if width_in != width:
            self.residual_layer = nn.Sequential(nn.Conv1d(width_in, width, kernel_size=3, padding=1))
        else:
            self.residual_layer = nn.Sequential()

    def forward(self, states: Tensor) -> Tensor:
        convolved = self.norm(self.conv(states).transpose(1, 2)).transpose(1, 2)
        return F.relu(convolved + self.residual_layer(states))


class TransformerDecoder(nn.Module):
    """The non-autoregressive transformer of the paper's ablation: three encoder layers, four heads (table 8)."""

    LAYERS = 3
    HEADS = 4

    def __init__(self, spec: DecoderSpec, feature_width: int, identity_count: int) -> None:
        super().__init__()
        self.learnable_style_emb = nn.Embedding(identity_count, spec.width)
        self.audio_feature_map = nn.Linear(feature_width, spec.width)
        layer = nn.TransformerEncoderLayer(spec.width, self.HEADS, 2 * spec.width, spec.dropout, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, self.LAYERS, enable_nested_tensor=False)

    def forward(self, features: Tensor, identity: Tensor, mask: Tensor | None = None) -> Tensor:
        """As `TcnDecoder.forward`."""
        states = self.audio_feature_map(features) + self.learnable_style_emb(identity)[:, None]
        states = states + sinusoids(states.shape[1], states.shape[2]).to(states)
        padding = None if mask is None else ~mask
        return self.transformer_encoder(states, src_key_padding_mask=padding)  # type: ignore[no-any-return]


class ReleasedTransformerDecoder(nn.Module):
    """What the official code runs as its transformer: one causal decoder layer with a biased mask.

    Every frame sees only its own frame of the audio. Unlike there, batches and any length work.
    """

    HEADS = 4
    # Rows of the official position table: (3000 // period + 1) * period.
    MAX_LENGTH = 3000

    def __init__(self, spec: DecoderSpec, feature_width: int, identity_count: int) -> None:
        super().__init__()
        self.period = spec.period
        self.learnable_style_emb = nn.Embedding(identity_count, spec.width)
        self.audio_feature_map = nn.Linear(feature_width, spec.width)
        self.PPE = _PeriodicPositions(spec.width, spec.period, self.MAX_LENGTH, spec.dropout)
        layer = nn.TransformerDecoderLayer(spec.width, self.HEADS, 2 * spec.width, spec.dropout, batch_first=True)
        self.transformer_decoder = nn.TransformerDecoder(layer, num_layers=1)

    def forward(self, features: Tensor, identity: Tensor, mask: Tensor | None = None) -> Tensor:
        """As `TcnDecoder.forward`; causal, so frames beyond the end of an item cannot reach it and need no mask."""
        del mask
        memory = self.audio_feature_map(features)
        time = memory.shape[1]
        states = self.PPE(self.learnable_style_emb(identity)[:, None].expand(-1, time, -1))
        layer = self.transformer_decoder.layers[0]
        states = layer.norm1(states + layer.dropout1(self._attend_to_past(layer.self_attn, states)))
        states = layer.norm2(states + layer.dropout2(self._attend_to_own_frame(layer.multihead_attn, memory)))
        inner = layer.dropout(F.relu(layer.linear1(states)))
        return layer.norm3(states + layer.dropout3(layer.linear2(inner)))  # type: ignore[no-any-return]

    def _attend_to_past(self, attention: nn.MultiheadAttention, states: Tensor) -> Tensor:
        projected = F.linear(states, attention.in_proj_weight, attention.in_proj_bias)
        query, key, value = (self._split_heads(part) for part in projected.chunk(3, dim=-1))
        bias = biased_mask(self.HEADS, states.shape[1], self.period).to(query)
        dropout = attention.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        return attention.out_proj(attended.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _attend_to_own_frame(self, attention: nn.MultiheadAttention, memory: Tensor) -> Tensor:
        """Attention with one frame to choose from gives it the weight 1, whatever query and key are."""
        weight, bias = attention.in_proj_weight.chunk(3)[2], attention.in_proj_bias.chunk(3)[2]
        value = self._split_heads(F.linear(memory, weight, bias))
        kept = F.dropout(value.new_ones(*value.shape[:3], 1), attention.dropout, self.training)
        return attention.out_proj((value * kept).transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split_heads(self, states: Tensor) -> Tensor:
        """``(batch, time, width)`` to ``(batch, heads, time, width / heads)``."""
        return states.view(*states.shape[:2], self.HEADS, -1).transpose(1, 2)


class _PeriodicPositions(nn.Module):
    """Sine and cosine position code that repeats every `period` frames (FaceFormer, section 3.2)."""

    pe: Tensor

    def __init__(self, width: int, period: int, max_length: int, dropout: float) -> None:
        super().__init__()
        repeats = max_length // period + 1
        self.period = period
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pe", sinusoids(period, width).repeat(repeats, 1)[None])

    def forward(self, states: Tensor) -> Tensor:
        positions = torch.arange(states.shape[1], device=states.device) % self.period
        placed: Tensor = self.dropout(states + self.pe[0, positions])
        return placed


def sinusoids(length: int, width: int) -> Tensor:
    """Position code ``(length, width)``: sine on even channels, cosine on odd, base 10,000."""
    positions = torch.arange(length, dtype=torch.float32)[:, None]
    frequencies = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    code = torch.zeros(length, width)
    code[:, 0::2] = torch.sin(positions * frequencies)
    code[:, 1::2] = torch.cos(positions * frequencies)
    return code


def biased_mask(heads: int, length: int, period: int) -> Tensor:
    """Causal attention bias ``(heads, length, length)``: minus slope times the number of periods back.

    The slopes are those of ALiBi (Press et al. 2022); source FaceFormer (Fan et al. 2022), equation 4.
    """
    steps = torch.arange(length)
    back = steps[:, None] - steps[None]
    periods = torch.div(back, period, rounding_mode="floor").float()
    slopes = torch.tensor(_slopes(heads))
    return torch.where(back >= 0, -slopes[:, None, None] * periods, -torch.inf)


def _slopes(heads: int) -> list[float]:
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2.0 ** (-8.0 * (i + 1) / power) for i in range(power)]
    if power < heads:
        # ALiBi's rule for other counts: every second slope of the next power of two.
        slopes += [2.0 ** (-8.0 * (i + 1) / (2 * power)) for i in range(0, 2 * (heads - power), 2)]
    return slopes
