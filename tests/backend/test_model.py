"""The network itself: any length, any batch, any rate; several heads; what training needs. Sizes are tiny."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor
from transformers.models.wavlm.modeling_wavlm import WavLMAttention

from backend.annotation import Annotation
from backend.audio import read_audio
from backend.errors import UniTalkerError
from backend.model.encoder import FusedWavLMAttention, LogMel
from backend.model.frequency_adaptor import adapt_frequency
from backend.model.spec import PIVOT, DecoderSpec, EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from backend.windows import frame_count

_WAVEFORM: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
_STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
_WHISPER: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "max_source_positions": 1500,
}

# The encoders of the issue and the paper, in structure: which class, which normalisation.
ENCODERS = {
    "wav2vec2-base-960h": EncoderSpec(kind="wav2vec2", config=_WAVEFORM, normalise_waveform=True),
    "wav2vec2-large-xlsr-53": EncoderSpec(kind="wav2vec2", config=_WAVEFORM | _STABLE, normalise_waveform=True),
    "wavlm-base": EncoderSpec(kind="wavlm", config=_WAVEFORM),
    "hubert-base": EncoderSpec(kind="hubert", config=_WAVEFORM, normalise_waveform=True),
    "whisper": EncoderSpec(kind="whisper", config=_WHISPER),
    "whisper cut": EncoderSpec(kind="whisper", config=_WHISPER, final_layer_norm=False),
}
DECODERS = ("tcn", "transformer", "transformer_as_released")
WEIGHTS = "arkit"
MESH = "mesh"


def build(encoder: str = "whisper", **decoder: Any) -> UniTalker:
    """A network with random weights, also in the heads, and a PCA."""
    weights = Annotation(
        type_name=WEIGHTS,
        kind="blendshapes",
        dim=3,
        fps=25,
        unit="weight",
        names=("jawOpen", "mouthClose", "tongueOut"),
    )
    mesh = Annotation(type_name=MESH, kind="vertices", dim=12, fps=30, unit="m")
    torch.manual_seed(1)
    model = UniTalker(
        ModelSpec(
            encoder=ENCODERS[encoder],
            decoder=DecoderSpec(**({"width": 16, "identity_width": 8} | decoder)),
            heads=(
                HeadSpec(annotation=weights, layers=2),
                HeadSpec(annotation=mesh, components=4, stored_components=5),
            ),
            identities=("anna", "ben", PIVOT),
        )
    )
    with torch.no_grad():
        for tensor in (*model.out_head_dict.parameters(), *model.pca_layer_dict.buffers()):
            tensor.normal_(0, 0.5)
    return model.eval()


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    """``(1, samples)`` that swell and fall, so that no two moments are alike."""
    count = round(seconds * 16000)
    generator = torch.Generator().manual_seed(seed)
    swell = torch.sin(torch.arange(count) / 2400.0)
    return (torch.randn(count, generator=generator) * swell * 0.2)[None]


@pytest.fixture(scope="module")
def voice(shared: Path) -> torch.Tensor:
    """``(1, samples)`` of a real voice."""
    path = sorted((shared / "speech").rglob("*.flac"))[0]
    return torch.from_numpy(read_audio(path).samples)[None, : 6 * 16000]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_items_of_a_batch_come_out_as_if_alone(encoder: str, decoder: str, position: int) -> None:
    model = build(encoder, kind=decoder, interpolate_position=position)
    sounds = [noise(1.7, 1), noise(0.9, 2), noise(1.23, 3)]
    lengths = [sound.shape[1] for sound in sounds]
    frames = [frame_count(length, 25) for length in lengths]
    identity = torch.tensor([0, 2, 1])
    padded = torch.nn.utils.rnn.pad_sequence([sound[0] for sound in sounds], batch_first=True)
    together = model(padded, WEIGHTS, frames, identity, lengths=lengths).values
    assert together.shape == (3, max(frames), 3)
    for row, (sound, count) in enumerate(zip(sounds, frames, strict=True)):
        alone = model(sound, WEIGHTS, count, identity[row : row + 1]).values[0]
        torch.testing.assert_close(together[row, :count], alone, rtol=0, atol=1e-4)
        assert alone.std() > 1e-3


@torch.no_grad()
def test_real_voices_of_unequal_length_come_out_as_if_alone(voice: torch.Tensor) -> None:
    model = build("wavlm-base")
    short = voice[:, :40000]
    padded = torch.cat([voice, torch.nn.functional.pad(short, (0, voice.shape[1] - 40000))])
    together = model(padded, MESH, [180, 75], lengths=[voice.shape[1], 40000]).values
    torch.testing.assert_close(together[1, :75], model(short, MESH, 75).values[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("encoder", ENCODERS)
@given(samples=st.integers(0, 40000))
@settings(max_examples=15, deadline=None)
@torch.no_grad()
def test_feature_count_is_what_the_encoder_gives(encoder: str, samples: int) -> None:
    model = _tiny(encoder)
    if model.feature_count(samples) == 0:
        with pytest.raises(UniTalkerError) as caught:
            model.encode(torch.zeros(1, samples))
        assert caught.value.code == "audio.too_short"
    else:
        assert model.encode(torch.zeros(1, samples)).shape[1] == model.feature_count(samples)


_MODELS: dict[str, UniTalker] = {}


def _tiny(encoder: str) -> UniTalker:
    """Built once: hypothesis runs the test many times."""
    return _MODELS.setdefault(encoder, build(encoder))


def test_log_mel_is_that_of_whisper(voice: torch.Tensor) -> None:
    extractor = WhisperFeatureExtractor()
    sound = voice[:, : voice.shape[1] // 320 * 320]
    expected = extractor(sound[0].numpy(), sampling_rate=16000, padding="do_not_pad", return_tensors="np")
    np.testing.assert_allclose(LogMel(80)(sound).numpy(), expected.input_features, atol=2e-5)


@torch.no_grad()
def test_whisper_of_30_seconds_equals_the_library(voice: torch.Tensor) -> None:
    """At its full window our way through the layers is the library's."""
    model = build("whisper")
    sound = torch.zeros(1, 30 * 16000)
    sound[:, : voice.shape[1]] = voice
    expected = model.audio_encoder(LogMel(80)(sound)).last_hidden_state
    torch.testing.assert_close(model.encode(sound), expected, rtol=0, atol=1e-5)


