"""What the numbers of a head mean: kind, channel names, frame rate, unit.

The paper calls the format in which a data set records a face its *annotation*; every annotation type
has one head in the model (paper section 3.1). Arrays never travel without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["blendshapes", "vertices", "flame"]

FLAME_PARAMETER_COUNT = 413


class Annotation(BaseModel):
    """Description of one annotation type.

    Attributes:
        type_name: the annotation type; the key of its head, e.g. ``mediapipe_blendshape_weight``.
        title: what a person reads in a list.
        kind: ``blendshapes`` (weights), ``vertices`` (flattened x, y, z) or ``flame`` (parameters).
        dim: numbers per frame.
        fps: frame rate at which the head is trained and runs.
        unit: ``weight`` (0 to 1), ``m``, or ``parameter``.
        scale: what the source data was multiplied by to reach ``unit``.
        names: channel names for ``blendshapes`` and ``flame``; empty for ``vertices``, whose channels are
            ``v0.x, v0.y, v0.z, v1.x, ...``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type_name: str = Field(pattern=r"^[A-Za-z0-9_+-]+$")
    title: str = ""
    kind: Kind
    dim: int = Field(gt=0)
    fps: float = Field(gt=0)
    unit: Literal["weight", "m", "parameter"]
    scale: float = 1.0
    names: tuple[str, ...] = ()

    def model_post_init(self, _context: object) -> None:
        if self.names and len(self.names) != self.dim:
            raise ValueError(f"{self.type_name}: {len(self.names)} names for {self.dim} channels")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"{self.type_name}: channel names are not unique")
        if self.kind == "blendshapes" and not self.names:
            raise ValueError(f"{self.type_name}: blendshape channels need names")
        if self.kind == "vertices" and self.dim % 3:
            raise ValueError(f"{self.type_name}: {self.dim} is not a multiple of 3")

    @property
    def channel_names(self) -> tuple[str, ...]:
        """One name per channel, also for vertices."""
        if self.kind == "vertices":
            return tuple(f"v{i}.{axis}" for i in range(self.dim // 3) for axis in "xyz")
        return self.names or tuple(f"p{i}" for i in range(self.dim))


@dataclass(frozen=True)
class FaceMotion:
    """A stretch of face motion; what every stage after the network takes and gives.

    Attributes:
        values: float32, shape ``(frames, channels)``.
        fps: frames per second; frame ``i`` is at ``i / fps`` seconds from the start of the sound.
        annotation: what the channels are.
        notes: remarks for the user that came up on the way, e.g. replaced NaN samples.
        sound: file name of the sound that it belongs to, without the folder; empty when not known.
    """

    values: np.ndarray
    fps: float
    annotation: Annotation
    notes: tuple[str, ...] = field(default=())
    sound: str = ""

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or self.values.ndim != 2 or self.values.shape[1] != self.annotation.dim:
            raise ValueError(
                f"{self.annotation.type_name}: values are {self.values.dtype} {self.values.shape}, "
                f"expected float32 (frames, {self.annotation.dim})"
            )

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.values) / self.fps
