"""ONNX voices whose graph knows phone durations: the tensor that holds them is made an output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.errors import UniTalkerError
from training.synthesis.engines.base import require


def open_session(model: Path, durations: str) -> Any:
    """An onnxruntime session on one thread with `durations` as its last output.

    Args:
        model: ONNX file.
        durations: name of the tensor with the duration of each token.

    Raises:
        UniTalkerError: packages are missing, or the graph has no such tensor.
    """
    onnx, runtime = require("onnx"), require("onnxruntime")
    graph = onnx.load(str(model))
    if not any(durations in node.output for node in graph.graph.node):
        raise UniTalkerError(
            "synthesis.model", f"{model} has no tensor {durations}, so its phone durations cannot be read."
        )
    graph.graph.output.append(onnx.helper.make_tensor_value_info(durations, onnx.TensorProto.FLOAT, None))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return runtime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
