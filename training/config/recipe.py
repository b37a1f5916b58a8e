"""A recipe: everything that decides how a model comes out."""

from __future__ import annotations

from pydantic import Field, model_validator

from backend.model.spec import DecoderSpec
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

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    title: str = ""
    version: str = "0.1.0"
    licence: str
    limits: tuple[str, ...] = ()
    data: tuple[DataSet, ...] = Field(min_length=1)
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

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        names = [data.name for data in self.data]
        if len(set(names)) != len(names):
            raise ValueError("two data sets have the same name")
        if not self.heads:
            raise ValueError("at least one head is needed")
        self._check_start()
        return self

    @property
    def keeps_encoder(self) -> bool:
        """Whether the encoder is the start model's."""
        return self.start is not None and self.start.encoder == "keep"

    def _check_start(self) -> None:
        start = self.start
        if start and start.decoder == start.encoder == "fresh":
            raise ValueError("start.decoder and start.encoder are both fresh, so nothing of the start model is used")
        if not self.keeps_encoder and not self.encoder.source:
            raise ValueError("encoder.source is missing; only a start model can stand in for it")
        if not start and any(data.head for data in self.data):
            raise ValueError("data.head names a head of a start model, but there is no start")
        if start and start.trained == "decoder" and self.joint.epochs:
            raise ValueError(
                "start.trained is decoder, but joint.epochs trains the encoder; set trained to all or epochs to 0"
            )
