"""Results in the form of the official demo, and what is said where they cannot be made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from backend.bundle import Bundle
from backend.bundle_manifest import Manifest
from backend.errors import UniTalkerError
from backend.model.spec import PIVOT, DecoderSpec, EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from backend.official_release import released_annotations
from training.official_results import find_sounds, official_results, read_geometries, write_results

RATE = 16000
HEAD = "3DETF_blendshape_weight"
ENCODER = {
    "d_model": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "max_source_positions": 1500,
}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A model at rest: its one head says 2 for every weight, more than a weight can be."""
    spec = ModelSpec(
        encoder=EncoderSpec(kind="whisper", config=ENCODER),
        decoder=DecoderSpec(width=8, identity_width=4),
        heads=(HeadSpec(annotation=released_annotations()[HEAD]),),
        identities=(PIVOT,),
    )
    model = UniTalker(spec).eval()
    with torch.no_grad():
        model.out_head_dict[HEAD].bias.fill_(2)  # type: ignore[union-attr, operator]
    manifest = Manifest(name="still", version="1", title="", licence="", spec=spec, default_head=HEAD)
    return Bundle(tmp_path, manifest, model, torch.device("cpu"))


@pytest.fixture
def resources(tmp_path: Path) -> Path:
    """A basis in which weight i lifts vertex i."""
    folder = tmp_path / "binary_resources"
    folder.mkdir()
    blendshapes = np.zeros((52, 52, 3), np.float32)
    blendshapes[np.arange(52), np.arange(52), 2] = 1
    np.savez(folder / "EmoTalk.npz", meanshape=np.ones((52, 3), np.float32), blendshape=blendshapes)
    return folder


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.wav", "sub/a.wav"):
        soundfile.write(folder / name, np.zeros(RATE), RATE)
    (folder / "notes.txt").touch()
    return folder


def test_every_sound_and_data_set_becomes_an_array(
    bundle: Bundle, resources: Path, sounds: Path, tmp_path: Path
) -> None:
    geometries, missing = read_geometries(resources)
    assert any("inhouse_arkit.npz" in note for note in missing)
    templates = {"D4": np.full(52, 0.5, np.float32)}
    path = tmp_path / "results.npz"
    write_results(official_results(bundle, find_sounds(sounds), geometries, templates), path)
    with np.load(path, allow_pickle=False) as archive:
        found = dict(archive)
    assert list(found) == ["b.wav/D3", "b.wav/D4", "sub/a.wav/D3", "sub/a.wav/D4"]
    assert {vertices.shape for vertices in found.values()} == {(30, 52, 3)}
    # The mean shape's 1, and a weight of 2 that nothing limits; D4 has a resting face of its own.
    np.testing.assert_allclose(found["b.wav/D3"][..., 2], 3)
    np.testing.assert_allclose(found["b.wav/D4"][..., 2], 3.5)
    np.testing.assert_allclose(found["b.wav/D3"][..., :2], 1)


def test_a_sound_that_fails_leaves_no_file(bundle: Bundle, resources: Path, sounds: Path, tmp_path: Path) -> None:
    (sounds / "c.wav").write_text("Dear reader,")
    results = official_results(bundle, find_sounds(sounds), read_geometries(resources)[0], {})
    with pytest.raises(UniTalkerError, match=r"c\.wav"):
        write_results(results, tmp_path / "results.npz")
    assert {path.name for path in tmp_path.iterdir()} == {"sounds", "binary_resources"}


def test_nothing_to_show_and_nothing_to_hear(bundle: Bundle, sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match="no head that can be shown"):
        next(official_results(bundle, find_sounds(sounds), read_geometries(None)[0], {}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UniTalkerError, match=r"no \.wav or \.mp3"):
        find_sounds(tmp_path / "empty")


def test_vertex_numbers_that_are_none(resources: Path) -> None:
    (resources / "flame.npz").touch()
    np.save(resources / "flame_humanface_index.npy", np.zeros(3, np.float32))
    with pytest.raises(UniTalkerError, match=r"flame_humanface_index\.npy holds float32"):
        read_geometries(resources)
