"""The network: speech encoder, frequency adaptor, decoder body, heads (paper figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from backend.model.decoder import build_decoder
from backend.model.encoder import SpeechEncoder, build_encoder, frame_mask
from backend.model.frequency_adaptor import adapt_frequency
from backend.model.heads import build_head
from backend.model.pca import PcaLayer
from backend.model.spec import HeadSpec, ModelSpec


@dataclass(frozen=True)
class HeadOutput:
    """What a head yields.

    Attributes:
        values: ``(batch, frames, dim)`` in the annotation's unit; without template unless one was given.
        coefficients: ``(batch, frames, components)`` for PCA heads, else ``None``.
    """

    values: Tensor
    coefficients: Tensor | None


class UniTalker(nn.Module):
    """UniTalker as `spec` describes it, with random weights.

    Parameters have the official names: ``audio_encoder.*``, ``decoder.*``, ``out_head_dict.<annotation type>.*``,
    ``pca_layer_dict.<annotation type>.*``; templates, which the official files keep apart, are
    ``template_dict.<annotation type>``.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self._encoder: SpeechEncoder = build_encoder(spec.encoder)
        self.audio_encoder = self._encoder.module
        self.decoder = build_decoder(spec.decoder, self._encoder.width, len(spec.identities))
        self.pca_layer_dict = nn.ModuleDict(
            {head.annotation.type_name: _pca_layer(head) for head in spec.heads if head.components}
        )
        self.out_head_dict = nn.ModuleDict(
            {head.annotation.type_name: build_head(spec.decoder.width, head) for head in spec.heads}
        )
        self.template_dict = nn.ParameterDict(
            {
                head.annotation.type_name: nn.Parameter(torch.zeros(head.annotation.dim), requires_grad=False)
                for head in spec.heads
                if head.has_template
            }
        )

    def forward(
        self,
        waveform: Tensor,
        head: str,
        frame_count: int | Sequence[int],
        identity: Tensor | None = None,
        template: Tensor | None = None,
        lengths: Sequence[int] | None = None,
    ) -> HeadOutput:
        """Waveforms to motion.

        Args:
            waveform: ``(batch, samples)``, 16 kHz, -1 to 1, zero-padded at the end.
            head: annotation type.
            frame_count: motion frames wanted, one number or one per item.
            identity: ``(batch,)`` rows of the identity table; ``None`` is the last row, the pivot.
            template: ``(dim,)`` or ``(batch, 1, dim)``, added to the output.
            lengths: valid samples of each item when they differ.
        """
        features = self.encode(waveform, lengths, frame_count)
        counts = None if lengths is None else [self.feature_count(length) for length in lengths]
        output = self.decode(features, frame_count, identity, head, counts)
        return output if template is None else HeadOutput(output.values + template, output.coefficients)

    def feature_count(self, samples: int) -> int:
        """Frames at 50 Hz that `encode` gives for so many samples (without an adaptor at position 0)."""
        return self._encoder.feature_count(samples)

    def encode(
        self,
        waveform: Tensor,
        lengths: Sequence[int] | None = None,
        frame_count: int | Sequence[int] | None = None,
    ) -> Tensor:
        """Waveforms to encoder features.

        Args:
            waveform: ``(batch, samples)``, 16 kHz, zero-padded at the end.
            lengths: valid samples of each item when they differ; each item then comes out as if it were alone.
            frame_count: only needed when the adaptor sits before the encoder's transformer (position 0), where the
                features already depend on the frame rate.

        Returns:
            ``(batch, time, width)`` at 50 Hz (at the motion's rate for position 0); zero after an item's end.

        Raises:
            UniTalkerError: ``audio.too_short`` when a waveform gives no feature, ``model.too_long`` when the encoder
                cannot take one in one piece.
        """
        lengths = [waveform.shape[1]] * len(waveform) if lengths is None else list(lengths)
        self._check_length(min(lengths))
        counts = [self.feature_count(length) for length in lengths]
        if self.spec.decoder.interpolate_position == 0:
            if frame_count is None:
                raise ValueError("an adaptor before the encoder's transformer needs frame_count")
            frames = _each(frame_count, len(waveform))
        else:
            frames = counts
        if len(set(lengths)) == 1 and len(set(frames)) == 1:
            hidden = self._encoder.front_end(waveform[:, : lengths[0]])
            return self._encoder.context(_adapt_each(hidden, counts, frames), None)
        # One by one: the front ends normalise over the whole clip, and padding would change that.
        pieces = [
            _adapt_each(self._encoder.front_end(item[None, :length]), [count], [wanted])[0]
            for item, length, count, wanted in zip(waveform, lengths, counts, frames, strict=True)
        ]
        valid = torch.tensor(frames, device=waveform.device)
        features = self._encoder.context(nn.utils.rnn.pad_sequence(pieces, batch_first=True), valid)
        return features * frame_mask(valid, features.shape[1])[..., None]

    def decode(
        self,
        features: Tensor,
        frame_count: int | Sequence[int],
        identity: Tensor | None,
        head: str,
        feature_counts: Sequence[int] | None = None,
    ) -> HeadOutput:
        """Encoder features to motion without template; arguments as `body`."""
        return self.read(self.body(features, frame_count, identity, feature_counts), head)

    def body(
        self,
        features: Tensor,
        frame_count: int | Sequence[int],
        identity: Tensor | None,
        feature_counts: Sequence[int] | None = None,
    ) -> Tensor:
        """Encoder features to motion states, which any number of heads can read.

        Args:
            features: ``(batch, time, width)`` from `encode`.
            frame_count: motion frames, one number or one per item.
            identity: ``(batch,)`` rows of the identity table; ``None`` is the last row, the pivot.
            feature_counts: valid features of each item, when they differ.

        Returns:
            ``(batch, frames, decoder width)``; frames after an item's end are meaningless.
        """
        batch = features.shape[0]
        frames = _each(frame_count, batch)
        counts = [features.shape[1]] * batch if feature_counts is None else list(feature_counts)
        if identity is None:
            identity = torch.full((batch,), len(self.spec.identities) - 1, device=features.device)
        after_decoder = self.spec.decoder.interpolate_position == 2
        if self.spec.decoder.interpolate_position == 1:
            features = _adapt_each(features, counts, frames)
        valid = counts if after_decoder else frames
        mask = None
        if len(set(valid)) > 1:
            mask = frame_mask(torch.tensor(valid, device=features.device), features.shape[1])
        states: Tensor = self.decoder(features, identity, mask)
        return _adapt_each(states, counts, frames) if after_decoder else states

    def read(self, states: Tensor, head: str) -> HeadOutput:
        """Motion states to the output of one head; unknown heads raise KeyError with those that exist."""
        self.spec.head(head)
        output = self.out_head_dict[head](states)
        if head not in self.pca_layer_dict:
            return HeadOutput(output, None)
        pca = self.pca_layer_dict[head]
        assert isinstance(pca, PcaLayer)
        return HeadOutput(pca.decode(output), output)

    def template(self, head: str) -> Tensor | None:
        """The default template ``(dim,)`` of a head, if the model carries one."""
        template: Tensor | None = self.template_dict.get(head)
        return template

    def _check_length(self, samples: int) -> None:
        if self.feature_count(samples) < 1:
            raise UniTalkerError(
                "audio.too_short",
                f"The sound has {samples / SAMPLE_RATE:.3f} s; the speech encoder needs more.",
                "Take a sound of at least 0.1 s.",
            )

    def freeze_front_end(self) -> None:
        """Keep the convolutional front end as it was pretrained, which the paper does throughout."""
        for parameter in self._encoder.front_end_parameters():
            parameter.requires_grad_(False)


def _each(count: int | Sequence[int], batch: int) -> list[int]:
    return [count] * batch if isinstance(count, int) else list(count)


def _pca_layer(head: HeadSpec) -> PcaLayer:
    assert head.components is not None
    return PcaLayer(head.stored_components or head.components, head.annotation.dim, head.components)


def _adapt_each(values: Tensor, counts: list[int], frames: list[int]) -> Tensor:
    """The frequency adaptor on each item's own length; padded with zeros to the longest."""
    if counts == frames:
        return values[:, : max(counts)]
    if len(set(counts)) == 1 and len(set(frames)) == 1:
        return adapt_frequency(values[:, : counts[0]], frames[0])
    adapted = [adapt_frequency(values[i : i + 1, : counts[i]], frames[i])[0] for i in range(len(values))]
    return nn.utils.rnn.pad_sequence(adapted, batch_first=True)
