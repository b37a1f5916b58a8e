"""WavLM, wav2vec 2.0 and HuBERT from a folder in the Hugging Face format, or by their name on its hub.

A name on the hub is looked up in the local cache of that library alone, unless the user asked for a download.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoConfig,
    HubertModel,
    PretrainedConfig,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMModel,
)
from transformers.utils import logging as transformers_logging

from backend.errors import UniTalkerError
from backend.model.spec import EncoderSpec

WaveformKind = Literal["wavlm", "wav2vec2", "hubert"]

_MODELS: dict[str, Any] = {"wavlm": WavLMModel, "wav2vec2": Wav2Vec2Model, "hubert": HubertModel}
_NETWORK = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act", "layer_norm_eps"),
    *("hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout", "layerdrop"),
    *("feat_extract_norm", "feat_extract_activation", "feat_proj_layer_norm", "do_stable_layer_norm"),
    *("conv_dim", "conv_stride", "conv_kernel", "conv_bias", "conv_pos_batch_norm"),
    *("num_conv_pos_embeddings", "num_conv_pos_embedding_groups", "num_buckets", "max_bucket_distance"),
    *("apply_spec_augment", "mask_time_prob", "mask_time_length", "mask_time_min_masks"),
    *("mask_feature_prob", "mask_feature_length", "mask_feature_min_masks"),
)
"""What of a configuration shapes the network or its training; the rest belongs to other tasks."""
_NOT_NEEDED = {"masked_spec_embed"}
"""Stands in for masked frames in training; fine-tuned models may come without."""
_UNREADABLE = (OSError, ValueError, RuntimeError, SafetensorError, KeyError)


def load_waveform_encoder(
    kind: WaveformKind, source: str, layers: int | None, normalise: bool | None, download: bool
) -> tuple[EncoderSpec, dict[str, Tensor]]:
    """Reads an encoder.

    Args:
        kind: which class it must be of.
        source: folder with ``config.json`` and weights, or name on the hub, such as ``microsoft/wavlm-base-plus``.
        layers: keep the first so many transformer layers; all by default.
        normalise: whether waveforms are normalised; by default what the model was trained with.
        download: allow the network.

    Returns:
        What it is made of, and its weights by the names of the `transformers` module.

    Raises:
        UniTalkerError: not there, not readable, incomplete, of another kind, or with fewer layers.
    """
    with _quiet():
        config = _read_config(kind, source, download)
        model = _read_model(kind, source, config, download)
    present = config.num_hidden_layers
    if layers is not None:
        if layers > present:
            raise UniTalkerError("encoder.layers", f"{source} has {present} layers; the recipe asks for {layers}.")
        model.encoder.layers = model.encoder.layers[:layers]
        config.num_hidden_layers = layers
    network = {name: getattr(config, name) for name in _NETWORK if hasattr(config, name)}
    if normalise is None:
        normalise = _was_normalised(kind, source, config, download)
    return EncoderSpec(kind=kind, config=network, normalise_waveform=normalise), model.state_dict()


def _read_config(kind: WaveformKind, source: str, download: bool) -> PretrainedConfig:
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(source, local_files_only=not download)
    except _UNREADABLE as error:
        raise _not_found(source, download) from error
    # Fine-tuned models may end in one, which is no part of the encoder.
    config.add_adapter = False
    if config.model_type != kind:
        raise UniTalkerError(
            "encoder.kind",
            f"{source} is a {config.model_type} model; the recipe says {kind}.",
            "Change encoder.kind or encoder.source.",
        )
    return config


def _read_model(kind: WaveformKind, source: str, config: PretrainedConfig, download: bool) -> Any:
    try:
        model, report = _MODELS[kind].from_pretrained(
            source, config=config, local_files_only=not download, output_loading_info=True
        )
    except _UNREADABLE as error:
        raise UniTalkerError(
            "encoder.unreadable",
            f"The weights of {source} cannot be read: {str(error).strip().splitlines()[0]}",
            "Beside config.json there must be model.safetensors or pytorch_model.bin.",
        ) from error
    missing = sorted(set(report["missing_keys"]) - _NOT_NEEDED)
    if missing:
        raise UniTalkerError(
            "encoder.incomplete",
            f"{source} lacks {len(missing)} weights of a {kind} encoder, the first is {missing[0]}.",
            "Is the download complete?",
        )
    return model


def _was_normalised(kind: WaveformKind, source: str, config: PretrainedConfig, download: bool) -> bool:
    """As ``preprocessor_config.json`` says; without it as the published models of its kind are."""
    try:
        extractor = Wav2Vec2FeatureExtractor.from_pretrained(source, local_files_only=not download)
    except _UNREADABLE:
        # Of the published WavLM models only the large one, which is also the only one with layer norms in front.
        return kind != "wavlm" or config.feat_extract_norm == "layer"
    return bool(extractor.do_normalize)


def _not_found(source: str, download: bool) -> UniTalkerError:
    if Path(source).exists():
        message, hint = f"{source} holds no config.json of a speech encoder.", "Name the folder of the model."
    elif download:
        message, hint = f"{source} is no folder, and the Hugging Face hub did not give it.", "Check name and network."
    else:
        message = f"{source} is neither a folder nor in the local cache of the Hugging Face hub."
        hint = "Name the folder that holds it, or let it be fetched once with --download."
    return UniTalkerError("encoder.not_found", message, hint)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's notes on what other tasks would need out of the log."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
