"""What a character's face is driven by: rows of target, source and range; plain data that travels in a request."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_TARGETS = 4096

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Name = Annotated[str, Field(min_length=1, max_length=1024)]


class RigTarget(BaseModel):
    """One row: ``clip(gain · source + offset, minimum, maximum)`` goes to `target`.

    Attributes:
        target: name of the result's channel, chosen by whoever asks and not looked into. Rows with the same target
            add up, each cut to its own limits: the two halves of a blink, for example.
        source: a channel of the rig's convention, an ARKit shape in any spelling, a channel of the head, or one of
            the layers' angles ``headPitch``, ``headYaw``, ``headRoll`` (radians).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: _Name
    source: _Name
    gain: _Finite = 1.0
    offset: _Finite = 0.0
    minimum: _Finite = 0.0
    maximum: _Finite = 1.0

    @model_validator(mode="after")
    def _check_limits(self) -> RigTarget:
        if self.minimum > self.maximum:
            raise ValueError(f"{self.target}: the minimum {self.minimum:g} is above the maximum {self.maximum:g}")
        return self


class Rig(BaseModel):
    """The face of one character.

    Attributes:
        convention: name of a file in ``assets/rigs`` whose channels are sources besides the ARKit shapes; needed for
            visemes and vowels, which are solved for. None when all sources are ARKit shapes or channels of the head.
        targets: the rows; their targets are the channels of the result, in this order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    convention: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] | None = None
    targets: Annotated[tuple[RigTarget, ...], Field(min_length=1, max_length=MAX_TARGETS)]
