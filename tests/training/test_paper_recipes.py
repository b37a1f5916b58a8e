"""Recipes of the paper, trained as they are but for their length, on small data in the layout of the release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from transformers import WavLMConfig, WavLMModel
from typer.testing import CliRunner

from backend.official_release import data_sets, released_annotations
from training.checkpoint import load_checkpoint
from training.cli import app
from training.trainer import CHECKPOINT

FRAMES = 24
SPLITS = {"train": 2, "val": 1, "test": 1}
COMPONENTS = {"BIWI_23370_vertices": 3, "FLAME_5023_vertices": 4, "meshtalk_6172_vertices": 5}
VERTICES = 6

runner = CliRunner()


def write_released(root: Path, name: str, rng: np.random.Generator) -> None:
    """A data set of the release with two people and a clip or two per split."""
    data_set = next(data for data in data_sets() if data.name == name)
    annotation = released_annotations()[data_set.head]
    folder, fps = root / data_set.folder, int(annotation.fps)
    folder.mkdir(parents=True)
    np.save(folder / "id_template.npy", rng.normal(0, 0.1, (2, annotation.dim)).astype(np.float32))
    for split, count in SPLITS.items():
        entries = []
        for number in range(count):
            clip = f"{split}{number}"
            np.save(folder / f"{clip}.npy", rng.normal(0, 0.1, (FRAMES, annotation.dim)).astype(np.float32))
            soundfile.write(folder / f"{clip}.wav", rng.normal(0, 0.1, round(FRAMES / fps * 16000)), 16000)
            entries.append(
                {
                    "annot_path": f"{clip}.npy",
                    "audio_path": f"{clip}.wav",
                    "id": number % 2,
                    "annot_type": data_set.head,
                    "dataset": name,
                    "fps": fps,
                }
            )
        content = {"info": {"id_list": [f"{name} ann", f"{name} bob"]}, "data": entries}
        (folder / f"{split}.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """D0 to D7 with the files of ``binary_resources`` that the loss needs."""
    root, rng = tmp_path_factory.mktemp("release"), np.random.default_rng(0)
    for data in data_sets():
        write_released(root, data.name, rng)
    resources = root / "binary_resources"
    resources.mkdir()
    for file, weights in (("EmoTalk", 52), ("inhouse_arkit", 51)):
        basis = rng.normal(0, 0.01, (weights, 3 * VERTICES))
        np.savez(resources / file, meanshape=rng.normal(0, 0.1, 3 * VERTICES), blendshape=basis)
    np.save(resources / "flame_humanface_index.npy", np.array([0, 2, 5]))
    regressor, skin = rng.random((5, VERTICES)), rng.random((VERTICES, 5))
    np.savez(
        resources / "flame.npz",
        v_template=rng.normal(0, 0.1, (VERTICES, 3)),
        shapedirs=rng.normal(0, 0.01, (VERTICES, 3, 400)),
        posedirs=rng.normal(0, 0.01, (VERTICES, 3, 36)),
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        kintree_table=np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        weights=skin / skin.sum(1, keepdims=True),
    )
    return root


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=[8] * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    folder = tmp_path_factory.mktemp("wavlm")
    WavLMModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def train(release: Path, wavlm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a recipe for one epoch of each of its stages; gives the checkpoint."""
    monkeypatch.chdir(tmp_path)
    changes = {f"heads.{head}.components": count for head, count in COMPONENTS.items()} | {"decoder.width": 16}

    def run(recipe: str, *options: str, **more: Any) -> Any:
        settings = {**changes, **{name.replace("__", "."): value for name, value in more.items()}}
        command = ["run", recipe, "--data-root", str(release), "--encoder", str(wavlm), "--device", "cpu"]
        command += [f"--set={place}={json.dumps(value)}" for place, value in settings.items()]
        result = runner.invoke(app, [*command, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        name = "-".join([recipe, *options[1::2]])
        return load_checkpoint(tmp_path / "runs" / name / CHECKPOINT)

    return run


def test_the_joint_model_of_all_eight_sets(train: Any) -> None:
    checkpoint = train("paper-b", joint__epochs=1, data={"D0": {"clean_passes": 1}, "D1": {"clean_passes": 1}})
    assert checkpoint.position.done
    assert len(checkpoint.spec.heads) == 6
    assert len(checkpoint.spec.identities) == 8 * 2 + 1
    # The last ten of FLAME's parameters move no vertex, so that nothing is learned of them.
    flame = checkpoint.model["out_head_dict.flame_params_from_dadhead.weight"]
    assert flame[:403].abs().sum() > 0
    assert flame[403:].abs().sum() == 0


@pytest.mark.parametrize("recipe", ["table7-transformer", "table9-position-0"])
def test_a_variant_on_a_single_set(recipe: str, train: Any) -> None:
    checkpoint = train(recipe, "--only", "D6", joint__epochs=1)
    assert checkpoint.position.done
    assert [head.annotation.type_name for head in checkpoint.spec.heads] == ["inhouse_blendshape_weight"]


def test_transfer_begins_from_the_joint_encoder(train: Any) -> None:
    base = train("figure4-base", "--only", "D6", joint__epochs=1)
    # figure4-base has no other name in this test than that of its one data set.
    changes = {"start__model": "runs/figure4-base-D6", "data__D0__clips": 1, "data__D0__clean_passes": 1}
    transferred = train("figure4-transfer", joint__epochs=0, **changes)
    assert [head.annotation.type_name for head in transferred.spec.heads] == ["BIWI_23370_vertices"]
    for name, weights in base.model.items():
        if name.startswith("audio_encoder."):
            torch.testing.assert_close(transferred.model[name], weights, rtol=0, atol=0)
