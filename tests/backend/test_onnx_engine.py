"""ONNX Runtime says what torch says, on real speech; and every way in which its file can be wrong is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from backend.annotation import Annotation
from backend.audio import SAMPLE_RATE, read_audio
from backend.bundle import load_bundle, save_bundle
from backend.bundle_manifest import Manifest, find_bundle
from backend.engines.onnx_engine import OnnxEngine
from backend.engines.onnx_export import export_onnx
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions, animate
from backend.model.spec import DecoderSpec, EncoderSpec, HeadSpec, InterpolatePosition, ModelSpec
from backend.model.unitalker import UniTalker
from backend.windows import frame_count

# Rounding of single precision, in weights of 0 to 1 and in metres; measured: 1.3e-6 over all heads and the real voices.
TOLERANCE = 5e-6


@pytest.fixture(scope="module")
def engines(bundled_model: Path) -> tuple[OnnxEngine, TorchEngine]:
    return OnnxEngine(find_bundle(bundled_model)), TorchEngine(load_bundle(bundled_model))


@pytest.fixture
def exported(tiny_model: Path, tmp_path: Path) -> Path:
    """A model folder of its own, with a graph."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model, folder)
    export_onnx(find_bundle(folder))
    return folder


def noise(seconds: float, count: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (count, round(seconds * SAMPLE_RATE))).astype(np.float32)


def code_of(folder: Path) -> str:
    with pytest.raises(UniTalkerError) as caught:
        OnnxEngine(find_bundle(folder)).predict_window(noise(1)[0], "weights", 25, 0)
    assert caught.value.hint
    return caught.value.code


@pytest.mark.parametrize("seconds", [0.1, 0.13, 1.0, 4.99, 11.0, 25.0])
def test_every_head_and_identity_of_the_bundled_model_is_as_with_torch(
    engines: tuple[OnnxEngine, TorchEngine], speech_folder: Path, seconds: float
) -> None:
    onnx_engine, torch_engine = engines
    spoken = np.concatenate([read_audio(path).samples for path in sorted(speech_folder.glob("*.wav"))])
    sound = spoken[SAMPLE_RATE : SAMPLE_RATE + round(seconds * SAMPLE_RATE)]
    spec = onnx_engine.manifest.spec
    identities = [0, 7, len(spec.identities) - 1]
    for head in spec.heads:
        name, frames = head.annotation.type_name, frame_count(len(sound), head.annotation.fps)
        template = torch_engine.template(name)
        asked = sound[None], name, frames, identities, template
        values, wanted = onnx_engine.predict_windows(*asked), torch_engine.predict_windows(*asked)
        assert values.shape == (3, frames, head.annotation.dim)
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, wanted, rtol=0, atol=TOLERANCE)
        if template is not None:
            np.testing.assert_array_equal(onnx_engine.template(name), template)


