"""Data sets that are written in the layout of the release and read again, as its own folders are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.official_release import DataSet, data_sets, identity_names, released_annotations
from backend.official_resources import find_pca, find_template
from training.datasets.clip import Clip, Split
from training.datasets.official import OfficialDataSet
from training.datasets.writer import OfficialWriter
from training.pca import PcaBasis, fit_pca

RATE = 16000
MESH = Annotation(type_name="mesh", kind="vertices", dim=36, fps=25, unit="m", scale=0.2)


def clips(annotation: Annotation, count: int) -> dict[str, Clip]:
    rng = np.random.default_rng(0)
    return {
        f"take{i}": Clip(
            name=f"take{i}",
            audio=rng.uniform(-0.5, 0.5, RATE).astype(np.float32),
            motion=rng.normal(0, 0.01, (round(annotation.fps), annotation.dim)).astype(np.float32),
            identity=("ann", "bob")[i % 2],
            annotation=annotation,
        )
        for i in range(count)
    }


def write(folder: Path, annotation: Annotation, made: dict[str, Clip], basis: PcaBasis | None = None) -> np.ndarray:
    """Two takes for training, one each to validate and test; returns the templates."""
    templates = np.random.default_rng(1).normal(0, 0.1, (2, annotation.dim)).astype(np.float32)
    writer = OfficialWriter(folder, annotation, {"ann": templates[0], "bob": templates[1]})
    splits: tuple[Split, ...] = ("train", "train", "val", "test")
    for clip, split in zip(made.values(), splits, strict=True):
        writer.add(clip, split)
    writer.finish(basis)
    return templates


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = clips(MESH, 4)
    templates = write(tmp_path / "D", MESH, made)
    data = OfficialDataSet(tmp_path / "D")
    assert data.annotation == MESH
    np.testing.assert_allclose(data.templates["bob"], templates[1], atol=1e-7)
    read = {clip.name: clip for split in ("train", "val", "test") for clip in data.clips(split)}  # type: ignore[arg-type]
    assert set(read) == set(made)
    for name, clip in made.items():
        assert read[name].identity == clip.identity
        np.testing.assert_allclose(read[name].motion, clip.motion, atol=1e-6)
        np.testing.assert_allclose(read[name].audio, clip.audio, atol=1 / 32768)


def test_files_hold_what_those_of_the_release_hold(tmp_path: Path) -> None:
    """As the official loader reads them: template and motion of one identity in one space, before the scale."""
    made = clips(MESH, 4)
    templates = write(tmp_path / "D", MESH, made)
    for split in ("train", "val", "test"):
        listing = json.loads((tmp_path / "D" / f"{split}.json").read_text())
        assert listing["info"]["id_list"] == ["ann", "bob"]
        for entry in listing["data"]:
            assert set(entry) == {"annot_path", "audio_path", "id", "annot_type", "dataset", "fps"}
            stored = np.load(tmp_path / "D" / entry["annot_path"], allow_pickle=False)
            clip = made[Path(entry["annot_path"]).stem]
            np.testing.assert_allclose(stored * 0.2, clip.motion + templates[entry["id"]], atol=1e-6)
    rows = np.load(tmp_path / "D" / "id_template.npy", allow_pickle=False)
    np.testing.assert_allclose(rows * 0.2, templates, atol=1e-7)


def test_the_import_of_checkpoints_reads_what_is_written(tmp_path: Path) -> None:
    """A folder named as one of the release serves as a data root, PCA and templates included."""
    annotation = released_annotations()["FLAME_5023_vertices"]
    made = clips(annotation, 4)
    basis = fit_pca([clip.motion for clip in made.values()], components=5, batch_size=30)
    writer = OfficialWriter(
        tmp_path / "D1_vocaset", annotation, {f"p{i}": np.full(annotation.dim, i, np.float32) for i in range(12)}
    )
    writer.add(next(iter(made.values())), "train")
    writer.finish(basis)
    buffers = find_pca(tmp_path, annotation)
    assert buffers is not None
    np.testing.assert_array_equal(buffers["feat_to_data"], basis.components)
    template = find_template(tmp_path, annotation)
    assert template is not None
    # The official demo shows row 3 of this data set.
    np.testing.assert_array_equal(template.values, np.full(annotation.dim, 3, np.float32))


def test_a_folder_of_the_release_needs_no_annotation_file(tmp_path: Path) -> None:
    """The released folders say only the name of their annotation type; the rest is known."""
    released = released_annotations()["inhouse_blendshape_weight"]
    stored = released.model_copy(update={"fps": 60.0})
    made = clips(stored, 4)
    write(tmp_path / "D6", stored, made)
    (tmp_path / "D6" / "annotation.json").unlink()
    data = OfficialDataSet(tmp_path / "D6")
    assert data.annotation == released
    clip = next(data.clips("train"))
    np.testing.assert_allclose(clip.motion, made[clip.name].motion[::2], atol=1e-6)


@pytest.mark.parametrize("released", data_sets(), ids=lambda data: data.name)
def test_each_folder_of_the_release_is_known(released: DataSet, tmp_path: Path) -> None:
    """Scale, frame rate, numbering of people as in a released checkpoint, and passes per epoch (10, 5, 4, 1, ...)."""
    annotation = released_annotations()[released.head]
    stored = annotation.model_copy(update={"fps": 60.0 if released.name in ("D1", "D6", "D7") else annotation.fps})
    names = [f"person {number}" for number in range(released.identities)]
    template = np.zeros(stored.dim, np.float32)
    writer = OfficialWriter(tmp_path / "D", stored, dict.fromkeys(names, template), name=released.name)
    clip = clips(stored, 1)["take0"]
    writer.add(replace(clip, identity=names[-1]), "train")
    writer.finish()
    (tmp_path / "D/annotation.json").unlink()
    data = OfficialDataSet(tmp_path / "D")
    assert data.annotation == annotation
    assert data.duplication == {"D0": 10, "D1": 5, "D2": 4}.get(released.name, 1)
    rows, _ = identity_names(934)
    assert data.identities == tuple(name for name in rows if name.startswith(f"{released.name}/"))
    (read,) = data.clips("train")
    assert read.identity == data.identities[-1]
    np.testing.assert_allclose(read.motion, clip.motion[:: round(stored.fps / annotation.fps)], atol=1e-6)


def test_a_clip_at_another_rate_than_its_set_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "D", MESH, clips(MESH, 4))
    listing = json.loads((tmp_path / "D/train.json").read_text())
    listing["data"][0]["fps"] = 30
    (tmp_path / "D/train.json").write_text(json.dumps(listing))
    with pytest.raises(UniTalkerError, match=r"has 30 frames per second.*the 25 of annotation\.json"):
        next(OfficialDataSet(tmp_path / "D").clips("train"))


def test_unknown_annotation_type_without_description_lists_the_known(tmp_path: Path) -> None:
    write(tmp_path / "D", MESH, clips(MESH, 4))
    (tmp_path / "D" / "annotation.json").unlink()
    with pytest.raises(UniTalkerError, match=r"annotation\.json is missing.*BIWI_23370_vertices"):
        OfficialDataSet(tmp_path / "D")


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x", "utf-8")
    with pytest.raises(UniTalkerError, match="not empty"):
        OfficialWriter(tmp_path, MESH)
