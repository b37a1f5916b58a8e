"""Where the tensors lie in a `model.safetensors`: its table of contents, read without the library and without torch.

The format is an 8-byte length, that many bytes of JSON, and the raw little-endian values, to which the table's offsets
are relative (https://github.com/huggingface/safetensors, section Format).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError

_LENGTH_BYTES = 8
_MAX_TABLE_BYTES = 100 << 20  # the format's own limit
_TYPES = {"F16": "<f2", "F32": "<f4"}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of the file.

    Attributes:
        dtype: ``float16`` or ``float32``.
        shape: as stored.
        offset: of its first byte in the file.
        size: in bytes.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    size: int


def read_table(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a file by name.

    Raises:
        UniTalkerError: ``model.unreadable``, also for a file that is cut short.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            text = file.read(min(length, _MAX_TABLE_BYTES))
        entries = json.loads(text)
        entries.pop("__metadata__", None)
        start = _LENGTH_BYTES + length
        table = {name: _stored(entry, start) for name, entry in entries.items()}
        end = max((tensor.offset + tensor.size for tensor in table.values()), default=0)
        if not table or path.stat().st_size < end:
            raise ValueError("it is empty or cut short")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UniTalkerError("model.unreadable", f"{path} cannot be read: {error}.", "Copy the model again.") from error
    return table


def read_tensor(path: Path, tensor: StoredTensor) -> np.ndarray:
    """One tensor as float32."""
    count = tensor.size // tensor.dtype.itemsize
    values = np.fromfile(path, tensor.dtype, count, offset=tensor.offset)
    return values.reshape(tensor.shape).astype(np.float32)


def _stored(entry: dict[str, Any], start: int) -> StoredTensor:
    begin, end = entry["data_offsets"]
    dtype = np.dtype(_TYPES[entry["dtype"]])
    shape = tuple(int(size) for size in entry["shape"])
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize != end - begin:
        raise ValueError(f"a tensor of shape {shape} takes {end - begin} bytes")
    return StoredTensor(dtype, shape, start + begin, end - begin)
