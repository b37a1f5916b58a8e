"""Model folders: what goes in comes out, and what is damaged is refused with the place of the damage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.bundle import Bundle, load_bundle, save_bundle
from backend.bundle_manifest import find_bundle, list_bundles, read_manifest
from backend.errors import UniTalkerError

ROOT = Path(__file__).resolve().parents[2]
HEAD = "out_head_dict.weights.weight"

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "models 测试 ü" / "tiny"))


@pytest.fixture
def bundle(tiny_model: Path) -> Bundle:
    return load_bundle(tiny_model)


def refused(folder: Path) -> UniTalkerError:
    with pytest.raises(UniTalkerError) as caught:
        load_bundle(folder)
    assert caught.value.code.startswith("model.")
    assert caught.value.hint
    return caught.value


def output(bundle: Bundle, head: str) -> torch.Tensor:
    sound = torch.sin(torch.arange(16000) / 20.0)[None]
    with torch.no_grad():
        values: torch.Tensor = bundle.model(sound, head, 25).values
    return values


@pytest.mark.parametrize(("stored", "tolerance"), [("float32", 0.0), ("float16", 5e-3)])
@pytest.mark.parametrize("head", ["weights", "mesh"])
def test_what_is_saved_moves_as_before(
    bundle: Bundle, head: str, stored: Any, tolerance: float, tmp_path: Path
) -> None:
    save_bundle(bundle.model, bundle.manifest, tmp_path / "tiny", "A card.", stored)
    again = load_bundle(tmp_path / "tiny")
    assert again.manifest == bundle.manifest
    assert {parameter.dtype for parameter in again.model.parameters()} == {torch.float32}
    assert not again.model.training
    torch.testing.assert_close(output(again, head), output(bundle, head), rtol=0, atol=tolerance)
    assert (tmp_path / "tiny" / "MODEL_CARD.md").read_text() == "A card."


def test_saving_replaces_a_model_and_leaves_nothing_else(bundle: Bundle, folder: Path) -> None:
    (folder / "stale.txt").touch()
    save_bundle(bundle.model, bundle.manifest, folder, "New.")
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD.md", "model.json", "model.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_values_that_half_precision_cannot_hold_are_not_saved(bundle: Bundle, tmp_path: Path) -> None:
    model = load_bundle(bundle.folder).model
    with torch.no_grad():
        model.out_head_dict["weights"].bias[0] = 1e6
    with pytest.raises(UniTalkerError, match=r"out_head_dict\.weights\.bias.*float16 cannot hold"):
        save_bundle(model, bundle.manifest, tmp_path / "tiny", "A card.", "float16")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UniTalkerError) as caught:
        save_bundle(bundle.model, bundle.manifest, tmp_path / "file" / "tiny", "A card.")
    assert caught.value.code == "output.unwritable"


def test_unknown_heads_and_identities_list_what_exists(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert (manifest.head_name(None), manifest.identity_index(None), manifest.identity_index("two")) == (
        "weights",
        2,
        1,
    )
    with pytest.raises(UniTalkerError, match="weights, mesh"):
        manifest.head_name("flame")
    with pytest.raises(UniTalkerError, match="one, two, pivot"):
        manifest.identity_index("three")


def test_models_are_found_by_name_and_damaged_ones_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = folder.parent / "broken"
    broken.mkdir()
    (broken / "model.json").write_text("{")
    monkeypatch.setenv("UNITALKER_MODELS", os.pathsep.join([str(folder.parent / "absent"), str(folder.parent)]))
    entries, problems = list_bundles()
    assert "tiny" in [entry.manifest.name for entry in entries]
    assert len(problems) == 1
    assert str(broken) in problems[0]
    assert find_bundle("tiny").folder == folder
    with pytest.raises(UniTalkerError, match=r"no model 'tinny'.*tiny") as caught:
        find_bundle("tinny")
    assert caught.value.code == "model.not_found"


def test_models_are_listed_without_torch(folder: Path) -> None:
    program = "import sys, backend.bundle_manifest as b; print(len(b.list_bundles()[0]), 'torch' in sys.modules)"
    environment = os.environ | {"UNITALKER_MODELS": str(folder.parent), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    count, torch_there = done.stdout.split()
    assert int(count) >= 1
    assert torch_there == "False"


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]] = {
    "newer": (lambda m: m.update(schema_version=2), ("schema version 2", "knows 1")),
    "unknown key": (lambda m: m.update(colour="red"), ("colour",)),
    "no licence": (lambda m: m.pop("licence"), ("licence",)),
    "default head": (lambda m: m.update(default_head="flame"), ("flame", "weights, mesh")),
    "default identity": (lambda m: m.update(default_identity="eve"), ("eve",)),
    "name that is a path": (lambda m: m.update(name="../tiny"), ("name",)),
    "encoder": (lambda m: m["spec"]["encoder"].update(kind="sphinx"), ("spec.encoder.kind", "wavlm")),
}


@pytest.mark.parametrize("damage", MANIFESTS)
def test_damaged_manifests(damage: str, folder: Path) -> None:
    change, said = MANIFESTS[damage]
    path = folder / "model.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    error = refused(folder)
    assert str(path) in error.message
    for words in said:
        assert words in error.message


def test_newer_schema_asks_for_an_update(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 9').replace("spec", "parts"))
    assert refused(folder).hint == "Update UniTalker."


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"{"])
def test_manifests_that_are_none(content: bytes, folder: Path) -> None:
    (folder / "model.json").write_bytes(content)
    with pytest.raises(UniTalkerError, match=r"model\.json"):
        read_manifest(folder)


WEIGHTS: dict[str, tuple[Callable[[Tensors], object], tuple[str, ...]]] = {
    "missing": (lambda t: t.pop(HEAD), (HEAD, "missing", "(4, 16)")),
    "shape": (lambda t: t.update({HEAD: torch.zeros(5, 16)}), (HEAD, "(5, 16)", "(4, 16)")),
    "nan": (lambda t: t.update({HEAD: torch.full((4, 16), torch.nan)}), (HEAD, "finite")),
    "extra": (lambda t: t.update(extra=torch.zeros(1)), ("extra", "not part")),
}


@pytest.mark.parametrize("damage", WEIGHTS)
def test_damaged_weights_name_the_tensor(damage: str, folder: Path) -> None:
    change, said = WEIGHTS[damage]
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    error = refused(folder)
    for words in (str(path), *said):
        assert words in error.message


@pytest.mark.parametrize("content", ["absent", "truncated", "text"])
def test_weights_that_cannot_be_read(content: str, folder: Path) -> None:
    path = folder / "model.safetensors"
    if content == "absent":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000] if content == "truncated" else b"no tensors here")
    assert "model.safetensors" in refused(folder).message
