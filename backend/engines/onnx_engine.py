"""The network on ONNX Runtime: small to install and quick to start, for models with a `model.onnx` in their folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence

import numpy as np
import onnxruntime

from backend.bundle_manifest import ONNX_FILE, WEIGHTS_FILE, BundleEntry
from backend.engines.base import Engine
from backend.errors import UniTalkerError
from backend.weights_file import StoredTensor, read_table, read_tensor

LAYOUT_KEY = "unitalker.layout"
SHORTEST_KEY = "unitalker.shortest_samples"
LONGEST_KEY = "unitalker.longest_samples"

_CPU = "CPUExecutionProvider"
# What each device is called, by the execution providers that can serve it. CoreML is not among those of `auto`: it
# compiles the graph for seconds before the first result, and computes in half precision.
_PROVIDERS = {
    "cuda": {"CUDAExecutionProvider": "cuda", "DmlExecutionProvider": "directml"},
    "mps": {"CoreMLExecutionProvider": "coreml"},
}


def layout_of(entry: BundleEntry, table: dict[str, StoredTensor]) -> str:
    """A hash of everything in a bundle that its graph depends on: what the network is made of, where each tensor lies.

    The values of the weights are not part of it: the graph reads them from the weights file, whatever they are.
    """
    spec = entry.manifest.spec
    parts = {
        "encoder": spec.encoder.model_dump(exclude_defaults=True),
        "decoder": spec.decoder.model_dump(exclude_defaults=True),
        "heads": [
            [head.annotation.type_name, head.annotation.dim, head.layers, head.components, head.stored_components]
            for head in spec.heads
        ],
        "tensors": {name: [tensor.dtype.name, tensor.shape, tensor.offset] for name, tensor in table.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class OnnxEngine(Engine):
    """Computes with a session over `model.onnx`, which takes its weights from `model.safetensors`.

    Args:
        entry: the bundle.
        device: ``auto``, ``cpu``, ``cuda`` (a graphics card, through CUDA or DirectML; ``cuda:1`` is the second) or
            ``mps`` (CoreML).
        graph: name of the graph's file in the bundle.

    Raises:
        UniTalkerError: ``model.no_onnx``, ``model.unreadable``, or ``engine.device`` for a device that this ONNX
            Runtime is not built for. One that it is built for and that fails gives way to the CPU, with a note.
    """

    name = "onnx"

    def __init__(self, entry: BundleEntry, device: str = "auto", graph: str = ONNX_FILE) -> None:
        self.manifest = entry.manifest
        self._weights = entry.folder / WEIGHTS_FILE
        self._graph = entry.folder / graph
        if not self._graph.is_file():
            raise UniTalkerError(
                "model.no_onnx",
                f"{entry.manifest.name} has no {graph}, which the engine onnx needs.",
                f"Make it with: unitalker models onnx {entry.manifest.name}; or use the engine torch.",
            )
        self._table = read_table(self._weights)
        kind, _, self._number = device.partition(":")
        self._provider = _choose_provider(kind)
        self._session = self._open()
        properties = self._session.get_modelmeta().custom_metadata_map
        if properties.get(LAYOUT_KEY) != layout_of(entry, self._table):
            raise self._unusable("it was made for another model than the one beside it")
        self._shortest, self._longest = int(properties[SHORTEST_KEY]), int(properties[LONGEST_KEY])

    def predict_windows(
        self,
        waveforms: np.ndarray,
        head: str,
        frames: int,
        identities: Sequence[int],
        template: np.ndarray | None = None,
    ) -> np.ndarray:
        _check_length(waveforms.shape[1], self._shortest, self._longest)
        inputs: dict[str, np.ndarray] = {
            "waveform": np.ascontiguousarray(waveforms, np.float32),
            "frames": np.array(frames, np.int64),
            "identity": np.array(identities, np.int64),
        }
        values = self._run(head, inputs)
        if not np.isfinite(values).all():
            raise UniTalkerError(
                "model.unreadable",
                f"{self._weights} gives values that are not finite numbers.",
                "Copy the model again.",
            )
        return values if template is None else values + template

    def template(self, head: str) -> np.ndarray | None:
        stored = self._table.get(f"template_dict.{head}")
        return None if stored is None else read_tensor(self._weights, stored)

    def _open(self) -> onnxruntime.InferenceSession:
        """A session on the chosen provider, or else on the CPU."""
        try:
            # Of several graphics cards the first, unless another is named.
            chosen = {"device_id": self._number} if self._number and self._provider != _CPU else {}
            session = onnxruntime.InferenceSession(
                self._graph, _session_options(), providers=[self._provider], provider_options=[chosen]
            )
        # The library raises a dozen classes of its own, all of them plain subclasses of Exception.
        except Exception as error:
            if self._provider == _CPU:
                raise self._unusable(_first_line(error)) from error
            return self._fall_back(error)
        # A provider whose libraries are missing is left out without an error.
        if session.get_providers()[0] != self._provider:
            return self._fall_back(RuntimeError("its libraries cannot be loaded"))
        self.device = _device_name(self._provider)
        return session

    def _fall_back(self, error: Exception) -> onnxruntime.InferenceSession:
        failed, self._provider = _device_name(self._provider), _CPU
        self.notes = (f"The device {failed} failed ({_first_line(error)}); the processor was used instead.",)
        return self._open()

    def _run(self, head: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = True
        try:
            values: np.ndarray = self._session.run([head], inputs, options)[0]
        except Exception as error:
            if "allocate memory" in str(error):
                raise MemoryError(_first_line(error)) from error
            if self._provider == _CPU:
                raise UniTalkerError(
                    "engine.failed", f"ONNX Runtime failed: {_first_line(error)}.", "Try the engine torch."
                ) from error
            self._session = self._fall_back(error)
            return self._run(head, inputs)
        return values

    def _unusable(self, reason: str) -> UniTalkerError:
        return UniTalkerError(
            "model.unreadable",
            f"{self._graph} cannot be used: {reason}.",
            f"Make it again with: unitalker models onnx {self._graph.parent}; or copy the whole model again.",
        )


def usable_devices() -> dict[str, str]:
    """The devices that this ONNX Runtime is built for, and the execution provider that serves each."""
    available = onnxruntime.get_available_providers()
    found = {
        device: next((name for name in providers if name in available), None)
        for device, providers in _PROVIDERS.items()
    }
    return {"cpu": _CPU} | {device: provider for device, provider in found.items() if provider is not None}


def _choose_provider(device: str) -> str:
    usable = usable_devices()
    if device == "auto":
        return usable.get("cuda", _CPU)
    if device not in usable:
        raise UniTalkerError(
            "engine.device",
            f"The device {device} cannot be used by this ONNX Runtime.",
            f"Choose auto or one of: {', '.join(usable)}.",
        )
    return usable[device]


def _device_name(provider: str) -> str:
    names = {name: device for providers in _PROVIDERS.values() for name, device in providers.items()}
    return names.get(provider, "cpu")


def _session_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; the warnings are about the fallbacks that the notes tell of
    # Not OpenMP, but users and tests limit threads with its variable; 0 is one for each core.
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
    # Threads that wait by spinning take the processor from Blender, which runs beside.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Windows differ in length, and a plan of the memory holds for one length only.
    options.enable_mem_pattern = False
    return options


def _check_length(samples: int, shortest: int, longest: int) -> None:
    if samples < shortest:
        raise UniTalkerError(
            "audio.too_short", f"The sound has {samples} samples; {shortest} are needed.", "Take a longer sound."
        )
    if samples > longest:
        raise UniTalkerError(
            "model.too_long",
            f"{samples} samples of sound in one piece; this encoder takes {longest}.",
            "Cut the sound into windows.",
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
