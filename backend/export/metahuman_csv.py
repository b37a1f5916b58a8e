"""MetaHuman's facial control curves as an Unreal curve table: one row per curve, one column per frame."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from backend.rig.conventions import arkit_names, load_convention
from backend.rig.solve import convention_channels

_CONVENTION = "metahuman"


def write_metahuman_csv(motion: FaceMotion, path: Path) -> None:
    """Write a curve table: the first row has the times in seconds, every other one a ``CTRL_expressions_`` curve.

    Each curve is the ARKit shape that means the same. ``mouthClose`` is held at ``jawOpen`` at most: on a MetaHuman it
    closes what the jaw has opened, and beyond that presses the lips through each other.

    Raises:
        UniTalkerError: ``output.unwritable``, also when the head has no ARKit channels.
    """
    check_metahuman(motion.annotation)
    curves = convention_channels(_with_closable_mouth(motion), load_convention(_CONVENTION))
    times = (f"{index / motion.fps:.6g}" for index in range(len(motion.values)))
    with atomic_write(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(("Name", *times))
        for name, values in curves.items():
            writer.writerow((name, *(f"{value:.6g}" for value in values)))


def check_metahuman(annotation: Annotation) -> None:
    """Whether a head has what the curves are made of; raises what `write_metahuman_csv` would raise."""
    names = {name.lower() for name in annotation.names}
    if annotation.kind != "blendshapes" or "jawopen" not in names or len(names & set(arkit_names())) < len(names) / 2:
        raise UniTalkerError(
            "output.unwritable",
            f"The head {annotation.type_name} has no ARKit channels, of which MetaHuman curves are made.",
            "Choose a head with ARKit blendshapes, or write .npz or .json.",
        )


def _with_closable_mouth(motion: FaceMotion) -> FaceMotion:
    column = {name.lower(): index for index, name in enumerate(motion.annotation.names)}
    if "mouthclose" not in column:
        return motion
    values = motion.values.copy()
    close, jaw = column["mouthclose"], column["jawopen"]
    values[:, close] = np.minimum(values[:, close], values[:, jaw])
    return replace(motion, values=values)
