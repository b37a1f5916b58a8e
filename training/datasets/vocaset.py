"""VOCASET (Cudeiro et al. 2019): 12 subjects, 5,023 FLAME vertices in metres at 60 fps."""

from __future__ import annotations

from pathlib import Path

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

_FPS = 60.0
_MESHES = "unposedcleaneddata"
_PICKLED = ("raw_audio_fixed.pkl", "subj_seq_to_idx.pkl")


def is_vocaset(folder: Path) -> bool:
    """Whether the folder has VOCASET's parts."""
    arrays = any((folder / "vertices_npy").glob("FaceTalk_*_sentence*.npy"))
    return arrays or (folder / _MESHES).is_dir() or any((folder / name).exists() for name in _PICKLED)


def open_vocaset(folder: Path) -> Source:
    """VOCASET as meshes, or with its frames already joined.

    Meshes: ``unposedcleaneddata/SUBJECT/sentence01/*.ply``, ``audio/SUBJECT/sentence01.wav`` and
    ``templates/SUBJECT.ply``. Joined: ``vertices_npy/SUBJECT_sentence01.npy``, ``wav/SUBJECT_sentence01.wav`` and
    templates. Of each subject sentences 1 to 32 are for training, 33 to 36 to validate and 37 to 40 to test: numbers
    as in the paper, whose own choice was random.

    Raises:
        UniTalkerError: the folder holds the pickled training data, which is not read.
    """
    takes = takes_of_arrays(folder / "vertices_npy") or takes_of_meshes(folder / _MESHES, ".ply")
    if not takes:
        raise UniTalkerError(
            "data.pickled",
            f"{folder} has neither {_MESHES} nor vertices_npy. The training data of VOCA ({', '.join(_PICKLED)}) is "
            "not read, since a pickle can run any program.",
            f"Download the meshes ({_MESHES}), audio and templates of VOCASET and unpack them here.",
        )
    return MeshSet(
        folder=folder,
        layout="VOCASET",
        annotation=released_annotations()["FLAME_5023_vertices"].model_copy(update={"fps": _FPS}),
        takes=takes,
        sounds=find_sounds(folder / "audio", folder / "wav"),
        templates=read_templates(folder),
        split=split_by_sentence,
    ).source()
