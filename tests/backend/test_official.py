"""Released checkpoints: what is imported, what is refused, and that nothing is written when it is.

Most tests put a small encoder in the place of the released one; decoder, identity table and heads have full size.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.bundle import load_bundle
from backend.errors import UniTalkerError
from backend.model.spec import EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from backend.model_inspection import inspect_model
from backend.official import import_checkpoint
from backend.official_release import ReleasedEncoder, identity_names, released_annotations
from backend.windows import frame_count

State = dict[str, torch.Tensor]
Change = Callable[[State], object]

MESHES = {"BIWI_23370_vertices": ("D0_BIWI", 70110), "meshtalk_6172_vertices": ("D2_meshtalk", 18516)}
CONV = "audio_encoder.encoder.pos_conv_embed.conv"
HEAD = "out_head_dict.3DETF_blendshape_weight.weight"


SMALL = ReleasedEncoder(
    "B",
    "small WavLM",
    EncoderSpec(
        kind="wavlm",
        config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "conv_dim": [4] * 7,
            "num_conv_pos_embeddings": 4,
            "num_conv_pos_embedding_groups": 2,
        },
    ),
)


def official_state(shared: Path, variant: str) -> State:
    """A checkpoint as the official training code saves it, in names and shapes, with small random weights."""
    keys = json.loads((shared / "parity" / f"state_dict_keys_{variant}.json").read_text())["keys"]
    generator = torch.Generator().manual_seed(7)
    return {
        key["name"]: torch.rand(key["shape"], generator=generator).sub_(0.5).mul_(0.04)
        for key in keys
        if key["saved_by_train"]
    }


@pytest.fixture
def small_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.official_checkpoint.ENCODERS", {16: SMALL})


@pytest.fixture
def state(small_release: None) -> State:
    """As `official_state`, with the small encoder."""
    heads = []
    for annotation in released_annotations().values():
        components = 512 if annotation.kind == "vertices" else None
        heads.append(HeadSpec(annotation=annotation, components=components))
    spec = ModelSpec(encoder=SMALL.spec, heads=tuple(heads), identities=identity_names(935)[0])
    with torch.device("meta"):
        shapes = UniTalker(spec).state_dict()
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.rand(tensor.shape, generator=generator).sub_(0.5).mul_(0.04)
        for name, tensor in shapes.items()
        if not name.startswith("pca_layer_dict.")
    }


@pytest.fixture
def checkpoint(state: State, tmp_path: Path) -> Path:
    path = tmp_path / "UniTalker-B-D0-D7.pt"
    torch.save(state, path)
    return path


def write_pca(root: Path, folder: str, dim: int, components: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    arrays = {
        "components_to_data": rng.normal(size=(components, dim)).astype(np.float32),
        "original_data_mean": rng.normal(size=dim).astype(np.float32),
        "data_components_mean": np.zeros(components, np.float32),
        "data_components_std": np.ones(components, np.float32),
        "explained_variance_ratio": np.ones(components, np.float32),
        "S": np.ones(components, np.float32),
    }
    (root / folder).mkdir(parents=True, exist_ok=True)
    np.savez(root / folder / "pca.npz", **arrays)
    return arrays


def refused(checkpoint: Path, pca_root: Path | None = None) -> UniTalkerError:
    """The error of an import that must leave nothing behind."""
    models = checkpoint.parent / "models"
    with pytest.raises(UniTalkerError) as caught:
        import_checkpoint(checkpoint, pca_root, "official-b", models)
    assert not models.exists() or not list(models.iterdir())
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("variant", "encoder", "normalised"),
    [("B", "WavLM-base-plus", False), pytest.param("L", "wav2vec2-large-xlsr-53", True, marks=pytest.mark.slow)],
)
def test_full_size_checkpoint(variant: str, encoder: str, normalised: bool, shared: Path, tmp_path: Path) -> None:
    """Import, save, load, animate, with the names and shapes of the released files."""
    state = official_state(shared, variant)
    torch.save(state, tmp_path / "full.pt")
    report = import_checkpoint(tmp_path / "full.pt", None, "official", tmp_path / "models")
    assert report.encoder == encoder
    bundle = load_bundle(report.folder)
    assert bundle.manifest.spec.encoder.normalise_waveform is normalised
    loaded = bundle.model.state_dict()
    for name, tensor in state.items():
        if not any(head in name for head in report.left_out):
            torch.testing.assert_close(loaded[name], tensor, rtol=0, atol=0)
    sound = torch.sin(torch.arange(8000) / 9)[None] * 0.3
    with torch.no_grad():
        output = bundle.model(sound, "3DETF_blendshape_weight", frame_count(8000, 30))
    assert output.values.shape == (1, 15, 52)
    assert output.values.isfinite().all()


def test_inspection_of_a_full_size_checkpoint(shared: Path, tmp_path: Path) -> None:
    torch.save(official_state(shared, "B"), tmp_path / "full.pt")
    rows = dict(inspect_model(tmp_path / "full.pt"))
    assert rows["variant"] == "UniTalker-B, encoder WavLM-base-plus"
    assert rows["tensors"] == "277 with 96,053,300 numbers"
    assert "512 PCA components, PCA file needed" in rows["head BIWI_23370_vertices"]


def test_checkpoint_alone_gives_the_heads_without_pca(checkpoint: Path, tmp_path: Path) -> None:
    report = import_checkpoint(checkpoint, None, "official-b", tmp_path / "models")
    assert report.heads == ["3DETF_blendshape_weight", "flame_params_from_dadhead", "inhouse_blendshape_weight"]
    assert "D0_BIWI/pca.npz" in report.left_out["BIWI_23370_vertices"]
    manifest = load_bundle(report.folder).manifest
    assert manifest.default_head == "3DETF_blendshape_weight"
    identities = manifest.spec.identities
    assert (len(identities), identities[0], identities[933], identities[934]) == (935, "D0/0", "D7/10", "pivot")
    assert manifest.spec.head("3DETF_blendshape_weight").annotation.names[24] == "jawOpen"
    assert "BIWI_23370_vertices was left out" in (report.folder / "MODEL_CARD.md").read_text()


def test_pca_and_template_files_give_the_mesh_heads(state: State, tmp_path: Path) -> None:
    """meshtalk with fewer components than the others, as a smaller file makes it; BIWI stays without one."""
    folder, dim = MESHES["meshtalk_6172_vertices"]
    for part in ("weight", "bias"):
        name = f"out_head_dict.meshtalk_6172_vertices.{part}"
        state = state | {name: state[name][:40]}
    torch.save(state, tmp_path / "b.pt")
    pca = write_pca(tmp_path / "data", folder, dim, 50)
    faces = np.random.default_rng(1).normal(size=(13, dim // 3, 3)).astype(np.float32)
    np.save(tmp_path / "data" / folder / "id_template.npy", faces)
    report = import_checkpoint(tmp_path / "b.pt", tmp_path / "data", "official-b", tmp_path / "models")
    assert "meshtalk_6172_vertices" in report.heads
    assert "BIWI_23370_vertices" in report.left_out
    bundle = load_bundle(report.folder)
    head = bundle.manifest.spec.head("meshtalk_6172_vertices")
    assert (head.components, head.stored_components, head.annotation.scale) == (40, 50, 0.001)
    template = bundle.model.template("meshtalk_6172_vertices")
    assert template is not None
    np.testing.assert_allclose(template.numpy(), faces[0].reshape(-1) * 0.001, rtol=1e-6)
    with torch.no_grad():
        output = bundle.model(torch.zeros(1, 4000), "meshtalk_6172_vertices", 8)
    assert output.coefficients is not None
    expected = output.coefficients[0].numpy() @ pca["components_to_data"][:40] + pca["original_data_mean"]
    np.testing.assert_allclose(output.values[0].numpy(), expected, atol=1e-4)


def test_pca_buffers_inside_the_checkpoint(state: State, tmp_path: Path) -> None:
    basis = torch.rand(512, 18516)
    prefix = "pca_layer_dict.meshtalk_6172_vertices."
    inside = {
        "feat_to_data": basis,
        "data_to_feat": basis.T.contiguous(),
        "data_bias": torch.rand(18516),
        "feat_mean": torch.zeros(512),
        "feat_std": torch.ones(512),
    }
    torch.save(state | {prefix + name: tensor for name, tensor in inside.items()}, tmp_path / "b.pt")
    report = import_checkpoint(tmp_path / "b.pt", None, "official-b", tmp_path / "models")
    assert "meshtalk_6172_vertices" in report.heads
    loaded = load_bundle(report.folder).model.state_dict()
    torch.testing.assert_close(loaded[f"{prefix}feat_to_data"], basis, rtol=0, atol=0)


def test_weight_norm_names_of_older_torch(state: State, tmp_path: Path) -> None:
    old = dict(state)
    for index, name in enumerate(("weight_g", "weight_v")):
        old[f"{CONV}.{name}"] = old.pop(f"{CONV}.parametrizations.weight.original{index}")
    torch.save(old, tmp_path / "b.pt")
    report = import_checkpoint(tmp_path / "b.pt", None, "official-b", tmp_path / "models")
    loaded = load_bundle(report.folder).model.state_dict()
    torch.testing.assert_close(loaded[f"{CONV}.parametrizations.weight.original0"], old[f"{CONV}.weight_g"])


def test_inspection_of_what_was_imported(checkpoint: Path, tmp_path: Path) -> None:
    report = import_checkpoint(checkpoint, None, "official-b", tmp_path / "models")
    rows = dict(inspect_model(report.folder))
    assert rows["identities"] == "935, D0/0 to pivot, default pivot"
    assert "head BIWI_23370_vertices" not in rows
    assert "D0_BIWI/pca.npz" in rows["made from: left_out BIWI_23370_vertices"]


def test_identity_tables_of_fine_tuned_models_are_named_by_number() -> None:
    assert identity_names(4) == (("row_0", "row_1", "row_2", "pivot"), False)
    assert identity_names(934)[0][-1] == "D7/10"


def _transpose(state: State) -> None:
    state[HEAD] = state[HEAD].T.contiguous()


def _poison(state: State) -> None:
    state["decoder.audio_feature_map.bias"] = torch.full((256,), torch.nan)


DAMAGES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "encoder tensor missing": (lambda s: s.pop(f"{CONV}.bias"), (f"{CONV}.bias", "missing", "(16,)")),
    "other encoder": (
        lambda s: s.update({"decoder.audio_feature_map.weight": torch.zeros(256, 512)}),
        ("decoder.audio_feature_map.weight", "(256, 512)", "(256, 16) for B"),
    ),
    "no UniTalker": (lambda s: s.pop("decoder.audio_feature_map.weight"), ("decoder.audio_feature_map.weight",)),
    "unknown tensor": (lambda s: s.update(lm_head=torch.zeros(2)), ("lm_head", "not part")),
    "head of another width": (_transpose, (HEAD, "256", "52")),
    "nan": (_poison, ("decoder.audio_feature_map.bias", "finite")),
    "integers": (lambda s: s.update({HEAD: torch.zeros(52, 256, dtype=torch.int8)}), (HEAD, "int8")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_contents_are_refused_with_the_offending_tensor(damage: str, state: State, tmp_path: Path) -> None:
    change, said = DAMAGES[damage]
    damaged = dict(state)
    change(damaged)
    torch.save(damaged, tmp_path / "b.pt")
    error = refused(tmp_path / "b.pt")
    assert error.code == "model.unreadable"
    for words in said:
        assert words in error.message


class Intruder:
    """Something that would run code if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("intruded").touch, ())


