"""Released checkpoints from the command line: from the file to motion, and everything bad said before."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.audio import read_audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.inference import AnimateOptions, animate
from tests.official_weights import save_checkpoint

State = dict[str, torch.Tensor]
Call = Callable[..., tuple[int, str, str]]

HEAD = "3DETF_blendshape_weight"
WEIGHT = f"out_head_dict.{HEAD}.weight"


@pytest.fixture
def call(call_with: Call, tmp_path: Path) -> Call:
    """`unitalker …` in this process, with models in ``tmp_path / "models"``: exit code, stdout, stderr."""
    return functools.partial(call_with, tmp_path / "models")


def complaint(result: tuple[int, str, str]) -> str:
    """What was said, once and without a traceback."""
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("error:") == 1
    assert "Traceback" not in err
    return err


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    """What a released file holds, in names, shapes and size."""
    path = tmp_path_factory.mktemp("checkpoint") / "b.pt"
    save_checkpoint("B", path)
    loaded: State = torch.load(path, weights_only=True)
    path.unlink()
    return loaded


def test_from_the_released_file_to_motion(call: Call, state: State, murmur: Path, tmp_path: Path) -> None:
    """All a user does with UniTalker-B, at its full size; the values are those of the network, limited to weights."""
    checkpoint = tmp_path / "UniTalker-B-D0-D7.pt"
    torch.save(state, checkpoint)
    code, out, err = call("models", "import", checkpoint, "--name", "official-b")
    checkpoint.unlink()
    assert code == 0
    assert "WavLM-base-plus" in out
    assert "BIWI_23370_vertices is left out" in err
    output = tmp_path / "out.npz"
    code, out, err = call("animate", murmur, "-o", output, "--model", "official-b", "--head", HEAD)
    assert (code, err) == (0, "")
    assert "identity pivot" in out
    with np.load(output, allow_pickle=False) as data:
        values, names = data["values"], data["names"]
    assert values.shape == (60, 52)
    assert "jawOpen" in names
    assert values.std() > 0.01
    expected = animate(
        TorchEngine(load_bundle(tmp_path / "models" / "official-b")), read_audio(murmur), AnimateOptions(head=HEAD)
    )
    np.testing.assert_allclose(values, expected.values, atol=1e-6)
    said = complaint(call("animate", murmur, "-o", output, "--model", "official-b", "--identity", "D8/0"))
    assert "D0/0 to D0/5" in said
    assert "D5/0 to D5/718" in said
    assert len(said) < 500
    said = complaint(call("animate", murmur, "-o", output, "--model", "official-b", "--head", "24_viseme"))
    assert "3DETF_blendshape_weight, flame_params_from_dadhead, inhouse_blendshape_weight" in said


def truncated(state: State, path: Path) -> None:
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_another_model(state: State, path: Path) -> None:
    torch.save({"encoder.layers.0.weight": torch.zeros(4, 4)}, path)


class Intruder:
    """Something that would run code if it were unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path("intruded").touch, ())


def with_an_object(state: State, path: Path) -> None:
    torch.save(state | {"trainer": Intruder()}, path)


def of_wrong_shape(state: State, path: Path) -> None:
    torch.save(state | {WEIGHT: torch.zeros(50, 256)}, path)


def with_nan(state: State, path: Path) -> None:
    torch.save(state | {WEIGHT: torch.full((52, 256), torch.nan)}, path)


def of_unknown_heads(state: State, path: Path) -> None:
    others = {name: tensor for name, tensor in state.items() if not name.startswith("out_head_dict.")}
    torch.save(others | {"out_head_dict.mystery.weight": torch.zeros(9, 256)}, path)


DAMAGES = {
    truncated: ("damaged",),
    of_another_model: ("decoder.audio_feature_map.weight is missing", "expected shape (256, 768) for B"),
    with_an_object: ("an object of the Python type", "expected tensors only"),
    of_wrong_shape: (WEIGHT, "50", "expected 52"),
    with_nan: (WEIGHT, "not finite", "expected finite numbers"),
    of_unknown_heads: ("mystery", HEAD, "meshtalk_6172_vertices"),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_checkpoint_is_refused_and_nothing_written(
    damage: Callable[..., None], state: State, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    damage(state, tmp_path / "b.pt")
    said = complaint(call("models", "import", tmp_path / "b.pt", "--name", "official-b"))
    for words in ("b.pt", *DAMAGES[damage]):
        assert words in said
    assert [path.name for path in tmp_path.iterdir() if path.name != "models"] == ["b.pt"]
    assert not list(tmp_path.glob("models/*"))
    (tmp_path / "b.pt").unlink()


def test_pca_of_another_topology_is_refused(state: State, call: Call, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "b.pt")
    folder = tmp_path / "data" / "D1_vocaset"
    folder.mkdir(parents=True)
    arrays = {"components_to_data": np.zeros((512, 18516), np.float32), "original_data_mean": np.zeros(18516)}
    arrays |= {f"data_components_{name}": np.zeros(512) for name in ("mean", "std")}
    np.savez(folder / "pca.npz", **arrays)
    said = complaint(call("models", "import", tmp_path / "b.pt", "--pca-root", tmp_path / "data"))
    assert "pca.npz: components_to_data has shape (512, 18516); FLAME_5023_vertices needs (512, 15069)" in said
    assert "gone" in complaint(call("models", "import", tmp_path / "b.pt", "--pca-root", tmp_path / "gone"))
    assert not list(tmp_path.glob("models/*"))
    (tmp_path / "b.pt").unlink()


@pytest.mark.parametrize("name", ["../other", "my model", "-b", ""])
def test_names_that_are_none(name: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "b.pt").touch()
    assert "cannot be the name" in complaint(call("models", "import", tmp_path / "b.pt", f"--name={name}"))
