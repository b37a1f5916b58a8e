"""`model.onnx` of a bundle: the graph alone, a hundred kilobytes; its weights stay in `model.safetensors`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, TensorProto

from backend.bundle import load_bundle
from backend.bundle_manifest import ONNX_FILE, WEIGHTS_FILE, BundleEntry
from backend.engines.onnx_engine import LAYOUT_KEY, LONGEST_KEY, SHORTEST_KEY, OnnxEngine, layout_of
from backend.engines.onnx_graph import OnnxGraph
from backend.engines.onnx_network import add_network
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.model.encoder import LogMel
from backend.weights_file import read_table

TOLERANCE = 1e-4
"""Largest difference to torch that an export may have, of the value's own size or of one: nobody sees it."""

_CHECKED_SAMPLES = (1600, 40_123)


def export_onnx(entry: BundleEntry) -> float:
    """Write the graph into a bundle, once it has been seen to compute what torch computes.

    Returns:
        The largest difference to torch, over all heads and the first and the last identity, on noise.

    Raises:
        UniTalkerError: ``model.no_onnx`` for a model that cannot be exported, or whose export computes something
            else; ``model.unreadable``, ``output.unwritable``.
    """
    model = build_graph(entry)
    partial = entry.folder / f".{secrets.token_hex(8)}.onnx"
    try:
        partial.write_bytes(model.SerializeToString())
        difference = max(_differences(entry, partial.name))
        if difference > TOLERANCE:
            raise UniTalkerError(
                "model.no_onnx",
                f"The exported graph of {entry.manifest.name} differs from torch by {difference:.2g}.",
                "Use this model with the engine torch.",
            )
        partial.replace(entry.folder / ONNX_FILE)
    except OSError as error:
        raise UniTalkerError(
            "output.unwritable", f"{entry.folder} cannot be written: {error}.", "Copy the model to another folder."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return difference


def build_graph(entry: BundleEntry) -> ModelProto:
    """The graph of a bundle's network; `export_onnx` says what it raises."""
    table = read_table(entry.folder / WEIGHTS_FILE)
    spec = entry.manifest.spec
    graph = OnnxGraph(table, WEIGHTS_FILE)
    add_network(graph, spec)
    positions = spec.encoder.config["max_source_positions"]
    return graph.model(
        inputs={
            "waveform": (TensorProto.FLOAT, ["batch", "samples"]),
            "frames": (TensorProto.INT64, []),
            "identity": (TensorProto.INT64, ["identities"]),
        },
        outputs={head.annotation.type_name: ["identities", "time", head.annotation.dim] for head in spec.heads},
        metadata={
            LAYOUT_KEY: layout_of(entry, table),
            SHORTEST_KEY: str(LogMel.SHORTEST),
            # Two frames of the log-mel become one position.
            LONGEST_KEY: str((2 * positions + 1) * LogMel.HOP - 1),
        },
    )


def _differences(entry: BundleEntry, graph: str) -> Iterator[float]:
    onnx, torch = OnnxEngine(entry, "cpu", graph), TorchEngine(load_bundle(entry.folder))
    noise = np.random.default_rng(0).normal(0, 0.1, max(_CHECKED_SAMPLES)).astype(np.float32)
    for head in entry.manifest.spec.heads:
        for samples in _CHECKED_SAMPLES:
            sound = noise[None, :samples]
            asked = sound, head.annotation.type_name, 1 + samples // 640, [0, len(entry.manifest.spec.identities) - 1]
            wanted = torch.predict_windows(*asked)
            error = np.abs(onnx.predict_windows(*asked) - wanted) / np.maximum(np.abs(wanted), 1)
            yield float(error.max())
