"""From a sound to motion, with a whole (tiny) model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.audio import SAMPLE_RATE, Audio, read_audio
from backend.bundle import Bundle, load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import Cancelled, UniTalkerError
from backend.inference import AnimateOptions, animate
from backend.motion.direction import Direction
from backend.windows import frame_count


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> Bundle:
    return load_bundle(tiny_model)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> TorchEngine:
    return TorchEngine(bundle)


def voice(seconds: float) -> Audio:
    """Noise that rises and falls like syllables."""
    count = round(seconds * SAMPLE_RATE)
    envelope = np.abs(np.sin(np.arange(count) / SAMPLE_RATE * 2 * np.pi * 2))
    return Audio((np.random.default_rng(0).normal(0, 0.1, count) * envelope).astype(np.float32))


@pytest.mark.parametrize("seconds", [0.1, 1.0, 24.999, 25.0, 25.001, 45.0, 45.2, 66.6])
@pytest.mark.parametrize(("head", "fps"), [("weights", 25.0), ("mesh", 30.0)])
def test_motion_is_as_long_as_the_sound(engine: TorchEngine, seconds: float, head: str, fps: float) -> None:
    audio = voice(seconds)
    motion = animate(engine, audio, AnimateOptions(head=head))
    assert motion.fps == fps
    assert abs(len(motion.values) - frame_count(len(audio.samples), fps)) <= (seconds > 25)
    assert np.isfinite(motion.values).all()


def test_a_short_sound_is_exactly_what_the_network_says(bundle: Bundle, engine: TorchEngine) -> None:
    audio = voice(3.0)
    with torch.inference_mode():
        waveform = torch.from_numpy(audio.samples)[None]
        network = bundle.model(waveform, "mesh", 90, torch.tensor([1]), bundle.model.template("mesh")).values[0]
    motion = animate(engine, audio, AnimateOptions(head="mesh", identity="two"))
    assert np.array_equal(motion.values, network.numpy())


def test_a_window_boundary_leaves_no_jump(engine: TorchEngine) -> None:
    motion = animate(engine, voice(60.0), AnimateOptions(head="mesh")).values
    steps = np.abs(np.diff(motion, axis=0)).max(axis=1)
    around = np.concatenate([steps[20 * 30 - 3 : 25 * 30 + 3], steps[40 * 30 - 3 : 45 * 30 + 3]])
    assert around.max() < 1.5 * np.percentile(steps, 99)


def test_blendshape_weights_end_within_their_range_whatever_is_asked(engine: TorchEngine) -> None:
    motion = animate(engine, voice(2.0), AnimateOptions(direction=Direction(intensity=10, smoothing=0.3), fps=60))
    assert motion.values.min() >= 0
    assert motion.values.max() <= 1
    assert motion.fps == 60
    assert len(motion.values) == 120


def test_intensity_zero_is_the_resting_face(bundle: Bundle, engine: TorchEngine) -> None:
    template = bundle.model.template("mesh")
    assert template is not None
    still = animate(engine, voice(1.0), AnimateOptions(head="mesh", direction=Direction(intensity=0))).values
    assert np.allclose(still, template.detach().numpy(), atol=1e-6)
    assert animate(engine, voice(1.0), AnimateOptions(direction=Direction(intensity=0))).values.max() == 0


def test_identities_differ_and_the_default_is_the_manifests(engine: TorchEngine) -> None:
    audio = voice(1.0)
    by_name = {
        name: animate(engine, audio, AnimateOptions(head="mesh", identity=name)).values
        for name in (None, "one", "two", "pivot")
    }
    assert np.array_equal(by_name[None], by_name["pivot"])
    assert not np.allclose(by_name["one"], by_name["two"])


def test_unknown_names_are_answered_with_the_known_ones(engine: TorchEngine) -> None:
    with pytest.raises(UniTalkerError, match=r"'gone'.*weights, mesh") as caught:
        animate(engine, voice(1.0), AnimateOptions(head="gone"))
    assert caught.value.code == "model.unknown_head"
    with pytest.raises(UniTalkerError, match=r"'gone'.*one, two, pivot") as caught:
        animate(engine, voice(1.0), AnimateOptions(identity="gone"))
    assert caught.value.code == "model.unknown_identity"


def test_progress_counts_windows_and_remarks_of_the_sound_come_along(engine: TorchEngine) -> None:
    seen: list[tuple[str, int, int]] = []
    audio = replace(voice(50.0), notes=("cut short",))
    motion = animate(engine, audio, AnimateOptions(), lambda *step: seen.append(step))
    assert seen == [("infer", done, 3) for done in range(4)]
    assert motion.notes == ("cut short",)


def test_cancelling_stops_before_the_next_window(engine: TorchEngine) -> None:
    seen = []

    def stop_at_two(stage: str, done: int, total: int) -> None:
        seen.append(done)
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        animate(engine, voice(200.0), AnimateOptions(), stop_at_two)
    assert seen == [0, 1, 2]


def test_a_result_beyond_all_memory_is_refused_before_the_work(
    engine: TorchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.prediction.MAX_RESULT_BYTES", 100)
    with pytest.raises(UniTalkerError, match="Cut the sound") as caught:
        animate(engine, voice(1.0), AnimateOptions())
    assert caught.value.code == "audio.too_long"


@pytest.mark.parametrize("failure", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")])
def test_running_out_of_memory_is_said_in_words(
    bundle: Bundle, engine: TorchEngine, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(bundle.model, "encode", fail)
    with pytest.raises(UniTalkerError) as caught:
        animate(engine, voice(1.0), AnimateOptions())
    assert caught.value.code == "engine.out_of_memory"


def test_the_bundled_model_speaks_every_real_sentence(bundled_model: Path, speech_folder: Path) -> None:
    engine = TorchEngine(load_bundle(bundled_model))
    for path in sorted(speech_folder.glob("*.wav")):
        audio = read_audio(path)
        motion = animate(engine, audio, AnimateOptions())
        jaw = motion.values[:, motion.annotation.names.index("jawOpen")]
        assert len(motion.values) == frame_count(len(audio.samples), motion.fps)
        assert jaw.max() - jaw.min() > 0.05, path.name


def test_the_bundled_model_keeps_its_mouth_still_in_silence(bundled_model: Path) -> None:
    motion = animate(
        TorchEngine(load_bundle(bundled_model)), Audio(np.zeros(5 * SAMPLE_RATE, np.float32)), AnimateOptions()
    )
    jaw = motion.values[:, motion.annotation.names.index("jawOpen")]
    assert np.ptp(jaw) < 0.05