def test_a_whole_recording_is_animated_as_with_torch(
    engines: tuple[OnnxEngine, TorchEngine], speech_folder: Path
) -> None:
    audio = read_audio(speech_folder / "jfk_16k.wav")
    motions = [animate(engine, audio, AnimateOptions(fps=24)).values for engine in engines]
    np.testing.assert_allclose(*motions, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("final_layer_norm", [True, False])
def test_every_kind_of_network_that_can_be_exported_is_as_with_torch(
    tmp_path: Path, position: InterpolatePosition, final_layer_norm: bool
) -> None:
    weights = Annotation(type_name="deep", kind="blendshapes", dim=2, fps=25, unit="weight", names=("a", "b"))
    mesh = Annotation(type_name="mesh", kind="vertices", dim=15, fps=30, unit="m")
    config = {"d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 64}
    spec = ModelSpec(
        encoder=EncoderSpec(
            kind="whisper",
            config=config | {"num_mel_bins": 80, "max_source_positions": 150},
            final_layer_norm=final_layer_norm,
        ),
        decoder=DecoderSpec(width=16, identity_width=4, interpolate_position=position),
        heads=(HeadSpec(annotation=weights, layers=3), HeadSpec(annotation=mesh, components=3, stored_components=5)),
        identities=("one", "pivot"),
    )
    torch.manual_seed(1)
    model = UniTalker(spec)
    with torch.no_grad():
        for tensor in (*model.out_head_dict.parameters(), *model.pca_layer_dict.buffers()):
            torch.nn.init.normal_(tensor, 0.0, 0.3)
    manifest = Manifest(name="m", version="1", title="", licence="", spec=spec, default_head="deep")
    save_bundle(model, manifest, tmp_path / "m", "", "float32")
    assert export_onnx(find_bundle(tmp_path / "m")) < TOLERANCE
    with pytest.raises(UniTalkerError) as caught:
        OnnxEngine(find_bundle(tmp_path / "m")).predict_window(noise(4)[0], "deep", 100, 0)
    assert caught.value.code == "model.too_long"


def test_windows_together_are_as_each_alone(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    sounds, identities = noise(2.0, 3), [0, 3, 31]
    for engine in engines:
        together = engine.predict_windows(sounds, "mediapipe_blendshape_weight", 50, identities)
        for sound, identity, motion in zip(sounds, identities, together, strict=True):
            alone = engine.predict_window(sound, "mediapipe_blendshape_weight", 50, identity)
            np.testing.assert_allclose(motion, alone, rtol=0, atol=TOLERANCE)


def test_the_graph_takes_its_weights_from_the_weights_file(exported: Path, tiny_model: Path) -> None:
    bundle = load_bundle(exported)
    with torch.no_grad():
        bundle.model.out_head_dict["weights"].bias += 0.25
    before = OnnxEngine(find_bundle(exported)).predict_window(noise(1)[0], "weights", 25, 0)
    graph = (exported / "model.onnx").read_bytes()
    save_bundle(bundle.model, bundle.manifest, exported, "", "float32")
    (exported / "model.onnx").write_bytes(graph)
    after = OnnxEngine(find_bundle(exported)).predict_window(noise(1)[0], "weights", 25, 0)
    np.testing.assert_allclose(after, before + 0.25, atol=1e-6)
    assert len(graph) < (tiny_model / "model.safetensors").stat().st_size


def test_a_graph_of_another_model_is_refused(exported: Path) -> None:
    bundle = load_bundle(exported)
    graph = (exported / "model.onnx").read_bytes()
    save_bundle(bundle.model, bundle.manifest, exported, "", "float16")
    (exported / "model.onnx").write_bytes(graph)
    assert code_of(exported) == "model.unreadable"


@pytest.mark.parametrize("keep", [0, 100, 3000])
def test_a_damaged_graph_is_refused(exported: Path, keep: int) -> None:
    path = exported / "model.onnx"
    path.write_bytes(path.read_bytes()[:keep])
    assert code_of(exported) == "model.unreadable"


def test_a_graph_that_points_outside_the_model_is_refused(exported: Path) -> None:
    (exported.parent / "secret").write_bytes(bytes(1 << 20))
    model = onnx.load(str(exported / "model.onnx"), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret"
    (exported / "model.onnx").write_bytes(model.SerializeToString())
    assert code_of(exported) == "model.unreadable"


@pytest.mark.parametrize("damage", ["cut short", "not finite", "no table"])
def test_damaged_weights_are_refused(exported: Path, damage: str) -> None:
    path = exported / "model.safetensors"
    content = path.read_bytes()
    end = len(content) - 60
    path.write_bytes(
        {
            "cut short": content[:end],
            "not finite": content[: end // 2] + b"\xff" * (end - end // 2) + content[end:],
            "no table": b"\xff" * 100,
        }[damage]
    )
    assert code_of(exported) == "model.unreadable"


def test_a_model_without_graph_says_how_to_make_one(tiny_model: Path) -> None:
    with pytest.raises(UniTalkerError, match="unitalker models onnx tiny") as caught:
        OnnxEngine(find_bundle(tiny_model))
    assert caught.value.code == "model.no_onnx"


def test_an_encoder_that_cannot_be_exported_is_named(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model, folder)
    manifest = (folder / "model.json").read_text().replace('"whisper"', '"wavlm"')
    (folder / "model.json").write_text(manifest)
    with pytest.raises(UniTalkerError, match="wavlm") as caught:
        export_onnx(find_bundle(folder))
    assert caught.value.code == "model.no_onnx"
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD.md", "model.json", "model.safetensors"]


def test_a_device_that_is_not_there_is_refused(exported: Path) -> None:
    with pytest.raises(UniTalkerError, match="cuda") as caught:
        OnnxEngine(find_bundle(exported), "cuda")
    assert caught.value.code == "engine.device"


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_device_that_fails_gives_way_to_the_processor_with_a_note(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_for = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built_for)
    engine = OnnxEngine(find_bundle(exported), "cuda")
    assert engine.device == "cpu"
    assert "cuda" in engine.notes[0]
    assert engine.predict_window(noise(1)[0], "weights", 25, 0).shape == (25, 4)
