"""The frequency adaptor before the encoder's transformer, after it and after the decoder; clips as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.audio import read_audio
from backend.engines.torch_engine import TorchEngine
from backend.inference import AnimateOptions, animate
from training.batches import Loader
from training.config import Recipe
from training.datasets.corpus import Corpus
from training.evaluation import evaluate
from training.export import open_run
from training.places import Places
from training.runs import begin
from training.sequences import evaluation_sequences, training_sequences
from training.trainer import Trainer

from .watchers import Recorder, silent

CPU = torch.device("cpu")


def as_the_paper(recipe: Recipe, kind: str, position: int) -> Recipe:
    """Clips as they are, which are few: long enough that the losses fall whatever the order."""
    decoder = recipe.decoder.model_copy(update={"kind": kind, "interpolate_position": position})
    warm_up = recipe.warm_up.model_copy(update={"epochs": 8})
    return recipe.model_copy(update={"decoder": decoder, "joining": None, "warm_up": warm_up})


@pytest.mark.parametrize("kind", ["tcn", "transformer"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_position_trains_with_every_decoder_and_animates(
    kind: str, position: int, tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    recipe, recorder = as_the_paper(tiny_recipe, kind, position), Recorder()
    material = begin(recipe, tmp_path / "run", Places(tiny_data, tmp_path / "cache"), CPU, silent)
    Trainer(material, tmp_path / "run", CPU, recorder).fit()
    assert [report.stage for report in recorder.epochs] == ["warm_up"] * 8 + ["joint"]
    for head in ("tiny_weight", "tiny_vertices"):
        # Within the warm-up: the joint stage sees other, shorter crops.
        assert recorder.epochs[7].training[head] < recorder.epochs[0].training[head]
    motion = animate(
        TorchEngine(open_run(tmp_path / "run", CPU)[0]),
        read_audio(tiny_data / "weights/clips/w0.flac"),
        AnimateOptions(head="tiny_weight"),
    )
    assert motion.values.shape == (60, 7)
    assert {row.system for row in evaluate(tmp_path / "run", None, "val", None, None, True, CPU).rows} == {
        "own identity",
        "pivot",
        "linear head",
        "measured motion",
    }


def test_features_before_the_encoder_have_the_rate_of_their_head(
    tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    recipe = as_the_paper(tiny_recipe, "tcn", 0)
    material = begin(recipe, tmp_path / "run", Places(tiny_data, tmp_path / "cache"), CPU, silent)
    for entry in material.training.entries:
        assert entry.feature_rate == {"tiny_weight": 25, "tiny_vertices": 30}[entry.head]
        assert len(material.training.features(entry)) == entry.frames
    loader = Loader(material.training, material.spec.identities, 0.1, 1.5, from_audio=False)
    batch = loader.load(material.training.of_head("tiny_vertices")[:2], np.random.default_rng(0))
    assert batch.lengths == batch.frames == (45, 45)


def test_features_are_not_shared_between_positions_0_and_1(
    tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    places = Places(tiny_data, tmp_path / "cache")
    stores = [
        begin(as_the_paper(tiny_recipe, "tcn", position), tmp_path / str(position), places, CPU, silent).training
        for position in (0, 1, 2)
    ]
    files = [{entry.file for entry in store.entries} for store in stores]
    assert files[0].isdisjoint(files[1])
    assert files[1] == files[2]


def test_without_joining_every_clip_is_a_sequence_of_its_own(tiny_recipe: Recipe, tiny_data: Path) -> None:
    recipe = as_the_paper(tiny_recipe, "tcn", 1)
    corpus = Corpus(recipe, tiny_data)
    clips = {f"M: {clip.name}": clip for clip in corpus.clips("M", "train")}
    trained = [sequence for name in corpus.names for sequence in training_sequences(corpus, recipe, name)]
    for sequence in (*trained, *evaluation_sequences(corpus, recipe, "val")):
        if sequence.data_set == "M":
            np.testing.assert_array_equal(sequence.audio, clips[sequence.name].audio)
            np.testing.assert_array_equal(sequence.target, clips[sequence.name].motion)
    names = [sequence.name for sequence in trained]
    # Plain once, augmented once.
    assert sorted(names) == sorted([f"W: w{n}" for n in range(8)] * 2 + list(clips))


def test_passes_without_augmentation_are_stored_once(tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path) -> None:
    data = tuple(
        settings.model_copy(update={"clean_passes": 5, "augmented_passes": 0}) for settings in tiny_recipe.data
    )
    recipe = as_the_paper(tiny_recipe, "tcn", 1).model_copy(update={"data": data})
    store = begin(recipe, tmp_path / "run", Places(tiny_data, tmp_path / "cache"), CPU, silent).training
    assert len(store.entries) == 5 * (8 + 4)
    assert len(list(store.folder.glob("train-*/*.features.npy"))) == 8 + 4


def test_data_sets_that_runs_have_in_common_are_encoded_once(
    tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    places = Places(tiny_data, tmp_path / "cache")
    mesh_alone = as_the_paper(tiny_recipe, "tcn", 1).model_copy(
        update={
            "data": tiny_recipe.data[1:],
            "heads": {"tiny_vertices": tiny_recipe.heads["tiny_vertices"]},
            "seed": 7,
        }
    )
    both = begin(as_the_paper(tiny_recipe, "tcn", 1), tmp_path / "both", places, CPU, silent).training
    mesh = begin(mesh_alone, tmp_path / "mesh", places, CPU, silent).training
    assert {entry.file for entry in mesh.entries} < {entry.file for entry in both.entries}