def test_whisper_says_how_long_it_can_listen() -> None:
    with pytest.raises(UniTalkerError, match=r"31\.0 s.*takes 30 s"):
        build("whisper").encode(torch.zeros(1, 31 * 16000))


def test_cut_whisper_has_no_last_norm() -> None:
    assert not [name for name in build("whisper cut").state_dict() if name.startswith("audio_encoder.layer_norm")]
    assert "audio_encoder.layer_norm.weight" in build("whisper").state_dict()


@torch.no_grad()
def test_fused_wavlm_attention_equals_the_library() -> None:
    model = build("wavlm-base")
    plain = copy.deepcopy(model)
    for layer in plain.audio_encoder.encoder.layers:
        assert type(layer.attention) is FusedWavLMAttention
        layer.attention.__class__ = WavLMAttention
    torch.testing.assert_close(model.encode(noise(3)), plain.encode(noise(3)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("decoder", DECODERS)
@torch.no_grad()
def test_more_than_3000_frames_at_any_rate(decoder: str) -> None:
    model = build(kind=decoder)
    for fps in (12.5, 29.97, 120.0):
        frames = frame_count(28 * 16000, fps)
        output = model(noise(28), WEIGHTS, frames).values
        assert output.shape == (1, frames, 3)
        assert output.isfinite().all()
    assert frames > 3000


@torch.no_grad()
def test_released_transformer_sees_no_later_frame() -> None:
    model = build(kind="transformer_as_released")
    features = torch.randn(1, 80, 32)
    later = features.clone()
    later[:, 50:] += 1
    first, second = (model.body(each, 80, None) for each in (features, later))
    torch.testing.assert_close(first[:, :50], second[:, :50])
    assert (first[:, 50:] - second[:, 50:]).abs().max() > 1e-3


@torch.no_grad()
def test_several_heads_read_one_encoding() -> None:
    model = build()
    features = model.encode(noise(2))
    states = model.body(features, 50, torch.tensor([1]))
    for head in (WEIGHTS, MESH):
        expected = model(noise(2), head, 50, torch.tensor([1])).values
        torch.testing.assert_close(model.read(states, head).values, expected)


@torch.no_grad()
def test_no_identity_is_the_pivot() -> None:
    model = build()
    features = model.encode(noise(1))
    rows = [model.decode(features, 25, identity, WEIGHTS).values for identity in (None, torch.tensor([2]))]
    other = model.decode(features, 25, torch.tensor([0]), WEIGHTS).values
    torch.testing.assert_close(rows[0], rows[1], rtol=0, atol=0)
    assert (rows[0] - other).abs().max() > 1e-3


@torch.no_grad()
def test_untrained_single_layer_head_shows_the_template() -> None:
    torch.manual_seed(0)
    spec = build().spec
    head = spec.heads[0].model_copy(update={"layers": 1, "has_template": True})
    model = UniTalker(spec.model_copy(update={"heads": (head,)})).eval()
    template = torch.tensor([0.1, 0.2, 0.3])
    output = model(noise(1), WEIGHTS, 25, template=template).values
    torch.testing.assert_close(output, template.expand(1, 25, 3))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_training_reaches_every_part_but_the_front_end(encoder: str) -> None:
    model = build(encoder).train()
    model.freeze_front_end()
    output = model(noise(1.5).repeat(2, 1), MESH, 45, torch.tensor([0, 1]))
    output.values.square().mean().backward()
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert any(name.startswith("audio_encoder.") for name in reached)
    assert {"decoder.learnable_style_emb.weight", f"out_head_dict.{MESH}.weight"} <= reached
    front = ("audio_encoder.feature_extractor", "audio_encoder.conv", "audio_encoder.embed_positions")
    assert not [name for name in reached if name.startswith(front)]


def test_coefficients_of_offsets_in_the_span_of_the_basis() -> None:
    model = build()
    pca = model.pca_layer_dict[MESH]
    basis = torch.linalg.qr(torch.randn(12, 5)).Q.T
    pca.feat_to_data.copy_(basis)
    pca.data_to_feat.copy_(basis.T)
    coefficients = torch.randn(2, 7, 4)
    torch.testing.assert_close(pca.encode(pca.decode(coefficients)), coefficients, rtol=0, atol=1e-5)


@given(length=st.integers(1, 80), frames=st.integers(1, 200), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_adaptor_keeps_ends_lines_and_bounds(length: int, frames: int, seed: int) -> None:
    values = torch.randn(1, length, 3, generator=torch.Generator().manual_seed(seed))
    adapted = adapt_frequency(values, frames)
    assert adapted.shape == (1, frames, 3)
    torch.testing.assert_close(adapted[:, 0], values[:, 0])
    if frames > 1:
        torch.testing.assert_close(adapted[:, -1], values[:, -1])
        line = adapt_frequency(torch.linspace(0, 1, length)[None, :, None], frames)[0, :, 0]
        torch.testing.assert_close(line, torch.linspace(0, 1 if length > 1 else 0, frames), rtol=0, atol=1e-5)
    assert adapted.max() <= values.max() + 1e-6
    assert adapted.min() >= values.min() - 1e-6


def test_unknown_head_lists_what_exists() -> None:
    with pytest.raises(KeyError, match="arkit, mesh"):
        build().decode(torch.zeros(1, 50, 32), 25, None, "visemes")


def test_encoder_that_cannot_be_built() -> None:
    spec = build().spec
    broken = spec.encoder.model_copy(update={"config": _WHISPER | {"encoder_attention_heads": 5}})
    with pytest.raises(UniTalkerError) as caught:
        UniTalker(spec.model_copy(update={"encoder": broken}))
    assert caught.value.code == "model.unreadable"
