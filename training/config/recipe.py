"""A recipe: everything that decides how a model comes out."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from backend.bundle_manifest import NAME_PATTERN
from backend.model.spec import DecoderSpec
from training.config.consistency import contradictions
from training.config.data import Augmentation, DataSet, Joining, Silence
from training.config.loss import Loss
from training.config.network import Encoder, Head, Start
from training.config.section import Section
from training.config.stage import JointStage, Stage


class Recipe(Section):
    """A whole training.

    Attributes:
        name: of the model.
        title: one line for people.
        version: of the model that this recipe gives; raise it when the recipe changes.
        licence: of the trained weights, which the licences of the data must allow.
        limits: what the model cannot do, a sentence each, for the model card.
        data: data sets in the order of the identity table.
        only: names of the data sets to use of these; all if left out. Heads of annotation types that none of them
            has are left out too. For models of single data sets beside one of all.
        held_out: names of data sets that are not trained on, only evaluated, under the pivot identity; their
            annotation types must be those of others. For seeing what a model makes of voices it never heard.
        start: see `Start`; left out, decoder and heads begin at random.
        encoder: see `Encoder`.
        decoder: see `backend.model.spec.DecoderSpec`.
        heads: by annotation type; the first is the model's default.
        joining: see `Joining`; ``null`` makes each clip a sequence of its own, as in the paper.
        augmentation: see `Augmentation`.
        silence: see `Silence`.
        loss: see `Loss`.
        pivot_probability: how many sequences are trained under the pivot identity (0.1 in the paper), which then
            speaks for unknown voices; 0 leaves the pivot out.
        warm_up: decoder warm-up, encoder frozen.
        joint: afterwards, see `JointStage`.
        seed: of everything random.
        checkpoint_minutes: between two checkpoints; one is also written after every epoch.
    """

    name: str = Field(pattern=NAME_PATTERN)
    title: str = ""
    version: str = "0.1.0"
    licence: str
    limits: tuple[str, ...] = ()
    data: tuple[DataSet, ...] = Field(min_length=1)
    only: tuple[str, ...] | None = None
    held_out: tuple[str, ...] = ()
    start: Start | None = None
    encoder: Encoder = Encoder()
    decoder: DecoderSpec = DecoderSpec()
    heads: dict[str, Head]
    joining: Joining | None = Joining()
    augmentation: Augmentation = Augmentation()
    silence: Silence = Silence()
    loss: Loss = Loss()
    pivot_probability: float = Field(default=0.1, ge=0, le=1)
    warm_up: Stage
    joint: JointStage = JointStage()
    seed: int = 42
    checkpoint_minutes: float = Field(default=5.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _choose(cls, content: Any) -> Any:
        """Leaves the data sets that `only` names."""
        only, data = (content.get(name) if isinstance(content, dict) else None for name in ("only", "data"))
        if not only or not isinstance(data, list | tuple):
            return content
        named = {_name_of(entry): entry for entry in data}
        unknown = [name for name in only if name not in named]
        if unknown:
            raise ValueError(
                f"only names {', '.join(map(str, unknown))}; the data sets are {', '.join(map(str, named))}"
            )
        return content | {"data": [entry for name, entry in named.items() if name in only]}

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        found = contradictions(self)
        if found:
            raise ValueError("; ".join(found))
        return self

    @property
    def keeps_encoder(self) -> bool:
        """Whether the encoder is the start model's."""
        return self.start is not None and self.start.encoder == "keep"


def _name_of(entry: Any) -> Any:
    """Of a data set, which may be plain data yet, or anything that was written in its place."""
    return entry.get("name") if isinstance(entry, dict) else getattr(entry, "name", None)
