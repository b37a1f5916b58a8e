"""The network of `backend.model` once more, as ONNX operators: Whisper encoder, frequency adaptor, TCN decoder, heads.

Only what the bundled kind of model consists of; other encoders and decoders run with torch. Written by hand and not
traced, because so the lengths stay free and every weight can stay in its file.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from backend.engines.onnx_graph import OnnxGraph
from backend.errors import UniTalkerError
from backend.model.encoder import LogMel
from backend.model.spec import HeadSpec, ModelSpec

# Of torch's LayerNorm, with which Whisper and the decoder are built.
_LAYER_NORM_EPSILON = 1e-5
_TCN_BLOCKS = 3
_HALF = LogMel.WINDOW // 2


def add_network(graph: OnnxGraph, spec: ModelSpec) -> None:
    """Put the whole network in: from the inputs ``waveform``, ``frames`` and ``identity`` to an output for each head.

    Raises:
        UniTalkerError: ``model.no_onnx`` for encoders and decoders other than Whisper and TCN.
    """
    if (spec.encoder.kind, spec.decoder.kind) != ("whisper", "tcn"):
        raise UniTalkerError(
            "model.no_onnx",
            f"Only models of a Whisper encoder and a TCN decoder can be exported; this one has {spec.encoder.kind} "
            f"and {spec.decoder.kind}.",
            "Use it with the engine torch.",
        )
    position = spec.decoder.interpolate_position
    hidden = _front_end(graph, _log_mel(graph, "waveform", spec.encoder.config["num_mel_bins"]))
    features = _context(graph, _adapt(graph, hidden) if position == 0 else hidden, spec)
    # One pass of the encoder serves any number of identities.
    features = graph.add("Expand", features, graph.add("Concat", graph.size("identity", 0), *_ones(graph), axis=0))
    states = _decoder(graph, _adapt(graph, features) if position == 1 else features)
    states = _adapt(graph, states) if position == 2 else states
    for head in spec.heads:
        graph.rename(_head(graph, states, head), head.annotation.type_name)


def _ones(graph: OnnxGraph) -> tuple[str, str]:
    one = graph.integers(1)
    return one, one


def _log_mel(graph: OnnxGraph, waveform: str, bins: int) -> str:
    """As `backend.model.encoder.LogMel`: ``(batch, samples)`` to ``(batch, bins, frames)``."""
    ends = graph.integers(0, _HALF, 0, _HALF)
    signal = graph.add("Unsqueeze", graph.add("Pad", waveform, ends, mode="reflect"), graph.integers(1))
    spectrum = graph.add("Conv", signal, _fourier_basis(graph), strides=[LogMel.HOP], kernel_shape=[LogMel.WINDOW])
    squares = graph.split(graph.add("Mul", spectrum, spectrum), (_HALF + 1, _HALF + 1), axis=1)
    power = graph.add("Slice", graph.add("Add", *squares), graph.integers(0), graph.integers(-1), graph.integers(2))
    mel = graph.add("MatMul", graph.floats(LogMel(bins).filters.T.contiguous().numpy()), power)
    mel = graph.add("Mul", graph.add("Log", graph.add("Max", mel, graph.floats(1e-10))), graph.floats(1 / math.log(10)))
    over_time_and_bins = graph.integers(1, 2)
    peak = graph.add("ReduceMax", mel, over_time_and_bins, keepdims=1)
    mel = graph.add("Max", mel, graph.add("Sub", peak, graph.floats(8.0)))
    mel = graph.add("Div", graph.add("Add", mel, graph.floats(4.0)), graph.floats(4.0))
    # An odd count gets one more, silent frame.
    odd = graph.add("Mod", graph.size(mel, 2), graph.integers(2))
    shape = graph.add("Concat", graph.size(mel, 0), graph.integers(bins), odd, axis=0)
    silent = graph.add("Expand", graph.add("ReduceMin", mel, over_time_and_bins, keepdims=1), shape)
    return graph.add("Concat", mel, silent, axis=2)


def _fourier_basis(graph: OnnxGraph) -> str:
    """Cosines and sines under a Hann window as filters ``(2 x 201, 1, 400)``.

    Looked up in one period of each, which the runtime does once when it loads the graph: as a table they would be
    most of the file.
    """
    turns = np.arange(LogMel.WINDOW) / LogMel.WINDOW
    period = np.concatenate([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * turns)
    samples = graph.add("Range", graph.integer(0), graph.integer(LogMel.WINDOW), graph.integer(1))
    bins = graph.add("Range", graph.integer(0), graph.integer(_HALF + 1), graph.integer(1))
    steps = graph.add("Mul", graph.add("Unsqueeze", bins, graph.integers(1, 2)), samples)
    cosines = graph.add("Mod", steps, graph.integer(LogMel.WINDOW))
    sines = graph.add("Add", cosines, graph.integer(LogMel.WINDOW))
    waves = graph.add("Gather", graph.floats(period), graph.add("Concat", cosines, sines, axis=0))
    return graph.add("Mul", waves, graph.floats(hann))


def _front_end(graph: OnnxGraph, mel: str) -> str:
    hidden = graph.add("Gelu", _convolve(graph, mel, "audio_encoder.conv1"))
    hidden = graph.add("Gelu", _convolve(graph, hidden, "audio_encoder.conv2", stride=2))
    return graph.add("Transpose", hidden, perm=[0, 2, 1])


def _context(graph: OnnxGraph, hidden: str, spec: ModelSpec) -> str:
    config = spec.encoder.config
    positions = graph.weight("audio_encoder.embed_positions.weight")
    positions = graph.add("Slice", positions, graph.integers(0), graph.size(hidden, 1), graph.integers(0))
    hidden = graph.add("Add", hidden, positions)
    for index in range(config["encoder_layers"]):
        layer = f"audio_encoder.layers.{index}"
        normed = _layer_norm(graph, hidden, f"{layer}.self_attn_layer_norm")
        attended = _attend(graph, normed, f"{layer}.self_attn", config["d_model"], config["encoder_attention_heads"])
        hidden = graph.add("Add", hidden, attended)
        normed = _layer_norm(graph, hidden, f"{layer}.final_layer_norm")
        inner = graph.add("Gelu", _linear(graph, normed, f"{layer}.fc1"))
        hidden = graph.add("Add", hidden, _linear(graph, inner, f"{layer}.fc2"))
    return _layer_norm(graph, hidden, "audio_encoder.layer_norm") if spec.encoder.final_layer_norm else hidden


def _attend(graph: OnnxGraph, states: str, name: str, width: int, heads: int) -> str:
    shape = graph.integers(0, 0, heads, width // heads)

    def split_heads(value: str, order: list[int]) -> str:
        return graph.add("Transpose", graph.add("Reshape", value, shape), perm=order)

    query = graph.add("Mul", _linear(graph, states, f"{name}.q_proj"), graph.floats((width // heads) ** -0.5))
    key = graph.add("MatMul", states, _transposed(graph, f"{name}.k_proj.weight"))  # Whisper's keys have no bias
    value = _linear(graph, states, f"{name}.v_proj")
    scores = graph.add("MatMul", split_heads(query, [0, 2, 1, 3]), split_heads(key, [0, 2, 3, 1]))
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), split_heads(value, [0, 2, 1, 3]))
    joined = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), graph.integers(0, 0, width))
    return _linear(graph, joined, f"{name}.out_proj")


def _adapt(graph: OnnxGraph, features: str) -> str:
    """As `backend.model.frequency_adaptor`: ``(batch, time, channels)`` to ``(batch, frames, channels)``."""
    last = graph.add("Cast", graph.add("Sub", graph.size(features, 1), graph.integers(1)), to=TensorProto.FLOAT)
    steps = graph.add("Max", graph.add("Sub", "frames", graph.integer(1)), graph.integer(1))
    scale = graph.add("Div", last, graph.add("Cast", steps, to=TensorProto.FLOAT))
    frames = graph.add("Range", graph.integer(0), "frames", graph.integer(1))
    places = graph.add("Mul", graph.add("Cast", frames, to=TensorProto.FLOAT), scale)
    before = graph.add("Floor", places)
    weight = graph.add("Unsqueeze", graph.add("Sub", places, before), graph.integers(0, 2))
    after = graph.add("Min", graph.add("Add", before, graph.floats(1.0)), last)
    left = graph.add("Gather", features, graph.add("Cast", before, to=TensorProto.INT64), axis=1)
    right = graph.add("Gather", features, graph.add("Cast", after, to=TensorProto.INT64), axis=1)
    left = graph.add("Mul", left, graph.add("Sub", graph.floats(1.0), weight))
    return graph.add("Add", left, graph.add("Mul", right, weight))


def _decoder(graph: OnnxGraph, features: str) -> str:
    """As `backend.model.decoder.TcnDecoder`: ``(batch, time, feature width)`` to ``(batch, time, width)``."""
    audio = _linear(graph, features, "decoder.audio_feature_map")
    one = graph.integers(1)
    style = graph.add("Gather", graph.weight("decoder.learnable_style_emb.weight"), "identity", axis=0)
    over_time = graph.add("Concat", one, graph.size(audio, 1), one, axis=0)
    style = graph.add("Expand", graph.add("Unsqueeze", style, one), over_time)
    states = graph.add("Concat", audio, style, axis=2)
    for index in range(_TCN_BLOCKS):
        states = _tcn_block(graph, states, f"decoder.tcn.first_net.conv_layers.{index}")
    return states


def _tcn_block(graph: OnnxGraph, states: str, name: str) -> str:
    channels_first = graph.add("Transpose", states, perm=[0, 2, 1])
    convolved = graph.add("Transpose", _convolve(graph, channels_first, f"{name}.conv"), perm=[0, 2, 1])
    residual = states
    if graph.has_weight(f"{name}.residual_layer.0.weight"):
        residual = graph.add("Transpose", _convolve(graph, channels_first, f"{name}.residual_layer.0"), perm=[0, 2, 1])
    return graph.add("Relu", graph.add("Add", _layer_norm(graph, convolved, f"{name}.norm"), residual))


def _head(graph: OnnxGraph, states: str, head: HeadSpec) -> str:
    name = head.annotation.type_name
    if head.layers == 1:
        output = _linear(graph, states, f"out_head_dict.{name}")
    else:
        for index in range(head.layers - 1):
            states = graph.add("Tanh", _linear(graph, states, f"out_head_dict.{name}.head_layer.{2 * index}"))
        output = _linear(graph, states, f"out_head_dict.{name}.head_layer.{2 * head.layers - 2}")
    if head.components is None:
        return output
    basis = graph.weight(f"pca_layer_dict.{name}.feat_to_data")
    if head.components != head.stored_components:
        zero = graph.integers(0)
        basis = graph.add("Slice", basis, zero, graph.integers(head.components), zero)
    return graph.add("Add", graph.add("MatMul", output, basis), graph.weight(f"pca_layer_dict.{name}.data_bias"))


def _linear(graph: OnnxGraph, states: str, name: str) -> str:
    product = graph.add("MatMul", states, _transposed(graph, f"{name}.weight"))
    return graph.add("Add", product, graph.weight(f"{name}.bias"))


def _transposed(graph: OnnxGraph, name: str) -> str:
    return graph.add("Transpose", graph.weight(name), perm=[1, 0])


def _convolve(graph: OnnxGraph, states: str, name: str, stride: int = 1) -> str:
    """A convolution over three frames; ``(batch, channels, time)``."""
    weights = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.add("Conv", states, *weights, kernel_shape=[3], pads=[1, 1], strides=[stride])


def _layer_norm(graph: OnnxGraph, states: str, name: str) -> str:
    weights = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.add("LayerNormalization", states, *weights, axis=-1, epsilon=_LAYER_NORM_EPSILON)
