"""Results in the form of the official demo: the vertices of every sound and data set in one ``.npz``.

The official demo stores, for each sound, a pickled dictionary of torch tensors by data set. Here each of these tensors
is an array of its own under ``<sound>/<data set>``, so that reading one runs no code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch

from backend.audio import read_audio
from backend.bundle import Bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from backend.inference import AnimateOptions, predict
from backend.official_release import data_sets, released_annotations
from backend.official_resources import template_of
from training.flame import FlameGeometry
from training.geometry import BlendshapeBasis, FlatVertices, Geometry
from training.head_geometry import read_vertex_numbers

SOUNDS = (".wav", ".mp3")
FLAME_FILE, FACE_FILE = "flame.npz", "flame_humanface_index.npy"
BASIS_FILES = {"3DETF_blendshape_weight": "EmoTalk.npz", "inhouse_blendshape_weight": "inhouse_arkit.npz"}
FLAME_HEAD = "flame_params_from_dadhead"

FRAMES_AT_ONCE = 512


class FaceOfFlame(Geometry):
    """FLAME parameters to the vertices of the face, which is what the official demo stores of them."""

    face: torch.Tensor

    def __init__(self, flame: FlameGeometry, face: np.ndarray) -> None:
        super().__init__()
        self.flame = flame
        self.register_buffer("face", torch.from_numpy(face), persistent=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        vertices: torch.Tensor = self.flame(values)[..., self.face, :]
        return vertices


def read_geometries(resources: Path | None) -> tuple[dict[str, Geometry], list[str]]:
    """How each head's numbers become vertices, and in words for which heads a file is missing.

    Args:
        resources: the release's folder ``binary_resources``, with the FLAME model as ``flame.npz``.

    Raises:
        UniTalkerError: a file is not what its name says.
    """
    geometries: dict[str, Geometry] = {
        name: FlatVertices() for name, annotation in released_annotations().items() if annotation.kind == "vertices"
    }
    missing = []
    for head, file in BASIS_FILES.items():
        if resources and (resources / file).is_file():
            geometries[head] = BlendshapeBasis.load(resources / file)
        else:
            missing.append(f"{head} is left out for want of {file} in --resources.")
    if resources and (resources / FLAME_FILE).is_file() and (resources / FACE_FILE).is_file():
        face = read_vertex_numbers(resources / FACE_FILE)
        geometries[FLAME_HEAD] = FaceOfFlame(FlameGeometry.load(resources / FLAME_FILE), face)
    else:
        missing.append(f"{FLAME_HEAD} is left out for want of {FLAME_FILE} and {FACE_FILE} in --resources.")
    return geometries, missing


def official_results(
    bundle: Bundle,
    sounds: Iterable[tuple[str, Path]],
    geometries: Mapping[str, Geometry],
    templates: Mapping[str, np.ndarray],
    identity: str | None = None,
) -> Iterator[tuple[str, np.ndarray]]:
    """``<sound>/<data set>`` with vertices float32 (T, V, 3) in the scaled space of the release.

    Weights are not limited to 0 to 1, as in the official demo.

    Args:
        bundle: an imported checkpoint.
        sounds: name and file.
        geometries: by head; data sets of other heads are left out.
        templates: (D,) by data set, whose templates differ also where they share a head; else the head's own.
        identity: for all; the model's default, the pivot, if left out.

    Raises:
        UniTalkerError: no head of the model can be shown as vertices; a sound cannot be read.
    """
    heads = {head.annotation.type_name for head in bundle.manifest.spec.heads} & set(geometries)
    chosen = [data_set for data_set in data_sets() if data_set.head in heads]
    if not chosen:
        raise UniTalkerError(
            "results.no_head",
            f"{bundle.manifest.name} has no head that can be shown as vertices.",
            "Give the folder of the release with the blendshape bases.",
        )
    engine = TorchEngine(bundle)
    for name, path in sounds:
        audio = read_audio(path)
        for data_set in chosen:
            options = AnimateOptions(head=data_set.head, identity=identity)
            motion = predict(engine, audio, options, rest=templates.get(data_set.name))
            yield f"{name}/{data_set.name}", _vertices(geometries[data_set.head], motion.values)


def find_sounds(path: Path) -> list[tuple[str, Path]]:
    """Names and files of a folder, those below it included, in the order of the official demo; or the one file.

    Raises:
        UniTalkerError: there is none.
    """
    if path.is_file():
        return [(path.name, path)]
    found = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.suffix in SOUNDS)
    if not found:
        raise UniTalkerError("results.no_sound", f"{path} holds no .wav or .mp3 file.", "Name another folder.")
    return found


def find_templates(root: Path | None) -> dict[str, np.ndarray]:
    """By data set, of those that have one below the data root."""
    found = {data_set.name: template_of(root, data_set) for data_set in data_sets()} if root else {}
    return {name: values for name, values in found.items() if values is not None}


def _vertices(geometry: Geometry, values: np.ndarray) -> np.ndarray:
    # Their intermediates are many times as large as the vertices.
    starts = range(0, len(values), FRAMES_AT_ONCE)
    with torch.inference_mode():
        parts = [geometry(torch.from_numpy(values[start : start + FRAMES_AT_ONCE])).numpy() for start in starts]
    return np.concatenate(parts)


def write_results(results: Iterable[tuple[str, np.ndarray]], path: Path) -> list[str]:
    """Write an ``.npz`` array by array, so that memory holds one; returns the names.

    Raises:
        UniTalkerError: ``output.unwritable``; nothing is left behind then.
    """
    names = []
    with atomic_write(path) as file, ZipFile(file, "w", ZIP_STORED) as archive:
        for name, vertices in results:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, vertices, allow_pickle=False)
            names.append(name)
    return names
