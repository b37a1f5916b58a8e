"""The encoders that the paper names, with the configuration they are published with; fewer layers, for speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel

from backend.annotation import Annotation
from backend.audio import read_audio
from backend.bundle import load_bundle, save_bundle
from backend.bundle_manifest import Manifest
from backend.engines.torch_engine import TorchEngine
from backend.inference import AnimateOptions, animate
from backend.model.spec import PIVOT, EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from backend.official_release import WAVLM_BASE_PLUS, XLSR_53

LAYERS = 2
BASE: dict[str, Any] = {
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "conv_dim": [512] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_bias": False,
    "feat_extract_norm": "group",
    "do_stable_layer_norm": False,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
}
WHISPER_BASE = {
    "d_model": 512,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}
LARGE_V3 = {"d_model": 1280, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "num_mel_bins": 128}
PUBLISHED = {
    "wavlm-base-plus": WAVLM_BASE_PLUS.spec,
    "wavlm-base": EncoderSpec(kind="wavlm", config=BASE | {"num_buckets": 320, "max_bucket_distance": 800}),
    "wav2vec2-base-960h": EncoderSpec(kind="wav2vec2", config=BASE, normalise_waveform=True),
    "wav2vec2-large-xlsr-53": XLSR_53.spec,
    "hubert-base-ls960": EncoderSpec(kind="hubert", config=BASE, normalise_waveform=True),
    "whisper-base": EncoderSpec(kind="whisper", config=WHISPER_BASE),
    "whisper-large-v3": EncoderSpec(kind="whisper", config=WHISPER_BASE | LARGE_V3),
}
LIBRARY: dict[str, tuple[type[Any], type[Any]]] = {
    "wavlm": (WavLMConfig, WavLMModel),
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "hubert": (HubertConfig, HubertModel),
}
HEAD = Annotation(type_name="jaw", kind="blendshapes", dim=1, fps=25, unit="weight", names=("jawOpen",))


def shallow(name: str) -> EncoderSpec:
    spec = PUBLISHED[name]
    depth = "encoder_layers" if spec.kind == "whisper" else "num_hidden_layers"
    return spec.model_copy(update={"config": spec.config | {depth: LAYERS}})


@pytest.mark.parametrize("name", PUBLISHED)
def test_encoder_by_configuration_from_model_folder_to_motion(name: str, murmur: Path, tmp_path: Path) -> None:
    spec = ModelSpec(encoder=shallow(name), heads=(HeadSpec(annotation=HEAD),), identities=(PIVOT,))
    torch.manual_seed(0)
    model = UniTalker(spec)
    torch.nn.init.normal_(model.out_head_dict["jaw"].weight, 0.0, 0.01)  # type: ignore[arg-type]
    torch.nn.init.constant_(model.out_head_dict["jaw"].bias, 0.5)  # type: ignore[arg-type]
    manifest = Manifest(name=name, version="1", title=name, licence="CC0-1.0", spec=spec, default_head="jaw")
    save_bundle(model, manifest, tmp_path / name, "Random weights.", "float32")
    motion = animate(TorchEngine(load_bundle(tmp_path / name)), read_audio(murmur), AnimateOptions())
    assert motion.values.shape == (50, 1)
    assert np.ptp(motion.values) > 1e-3


@pytest.mark.parametrize("name", [name for name, spec in PUBLISHED.items() if spec.kind in LIBRARY])
@torch.no_grad()
def test_encoder_equals_the_library(name: str, murmur: Path) -> None:
    """With the library's own way of normalising, which is written out here."""
    spec = shallow(name)
    config_class, model_class = LIBRARY[spec.kind]
    torch.manual_seed(0)
    model = UniTalker(ModelSpec(encoder=spec, heads=(HeadSpec(annotation=HEAD),), identities=(PIVOT,))).eval()
    library = model_class(config_class(**spec.config)).eval()
    library.load_state_dict(model.audio_encoder.state_dict())
    sound = read_audio(murmur).samples
    given = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7) if spec.normalise_waveform else sound
    expected = library(torch.from_numpy(given)[None]).last_hidden_state
    torch.testing.assert_close(model.encode(torch.from_numpy(sound)[None]), expected, rtol=0, atol=1e-4)
