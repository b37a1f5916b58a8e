"""Encoders in the Hugging Face format, from folders that the library itself wrote."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from backend.errors import UniTalkerError
from backend.model.encoder import build_encoder
from training.checkpoint import load_checkpoint
from training.config import Encoder, Recipe, parse_recipe
from training.places import Places
from training.pretrained_encoder import read_pretrained
from training.runs import begin
from training.trainer import CHECKPOINT, Trainer

from .watchers import silent

CPU = torch.device("cpu")
TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
KINDS: dict[str, tuple[Any, Any]] = {
    "wavlm": (WavLMConfig, WavLMModel),
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "hubert": (HubertConfig, HubertModel),
}


def saved(folder: Path, kind: str, **config: Any) -> tuple[Path, Any]:
    """A model of random weights and its folder."""
    torch.manual_seed(0)
    config_class, model_class = KINDS[kind]
    model = model_class(config_class(**TINY | config)).eval()
    model.save_pretrained(folder / kind)
    return folder / kind, model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stable", [False, True], ids=["as base", "as large"])
def test_an_encoder_computes_what_the_library_does(kind: str, stable: bool, tmp_path: Path) -> None:
    large = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True} if stable else {}
    folder, model = saved(tmp_path, kind, **large)
    encoder = read_pretrained(Encoder(kind=kind, source=(str(folder),), normalise_waveform=False))  # type: ignore[arg-type]
    assert json.loads(encoder.spec.model_dump_json()) == encoder.spec.model_dump(mode="json")
    built = build_encoder(encoder.spec)
    built.module.load_state_dict(encoder.state)
    built.module.eval()
    sound = 0.1 * torch.randn(1, 8000)
    with torch.inference_mode():
        found = built.context(built.front_end(sound), None)
        np.testing.assert_allclose(found, model(sound).last_hidden_state, atol=1e-5)


def test_layers_are_cut(tmp_path: Path) -> None:
    folder, _ = saved(tmp_path, "wavlm")
    encoder = read_pretrained(Encoder(kind="wavlm", source=(str(folder),), layers=2))
    build_encoder(encoder.spec).module.load_state_dict(encoder.state)
    assert encoder.spec.config["num_hidden_layers"] == 2
    with pytest.raises(UniTalkerError, match="has 3 layers; the recipe asks for 4"):
        read_pretrained(Encoder(kind="wavlm", source=(str(folder),), layers=4))


def test_a_model_fine_tuned_for_another_task_is_an_encoder_too(tmp_path: Path) -> None:
    """facebook/wav2vec2-base-960h is one for speech recognition."""
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**TINY, vocab_size=8))
    model.save_pretrained(tmp_path)
    encoder = read_pretrained(Encoder(kind="wav2vec2", source=(str(tmp_path),)))
    for name, weights in model.wav2vec2.state_dict().items():
        torch.testing.assert_close(encoder.state[name], weights)


@pytest.mark.parametrize(
    ("kind", "norm", "normalised"),
    [("wavlm", "group", False), ("wavlm", "layer", True), ("wav2vec2", "layer", True), ("hubert", "group", True)],
)
def test_waveforms_are_normalised_as_the_model_was_trained(
    kind: str, norm: str, normalised: bool, tmp_path: Path
) -> None:
    folder, _ = saved(tmp_path, kind, feat_extract_norm=norm)
    settings = Encoder(kind=kind, source=(str(folder),))  # type: ignore[arg-type]
    assert read_pretrained(settings).spec.normalise_waveform == normalised
    Wav2Vec2FeatureExtractor(do_normalize=not normalised).save_pretrained(folder)
    assert read_pretrained(settings).spec.normalise_waveform != normalised
    asked = settings.model_copy(update={"normalise_waveform": normalised})
    assert read_pretrained(asked).spec.normalise_waveform == normalised


def test_mistakes_with_encoders_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("nobody asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    folder, _ = saved(tmp_path, "hubert")
    (tmp_path / "empty").mkdir()
    lost, _ = saved(tmp_path, "wavlm")
    (lost / "model.safetensors").unlink()
    for kind, source, told in [
        ("wavlm", str(folder), "is a hubert model; the recipe says wavlm"),
        ("wavlm", str(tmp_path / "empty"), r"empty holds no config\.json"),
        ("wavlm", "nobody/no-such-model", "neither a folder nor in the local cache"),
        ("wavlm", str(lost), "weights of .*wavlm cannot be read"),
    ]:
        with pytest.raises(UniTalkerError, match=told):
            read_pretrained(Encoder(kind=kind, source=(source,)))  # type: ignore[arg-type]


def test_an_incomplete_model_is_not_filled_up_at_random(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder, _ = saved(tmp_path, "wav2vec2")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layers.1.attention.k_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UniTalkerError, match=r"lacks 1 weights.*encoder\.layers\.1\.attention\.k_proj\.weight"):
        read_pretrained(Encoder(kind="wav2vec2", source=(str(folder),)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_trained_with_it_and_its_front_end_stays(
    kind: str, tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    folder, model = saved(tmp_path, kind)
    content = tiny_recipe.model_dump(mode="json") | {
        "encoder": {"kind": kind, "source": [str(folder)]},
        "joint": {"epochs": 1, "batch": 2, "crop_seconds": 2},
    }
    content["warm_up"]["epochs"] = 1
    recipe = parse_recipe(content, "recipe")
    material = begin(recipe, tmp_path / "run", Places(tiny_data, tmp_path / "cache"), CPU, silent)
    Trainer(material, tmp_path / "run", CPU).fit()
    after = load_checkpoint(tmp_path / "run" / CHECKPOINT).model
    changed = {
        name.split(".")[0]
        for name, weights in model.state_dict().items()
        if not torch.equal(weights, after[f"audio_encoder.{name}"])
    }
    assert changed == {"encoder", "feature_projection", "masked_spec_embed"} - (
        set() if "masked_spec_embed" in changed else {"masked_spec_embed"}
    )
