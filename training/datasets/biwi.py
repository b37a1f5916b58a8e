"""BIWI 3D Audiovisual Corpus of Affective Communication (Fanelli et al. 2010): 23,370 vertices at 25 fps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.official_release import released_annotations
from training.datasets.mesh_takes import (
    MeshSet,
    find_sounds,
    read_templates,
    split_by_sentence,
    takes_of_arrays,
    takes_of_meshes,
)
from training.datasets.source import Source

_TRAINED = ("F2", "F3", "F4", "M3", "M4", "M5")
"""The subjects of the paper's training set; it keeps the others to test on unseen faces."""
_SCALES = (0.2, 0.001, 1.0)
"""To metres: from the normalised space of the release, from millimetres, from metres."""
_HEAD_SIZES = (0.12, 0.7)
"""Metres; the longest side of a head scan, with or without neck."""


def is_biwi(folder: Path) -> bool:
    """Whether the folder has BIWI's parts."""
    delivered = (folder / "faces").is_dir() and (folder / "rigid_scans").is_dir()
    return delivered or any((folder / "vertices_npy").glob("[FM][0-9]_*.npy"))


def open_biwi(folder: Path) -> Source:
    """BIWI as delivered, or with its frames already joined.

    As delivered: ``faces/F2/e01/frame_001.vl`` (unpacked), ``rigid_scans/F2.obj``, and the sound of the videos as
    ``audio/F2_e01.wav``. Joined: ``vertices_npy/F2_e01.npy``, ``wav/F2_e01.wav`` and templates. Training, validation
    and test are sentences 1 to 32, 33 to 36 and 37 to 40 of six subjects.
    """
    found = takes_of_arrays(folder / "vertices_npy") or takes_of_meshes(folder / "faces", ".vl")
    takes = [take for take in found if take.identity in _TRAINED]
    others = sorted({take.identity for take in found} - set(_TRAINED))
    sounds = find_sounds(folder / "audio", folder / "wav")
    templates = read_templates(folder)
    return MeshSet(
        folder=folder,
        layout="BIWI",
        annotation=_annotation(folder, templates),
        takes=takes,
        sounds={key: path for key, path in sounds.items() if key.startswith(_TRAINED)},
        templates={name: template for name, template in templates.items() if name in _TRAINED},
        split=split_by_sentence,
        notes=(f"{', '.join(others)} are left out: the paper keeps them to test on unseen faces",) if others else (),
    ).source()


def _annotation(folder: Path, templates: Mapping[str, np.ndarray]) -> Annotation:
    """Scaled so that heads get the size of heads: copies of BIWI are in different units."""
    size = float(np.median([np.ptp(template.reshape(-1, 3), axis=0).max() for template in templates.values()]))
    for scale in _SCALES:
        if _HEAD_SIZES[0] <= scale * size <= _HEAD_SIZES[1]:
            return released_annotations()["BIWI_23370_vertices"].model_copy(update={"scale": scale})
    raise UniTalkerError(
        "data.unit",
        f"{folder}: the heads are {size:g} units long, which is neither metres, nor millimetres, nor the space of the "
        "release (5 units to the metre).",
        "Scale templates and frames to one of these.",
    )