@pytest.mark.parametrize("content", ["truncated", "text", "pickle", "list", "empty"])
def test_files_that_are_no_checkpoint(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "b.pt"
    torch.save({"decoder.weight": torch.zeros(1000)}, path)
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:2000])
    elif content == "text":
        path.write_text("version https://example.invalid/git-lfs\noid sha256:0\n")
    elif content == "pickle":
        torch.save({"decoder.weight": Intruder()}, path)
    elif content == "list":
        torch.save([torch.zeros(2)], path)
    else:
        path.write_bytes(b"")
    error = refused(path)
    assert str(path) in error.message
    assert not Path("intruded").exists()
    assert "weights_only" not in error.message


def test_pca_of_another_topology(checkpoint: Path, tmp_path: Path) -> None:
    write_pca(tmp_path / "data", "D2_meshtalk", 15069, 512)
    error = refused(checkpoint, tmp_path / "data")
    assert "pca.npz" in error.message
    assert "15069" in error.message
    assert "18516" in error.message


def test_pca_with_fewer_components_than_the_head_predicts(checkpoint: Path, tmp_path: Path) -> None:
    write_pca(tmp_path / "data", "D2_meshtalk", 18516, 40)
    assert "only 40 components" in refused(checkpoint, tmp_path / "data").message


def test_existing_models_are_not_overwritten(checkpoint: Path, tmp_path: Path) -> None:
    kept = tmp_path / "models" / "official-b" / "model.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    with pytest.raises(UniTalkerError, match="exists already"):
        import_checkpoint(checkpoint, None, "official-b", tmp_path / "models")
    assert kept.read_text() == "mine"


def test_missing_files(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent.pt").code == "model.not_found"
