"""An ONNX graph under construction, whose weights stay where they are: in the bundle's `model.safetensors`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from backend.weights_file import StoredTensor

# Gelu came with 20; nothing newer is needed, so that older runtimes can read the graph too.
OPSET = 20
IR_VERSION = 9

_STORED_TYPES = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}


class OnnxGraph:
    """Nodes in the order in which they are added; values are named by strings.

    Args:
        weights: table of the weights file.
        location: name of the weights file, which lies beside the graph's.
    """

    def __init__(self, weights: Mapping[str, StoredTensor], location: str) -> None:
        self._weights = weights
        self._location = location
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._weight_values: dict[str, str] = {}
        self._count = 0

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its one output."""
        output = self._new_name(operator)
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def split(self, value: str, sizes: tuple[int, ...], axis: int) -> list[str]:
        """Parts of a value along an axis."""
        outputs = [self._new_name("Split") for _ in sizes]
        self._nodes.append(helper.make_node("Split", [value, self.integers(*sizes)], outputs, axis=axis))
        return outputs

    def rename(self, value: str, name: str) -> None:
        """Give a value a name of its own, as outputs need."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))

    def has_weight(self, name: str) -> bool:
        """Whether the weights file has a tensor of this name."""
        return name in self._weights

    def weight(self, name: str) -> str:
        """A tensor of the weights file as float32; the runtime converts it once, when it loads the graph."""
        if name not in self._weight_values:
            stored = self._weights[name]
            self._initializers.append(self._external(name, stored))
            is_float = stored.dtype == np.float32
            self._weight_values[name] = name if is_float else self.add("Cast", name, to=TensorProto.FLOAT)
        return self._weight_values[name]

    def floats(self, values: Any) -> str:
        """A float32 constant."""
        return self._constant(np.asarray(values, np.float32))

    def integers(self, *values: int) -> str:
        """A one-dimensional int64 constant."""
        return self._constant(np.array(values, np.int64))

    def integer(self, value: int) -> str:
        """An int64 scalar."""
        return self._constant(np.array(value, np.int64))

    def size(self, value: str, axis: int) -> str:
        """Length of a value along an axis, as int64 of shape ``(1,)``."""
        return self.add("Shape", value, start=axis, end=axis + 1)

    def model(
        self,
        inputs: Mapping[str, tuple[int, list[str | int]]],
        outputs: Mapping[str, list[str | int]],
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """The finished model.

        Args:
            inputs: element type and shape by name; strings in a shape are sizes that vary.
            outputs: shapes, of float32.
            metadata: what is read off the file again.
        """
        graph = helper.make_graph(
            self._nodes,
            "unitalker",
            [helper.make_tensor_value_info(name, type_, shape) for name, (type_, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        helper.set_model_props(model, dict(metadata))
        return model

    def _new_name(self, operator: str) -> str:
        self._count += 1
        return f"{operator}_{self._count}"

    def _constant(self, values: np.ndarray) -> str:
        name = self._new_name("constant")
        self._initializers.append(numpy_helper.from_array(values, name))
        return name

    def _external(self, name: str, stored: StoredTensor) -> onnx.TensorProto:
        tensor = TensorProto(
            name=name,
            data_type=_STORED_TYPES[stored.dtype.name],
            dims=stored.shape,
            data_location=TensorProto.EXTERNAL,
        )
        place = {"location": self._location, "offset": str(stored.offset), "length": str(stored.size)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)
        return tensor
