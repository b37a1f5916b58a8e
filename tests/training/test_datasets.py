"""Data sets in the official layout: what is read, cut and refused."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend.errors import UniTalkerError
from training.config import RECIPES, Recipe, load_recipe
from training.datasets.corpus import Corpus
from training.datasets.official import OfficialDataSet

from .conftest import write_data_set

RATE = 16000


@pytest.fixture
def folder(tiny_data: Path, tmp_path: Path) -> Path:
    """A data set to damage."""
    return Path(shutil.copytree(tiny_data / "weights", tmp_path / "weights"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_real_recordings_have_the_length_of_their_sound(shared: Path) -> None:
    data = OfficialDataSet(shared / "bench/G1_grid_arkit")
    clips = list(data.clips("val"))
    assert len(clips) == 100
    assert data.annotation.names.index("jawOpen") >= 0
    for clip in clips:
        assert clip.motion.dtype == np.float32
        assert abs(len(clip.audio) / RATE - len(clip.motion) / clip.fps) < 1 / clip.fps


def test_the_bundled_recipe_puts_rest_at_zero_for_every_recorded_speaker(shared: Path) -> None:
    recipe = load_recipe(RECIPES / "unitalker-s.yaml")
    # The synthetic speech is made on the way; its rest is zero by construction.
    recipe = recipe.model_copy(update={"data": tuple(data for data in recipe.data if data.name != "S0")})
    corpus = Corpus(recipe, shared / "bench")
    assert len(corpus.identities) == 12
    assert corpus.identities[0] == "grid_s1"
    assert corpus.identities[-1] == "pivot"
    jaw = corpus.annotation_of("G3").names.index("jawOpen")
    for name in ("G1", "G3"):
        # GRID's speakers begin with a closed mouth, which MediaPipe scores up to 0.29.
        first = np.median([clip.motion[0, jaw] for clip in corpus.clips(name, "val")])
        assert abs(first) < 0.03


def test_sound_and_motion_are_cut_to_the_shorter(folder: Path) -> None:
    sound = folder / "clips/w0.flac"
    samples, _ = soundfile.read(sound)
    soundfile.write(sound, samples[: RATE * 2], RATE)
    clip = next(OfficialDataSet(folder).clips("train"))
    assert len(clip.audio) == RATE * 2
    assert len(clip.motion) == 2 * 25


def test_sound_and_motion_of_very_different_length_are_not_of_one_recording(folder: Path) -> None:
    """More than half a second apart: an error that names the clip, except where the released code is followed."""
    sound = folder / "clips/w0.flac"
    soundfile.write(sound, soundfile.read(sound)[0][: RATE * 3 // 2], RATE)
    with pytest.raises(UniTalkerError, match=r"w0\.npy has 1\.50 s of sound and 2\.40 s of motion"):
        next(OfficialDataSet(folder).clips("train"))
    assert len(next(OfficialDataSet(folder).clips("train", like_released_code=True)).audio) == RATE * 3 // 2


def test_clips_under_half_a_second_are_left_out(folder: Path) -> None:
    np.save(folder / "clips/w0.npy", np.load(folder / "clips/w0.npy")[:12])
    soundfile.write(folder / "clips/w0.flac", np.zeros(RATE * 3 // 4, np.float32), RATE)
    assert next(clip.name for clip in OfficialDataSet(folder).clips("train")) == "w1"


def test_sixty_frames_per_second_become_thirty(folder: Path) -> None:
    motion = np.load(folder / "clips/w0.npy")
    soundfile.write(folder / "clips/w0.flac", soundfile.read(folder / "clips/w0.flac")[0][:RATE], RATE)
    change(folder / "annotation.json", fps=60)
    listing = json.loads((folder / "train.json").read_text())
    change(folder / "train.json", data=[entry | {"fps": 60} for entry in listing["data"]])
    clip = next(OfficialDataSet(folder).clips("train"))
    assert clip.fps == 30
    np.testing.assert_array_equal(clip.motion, motion[::2])


def test_the_template_of_the_identity_is_subtracted(folder: Path) -> None:
    np.save(folder / "id_template.npy", np.stack([np.zeros(7), np.full(7, 0.25)]))
    clips = {clip.name: clip for clip in OfficialDataSet(folder).clips("train")}
    np.testing.assert_allclose(clips["w1"].motion, np.load(folder / "clips/w1.npy") - 0.25, atol=1e-7)


def test_scale_brings_motion_and_template_to_the_unit(folder: Path) -> None:
    change(folder / "annotation.json", scale=0.001)
    clip = next(OfficialDataSet(folder).clips("train"))
    np.testing.assert_allclose(clip.motion, 0.001 * np.load(folder / "clips/w0.npy"), rtol=1e-6)


def test_a_damaged_file_is_named(folder: Path) -> None:
    motion = np.load(folder / "clips/w0.npy")
    motion[3, 2] = np.nan
    np.save(folder / "clips/w0.npy", motion)
    with pytest.raises(UniTalkerError, match=r"w0\.npy contains NaN"):
        next(OfficialDataSet(folder).clips("train"))
    np.save(folder / "clips/w0.npy", motion[:, :5])
    with pytest.raises(UniTalkerError, match=r"w0\.npy has shape \(60, 5\)"):
        next(OfficialDataSet(folder).clips("train"))
    (folder / "clips/w0.npy").write_bytes(b"no array")
    with pytest.raises(UniTalkerError, match=r"w0\.npy"):
        next(OfficialDataSet(folder).clips("train"))


def test_a_clip_of_another_annotation_type_is_refused(folder: Path) -> None:
    listing = json.loads((folder / "train.json").read_text())
    change(folder / "train.json", data=[entry | {"annot_type": "other"} for entry in listing["data"]])
    with pytest.raises(UniTalkerError, match="type other"):
        next(OfficialDataSet(folder).clips("train"))


def test_a_split_with_another_list_of_people_is_matched_by_name(folder: Path) -> None:
    """The released code counts each list's own people, so that a shorter list would swap faces."""
    listing = json.loads((folder / "val.json").read_text())
    only_bob = [entry | {"id": 0} for entry in listing["data"] if entry["id"] == 1]
    (folder / "val.json").write_text(json.dumps({"info": {"id_list": ["bob"]}, "data": only_bob}))
    assert {clip.identity for clip in OfficialDataSet(folder).clips("val")} == {"bob"}
    (folder / "val.json").write_text(json.dumps({"info": {"id_list": ["eve"]}, "data": only_bob}))
    with pytest.raises(UniTalkerError, match=r"w1\.npy is of 'eve', whom train\.json does not list"):
        next(OfficialDataSet(folder).clips("val"))


