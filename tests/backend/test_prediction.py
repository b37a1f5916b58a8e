"""Windows in batches: whatever is computed together, each sound comes out as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.audio import SAMPLE_RATE, Audio, read_audio
from backend.bundle import Bundle, load_bundle
from backend.bundle_manifest import Manifest
from backend.engines.base import SpeechWindow
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions, record, record_sounds
from backend.model.spec import DecoderSpec, EncoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from backend.prediction import _LIKE_LENGTH, _batch_sizes
from tests.backend.conftest import MESH, WEIGHTS, WHISPER

TOLERANCE = 2e-5
"""Of a weight, or of a vertex's coordinate in metres: sums of single precision in another order."""

SECONDS = (2.0, 2.1, 2.3, 31.0, 0.1, 2.2)


def voice(seconds: float, seed: int) -> Audio:
    """Noise that rises and falls like syllables."""
    count = round(seconds * SAMPLE_RATE)
    envelope = np.abs(np.sin(np.arange(count) / SAMPLE_RATE * 2 * np.pi * 2))
    return Audio((np.random.default_rng(seed).normal(0, 0.1, count) * envelope).astype(np.float32))


def wanted() -> list[tuple[Audio, Sequence[AnimateOptions]]]:
    """Sounds of different lengths; of each another choice of heads and identities."""
    choices = [
        [AnimateOptions("weights", "one")],
        [AnimateOptions("mesh", "two"), AnimateOptions("weights", "one"), AnimateOptions("weights", "two")],
        [AnimateOptions("mesh", "one", "two"), AnimateOptions("mesh", "pivot")],
    ]
    return [(voice(seconds, number), choices[number % 3]) for number, seconds in enumerate(SECONDS)]


def small_model(decoder: DecoderSpec) -> TorchEngine:
    spec = ModelSpec(
        encoder=EncoderSpec(kind="whisper", config=WHISPER),
        decoder=decoder,
        heads=(HeadSpec(annotation=WEIGHTS), HeadSpec(annotation=MESH, components=3, stored_components=3)),
        identities=("one", "two", "pivot"),
    )
    manifest = Manifest(name="small", version="1", title="Small", licence="CC0-1.0", spec=spec, default_head="weights")
    torch.manual_seed(0)
    model = UniTalker(spec).eval()
    with torch.no_grad():
        for tensor in (*model.out_head_dict.parameters(), *model.pca_layer_dict.buffers()):
            torch.nn.init.normal_(tensor, 0.0, 0.3)
    return TorchEngine(Bundle(Path(), manifest, model, torch.device("cpu")))


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("kind", ["tcn", "transformer", "transformer_as_released"])
def test_batches_of_any_size_give_what_each_sound_gives_alone(kind: str, position: int) -> None:
    decoder = DecoderSpec(kind=kind, width=16, identity_width=4, interpolate_position=position)  # type: ignore[arg-type]
    engine = small_model(decoder)
    alone = [[record(engine, audio, options) for options in several] for audio, several in wanted()]
    for size in (1, 2, 16):
        engine.batch_size = size
        for takes, expected in zip(record_sounds(engine, wanted()), alone, strict=True):
            for take, single in zip(takes, expected, strict=True):
                assert take.origin == single.origin
                assert take.raw.annotation == single.raw.annotation
                if size == 1:
                    assert np.array_equal(take.raw.values, single.raw.values)
                assert np.allclose(take.raw.values, single.raw.values, rtol=0, atol=TOLERANCE)
                assert (take.raw_b is None) == (single.raw_b is None)
                if take.raw_b is not None and single.raw_b is not None:
                    assert np.allclose(take.raw_b, single.raw_b, rtol=0, atol=TOLERANCE)


def test_real_voices_in_batches_of_the_bundled_model(bundled_model: Path, speech_folder: Path) -> None:
    engine = TorchEngine(load_bundle(bundled_model))
    sounds = [read_audio(path) for path in sorted(speech_folder.glob("*.wav"))]
    sounds += [Audio(np.tile(sounds[0].samples[:], 8)[: 50 * SAMPLE_RATE])]
    alone = [record(engine, audio, AnimateOptions()).raw.values for audio in sounds]
    engine.batch_size = 4
    together = record_sounds(engine, [(audio, [AnimateOptions()]) for audio in sounds])
    for (take,), single in zip(together, alone, strict=True):
        assert np.ptp(single, axis=0).max() > 0.1
        assert np.allclose(take.raw.values, single, rtol=0, atol=TOLERANCE)


def test_where_a_sound_begins_hardly_changes_the_motion(bundled_model: Path, speech_folder: Path) -> None:
    """The network hears a whole window, so the cut is not without effect: docs/batch.md has the figures."""
    engine = TorchEngine(load_bundle(bundled_model))
    samples = read_audio(speech_folder / "jfk_16k.wav").samples[:]
    whole = record(engine, Audio(samples), AnimateOptions()).raw.values
    frames = 10
    cut = frames * SAMPLE_RATE // 25
    later = np.concatenate([np.zeros(cut, np.float32), samples])
    shifted = record(engine, Audio(later), AnimateOptions()).raw.values[frames:]
    cropped = record(engine, Audio(samples[cut:]), AnimateOptions()).raw.values
    for other, reference in ((shifted, whole), (cropped, whole[frames:])):
        difference = np.abs(other - reference)[25:-25]
        assert difference.mean() < 0.005
        assert difference.max() < 0.15


def test_several_heads_listen_once(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(load_bundle(tiny_model))
    model = engine._model
    calls, encode = [], model.encode

    def counted(*arguments: object, **options: object) -> torch.Tensor:
        calls.append(arguments)
        return encode(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "encode", counted)
    options = [AnimateOptions(head, identity) for head in ("weights", "mesh") for identity in ("one", "two")]
    (takes,) = record_sounds(engine, [(voice(3, 0), options)])
    assert len(calls) == 1
    assert [take.raw.annotation.type_name for take in takes] == ["weights", "weights", "mesh", "mesh"]


def test_a_batch_that_memory_is_too_small_for_is_halved(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(load_bundle(tiny_model))
    predict, sizes = engine.predict_batch, []

    def limited(windows: Sequence[SpeechWindow]) -> list[list[np.ndarray]]:
        sizes.append(len(windows))
        if len(windows) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return predict(windows)

    sounds = [(voice(2.0, seed), [AnimateOptions()]) for seed in range(5)]
    alone = record_sounds(engine, sounds)
    monkeypatch.setattr(engine, "predict_batch", limited)
    engine.batch_size = 8
    together = record_sounds(engine, sounds)
    assert sizes == [5, 2, 3, 1, 2]
    for (take,), (single,) in zip(together, alone, strict=True):
        assert np.allclose(take.raw.values, single.raw.values, rtol=0, atol=TOLERANCE)

    monkeypatch.setattr(engine, "predict_batch", lambda windows: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(UniTalkerError) as caught:
        record_sounds(engine, sounds)
    assert caught.value.code == "engine.out_of_memory"


@given(lengths=st.lists(st.integers(1600, 400_000), max_size=50), most=st.integers(1, 20))
def test_batches_take_every_window_in_its_order_and_pad_little(lengths: list[int], most: int) -> None:
    sizes = list(_batch_sizes(lengths, most))
    assert sum(sizes) == len(lengths)
    start = 0
    for size in sizes:
        batch = lengths[start : start + size]
        assert 1 <= size <= most
        assert min(batch) >= _LIKE_LENGTH * max(batch)
        start += size
