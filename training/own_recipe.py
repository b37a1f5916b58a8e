"""Recipes for one's own recordings, made from what the recordings and a model to start from say of themselves.

The numbers of steps, rates and passes were measured on a speaker that the start model did not know, see
docs/train-your-own.md.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.config import DataSet, EarlyStop, Head, Optimiser, Recipe, Stage, Start
from training.datasets.channel_matching import SMALLEST_SHARE, shared_channels
from training.datasets.official import OfficialDataSet, is_official
from training.starting import StartingPoint

_BATCH = 4
_PCA_FROM = 3000
"""Coordinates from which on a mesh is predicted through a PCA."""
_COMPONENTS = 64


@dataclass(frozen=True)
class Plan:
    """How long and how strongly a model is trained.

    Attributes:
        steps: about so many.
        learning_rate: highest.
        augmented_passes: over the clips beside the one pass as they are.
    """

    steps: int
    learning_rate: float
    augmented_passes: int


FINE_TUNING = Plan(steps=200, learning_rate=3e-4, augmented_passes=3)
TRANSFER = Plan(steps=600, learning_rate=1e-3, augmented_passes=3)
ONE_SHOT = Plan(steps=60, learning_rate=1e-4, augmented_passes=7)


@dataclass(frozen=True)
class OwnData:
    """A converted folder.

    Attributes:
        folder: of it.
        data: what it holds.
        seconds: of its training clips.
    """

    folder: Path
    data: OfficialDataSet
    seconds: float

    @property
    def annotation(self) -> Annotation:
        return self.data.annotation


def open_own_data(folder: Path) -> OwnData:
    """Looks at a folder that ``unitalker train data convert`` wrote.

    Raises:
        UniTalkerError: it is not one, or has no clip to train on.
    """
    if not folder.is_dir():
        raise UniTalkerError("data.not_found", f"There is no folder {folder}.", "Check its name.")
    if not is_official(folder):
        raise UniTalkerError(
            "data.layout",
            f"{folder} has no train.json, so it is not a converted folder.",
            f"Recordings are converted first: unitalker train data convert {folder} data/{folder.resolve().name}",
        )
    data = OfficialDataSet(folder)
    if not data.clip_names("train"):
        raise UniTalkerError(
            "data.empty", f"train.json of {folder} names no clip that is there.", "Convert the recordings again."
        )
    seconds = len(data.frames("train")) / data.annotation.fps
    return OwnData(folder, data, seconds)


def finetuning_recipe(own: OwnData, point: StartingPoint, start: Start, name: str, plan: Plan = FINE_TUNING) -> Recipe:
    """For a head that the start model has.

    Raises:
        UniTalkerError: it has none that these data could train.
    """
    head = trained_head(own, point)
    known = point.spec.head(head)
    settings = Head(title=known.annotation.title, components=known.components, layers=known.layers)
    matched = None if point.annotations[head] == _titled(own.annotation, known.annotation) else head
    return _recipe(own, point, start, name, plan, (head, settings, matched))


def transfer_recipe(own: OwnData, point: StartingPoint, start: Start, name: str, plan: Plan = TRANSFER) -> Recipe:
    """For an annotation type that the start model does not have.

    Raises:
        UniTalkerError: it has it.
    """
    annotation = own.annotation
    if annotation.type_name in point.annotations:
        raise UniTalkerError(
            "transfer.known",
            f"{point.name} has a head {annotation.type_name} already.",
            f"Train it further: unitalker train finetune {own.folder}",
        )
    components = _COMPONENTS if annotation.kind == "vertices" and annotation.dim >= _PCA_FROM else None
    title = annotation.title or annotation.type_name
    return _recipe(
        own, point, start, name, plan, (annotation.type_name, Head(title=title, components=components), None)
    )


def trained_head(own: OwnData, point: StartingPoint) -> str:
    """The head of the start model that data can train: that of their type, else the one that shares most channels.

    Raises:
        UniTalkerError: none of the heads has enough channels in common with the data.
    """
    annotation = own.annotation
    if annotation.type_name in point.annotations:
        return annotation.type_name
    shares = {
        name: len(shared_channels(annotation, head)) / head.dim
        for name, head in point.annotations.items()
        if head.kind == annotation.kind == "blendshapes"
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    if best is None or shares[best] < SMALLEST_SHARE:
        heads = ", ".join(f"{name} ({round(100 * share)} %)" for name, share in shares.items())
        raise UniTalkerError(
            "finetune.head",
            f"No head of {point.name} has enough channels in common with {own.folder} ({annotation.type_name}, "
            f"{annotation.dim} numbers per frame)" + (f"; by name: {heads}." if heads else "."),
            f"Give these data a head of their own: unitalker train transfer {own.folder}",
        )
    return best


def model_name(start: str, folder: Path) -> str:
    """A name for the new model, of characters that names may have: that of the start model and of the folder."""
    own = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")
    return f"{start}-{own or 'own'}"


def _recipe(
    own: OwnData, point: StartingPoint, start: Start, name: str, plan: Plan, head: tuple[str, Head, str | None]
) -> Recipe:
    """What fine-tuning and transfer have in common.

    Args:
        own: the recordings.
        point: the start.
        start: what is kept of it.
        name: of the model.
        plan: how long and how strongly.
        head: its annotation type and section, and the head's name where channels are matched by name.
    """
    type_name, settings, matched = head
    people = ", ".join(own.data.identities)
    minutes = own.seconds / 60
    # Sounds are joined and coloured as for the start model, which therefore meets nothing unusual.
    kept = {} if point.recipe is None else dict(point.recipe)
    inherited = {key: kept[key] for key in ("joining", "augmentation", "silence", "loss") if key in kept}
    return Recipe(
        name=name,
        title=f"{point.name} for {people if len(people) < 40 else own.folder.resolve().name}",
        licence=f"{point.licence or 'unknown'} (of {point.name}) and that of the recordings",
        limits=(f"Trained on {minutes:.1f} minutes of {people}; how it does for other voices was not measured.",),
        data=(
            DataSet(
                name=own.folder.resolve().name,
                folder=own.folder.resolve().name,
                neutral=_neutral(own),
                head=matched,
                clean_passes=1,
                augmented_passes=plan.augmented_passes,
                credit="own recordings",
            ),
        ),
        start=start,
        decoder=point.spec.decoder,
        heads={type_name: settings},
        warm_up=_stage(own, plan, 29.0 if inherited.get("joining", True) else None),
        **inherited,
    )


def _stage(own: OwnData, plan: Plan, joined_to: float | None) -> Stage:
    longest = joined_to or own.seconds / len(own.data.clip_names("train"))
    sequences = math.ceil(own.seconds / (0.67 * longest)) * (1 + plan.augmented_passes)
    epochs = max(1, round(plan.steps / math.ceil(sequences / _BATCH)))
    # Of few clips the model soon knows too much; those held out say after which epoch. It is trained to the end all the
    # same, since the best is often there, where the learning rate is low.
    judged = own.data.has_split("val") and own.data.clip_names("val")
    return Stage(
        epochs=epochs,
        batch=_BATCH,
        early_stop=EarlyStop(patience=epochs) if judged else None,
        optimiser=Optimiser(kind="adamw", learning_rate=plan.learning_rate, schedule="one_cycle", clip_norm=1.0),
    )


def _neutral(own: OwnData) -> Literal["none", "annotation", "quiet"]:
    """Where a speaker's resting face is known from."""
    if own.annotation.kind != "blendshapes":
        return "none"
    return "annotation" if set(own.data.identities) <= set(own.data.neutral) else "quiet"


def _titled(annotation: Annotation, like: Annotation) -> Annotation:
    """The same with another's title and source scale, which say nothing of its channels."""
    return annotation.model_copy(update={"title": like.title, "scale": like.scale})