def test_an_incomplete_set_is_used_as_far_as_it_goes(
    tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(tiny_data, tmp_path / "data")
    (tmp_path / "data/weights/clips/w0.npy").unlink()
    (tmp_path / "data/weights/clips/w2.flac").unlink()
    corpus = Corpus(tiny_recipe, tmp_path / "data")
    assert [clip.name for clip in corpus.clips("W", "train")] == ["w1", "w3", "w4", "w5", "w6", "w7"]
    assert "W: 2 files of train.json are missing, the first is clips/w0.npy" in caplog.text


def test_only_what_is_trained_on_is_read_from_a_long_clip(tmp_path: Path) -> None:
    """Twenty seconds out of an hour of 1,000 vertices: the file is mapped, not loaded."""
    annotation = {"annot_type": "mesh", "fps": 25, "kind": "vertices", "dim": 3000}
    write_data_set(tmp_path / "D", annotation, {"long": (0, np.zeros((25, 3000)))})
    np.lib.format.open_memmap(tmp_path / "D/clips/long.npy", "w+", np.float32, (25 * 3600, 3000)).flush()
    np.save(tmp_path / "D/sound.npy", np.zeros(30 * RATE, np.float16))
    listing = json.loads((tmp_path / "D/train.json").read_text())
    change(tmp_path / "D/train.json", data=[listing["data"][0] | {"audio_path": "sound.npy"}])
    data = OfficialDataSet(tmp_path / "D")
    tracemalloc.start()
    clip = next(data.clips("train", like_released_code=True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert clip.motion.shape == (500, 3000)
    assert peak < 5 * clip.motion.nbytes


def test_an_identity_that_does_not_exist_is_refused(folder: Path) -> None:
    listing = json.loads((folder / "train.json").read_text())
    change(folder / "train.json", data=[entry | {"id": 2} for entry in listing["data"]])
    with pytest.raises(UniTalkerError, match=r"identity 2"):
        next(OfficialDataSet(folder).clips("train"))


def test_a_folder_without_the_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"annotation\.json"):
        OfficialDataSet(tmp_path)


def test_heads_and_data_sets_must_match(tiny_recipe: Recipe, tiny_data: Path) -> None:
    only_weights = tiny_recipe.model_copy(update={"data": tiny_recipe.data[:1]})
    with pytest.raises(UniTalkerError, match="tiny_vertices"):
        Corpus(only_weights, tiny_data)


def test_people_of_several_data_sets_share_their_row(tiny_recipe: Recipe, tiny_data: Path) -> None:
    assert Corpus(tiny_recipe, tiny_data).identities == ("ann", "bob", "pivot")


def test_an_unknown_neutral_is_an_error(tiny_recipe: Recipe, tiny_data: Path) -> None:
    data = tiny_recipe.data[0].model_copy(update={"neutral": "annotation"})
    corpus = Corpus(tiny_recipe.model_copy(update={"data": (data, *tiny_recipe.data[1:])}), tiny_data)
    with pytest.raises(UniTalkerError, match="ann"):
        next(corpus.clips("W", "train"))
