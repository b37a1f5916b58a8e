"""The network against golden arrays of the official code: every output, intermediate, gradient and mask."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from backend.model.decoder import biased_mask, sinusoids
from backend.model.frequency_adaptor import adapt_frequency
from backend.model.pca import PcaLayer
from backend.model.unitalker import HeadOutput, UniTalker
from backend.windows import frame_count

from .golden import arrays, framing, golden_names, tiny_config, tiny_model, variant_of, waveform

TOLERANCE = 1e-5
BIWI = "BIWI_23370_vertices"
FLAME = "FLAME_5023_vertices"


def cases(pattern: str) -> list[object]:
    """One parameter set per golden array, or one skipped when the folder is absent."""
    found = [pytest.param(*names, id="/".join(names)) for names in golden_names(pattern)]
    return found or [pytest.param("", "", id=pattern, marks=pytest.mark.skip("needs ../shared"))]


def assert_close(actual: torch.Tensor, expected: np.ndarray) -> None:
    assert tuple(actual.shape) == expected.shape
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=0, atol=TOLERANCE)


def identity(style: str) -> torch.Tensor | None:
    return None if style == "none" else torch.tensor([int(style)])


@cache
@torch.no_grad()
def prediction(file: str, position: str, head: str, style: str) -> HeadOutput:
    encoder, decoder, option = variant_of(file)
    model = tiny_model(encoder, decoder, option, int(position))
    sound = waveform()
    frames = frame_count(sound.shape[1], tiny_config()["fps"][head])
    template = torch.from_numpy(arrays("inputs.npz")[f"template/{head}"])
    return model(sound, head, frames, identity(style), template)


def teacher(model: UniTalker) -> dict[str, torch.Tensor]:
    """The ground-truth path: output, coefficients of the truth, and the two losses."""
    inputs = {name: torch.from_numpy(array) for name, array in arrays("inputs.npz").items()}
    truth, template = inputs[f"face_motion/{BIWI}"], inputs[f"template/{BIWI}"]
    output = model(waveform(), BIWI, truth.shape[1], torch.tensor([2]), template)
    result = {"style_2/motion": output.values, "rec_loss": torch.mean((output.values - truth) ** 2)}
    if output.coefficients is not None:
        pca = model.pca_layer_dict[BIWI]
        assert isinstance(pca, PcaLayer)
        result["style_2/pca"] = output.coefficients
        result["gt_pca"] = pca.encode(truth - template)
        result["pca_loss"] = torch.mean((output.coefficients - result["gt_pca"]) ** 2)
    return result


def intermediates(model: UniTalker) -> dict[str, torch.Tensor]:
    sound = waveform()
    features = model.encode(sound)
    return {
        "conv_features_50hz": model._encoder.front_end(sound),
        "encoder_50hz": features,
        "encoder_interp_58": adapt_frequency(features, 58),
        "decoder_58_style2": model.body(features, 58, torch.tensor([2])),
    }


@pytest.mark.parametrize(("file", "name"), cases("outputs_*.npz"))
def test_outputs(file: str, name: str) -> None:
    expected = arrays(file)[name]
    encoder, decoder, option = variant_of(file)
    kind, rest = name.split("/", 1)
    if kind in ("stage", "teacher"):
        model = tiny_model(encoder, decoder, option, 1)
        with torch.no_grad():
            results = intermediates(model) if kind == "stage" else teacher(model)
        assert_close(results[rest.removeprefix(f"{BIWI}/")], expected)
        return
    head, style, what = rest.split("/")
    output = prediction(file, kind.removeprefix("pos"), head, style.removeprefix("style_"))
    if what == "pca":
        assert output.coefficients is not None
        assert_close(output.coefficients, expected)
    else:
        assert_close(output.values[:, : expected.shape[1]], expected)
        if not what.endswith("first16"):
            assert output.values.shape[1] == expected.shape[1]


@cache
def gradients(encoder: str, stage: str) -> tuple[dict[str, torch.Tensor | None], float]:
    model = tiny_model(encoder, "conv", "", 1)
    for parameter in model.parameters():
        parameter.grad = None
        parameter.requires_grad_(True)
    model.freeze_front_end()
    if stage == "warmup":
        model.audio_encoder.requires_grad_(False)
    parts = teacher(model)
    loss = parts["rec_loss"] + 0.01 * parts["pca_loss"]
    loss.backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    return found, float(loss.detach())


@pytest.mark.parametrize(("file", "name"), cases("grads_and_batch*.npz"))
def test_gradients_and_batches(file: str, name: str) -> None:
    expected = arrays(file)[name]
    encoder, kind, *rest = name.split("/")
    if kind == "batch2_second_reversed_styles_2_5":
        sound = waveform()
        pair = torch.cat([sound, sound.flip(-1)])
        with torch.no_grad():
            output = tiny_model(encoder, "conv", "", 1)(pair, FLAME, expected.shape[1], torch.tensor([2, 5]))
        assert output.coefficients is not None
        assert_close(output.coefficients, expected)
    elif kind == "grad":
        gradient = gradients(encoder, "normal")[0][rest[0]]
        assert gradient is not None
        assert_close(gradient, expected)
    elif rest == ["loss"]:
        np.testing.assert_allclose(gradients(encoder, kind)[1], expected, atol=TOLERANCE)
    else:
        names = [str(entry) for entry in arrays(file)[f"{encoder}/{kind}/names"]]
        found = gradients(encoder, kind)[0]
        assert set(names) == set(found)
        if rest == ["grad_norm"]:
            norms = [np.nan if found[entry] is None else float(found[entry].norm()) for entry in names]  # type: ignore[union-attr]
            np.testing.assert_allclose(norms, expected, rtol=1e-4, atol=TOLERANCE)


@pytest.mark.parametrize(("file", "name"), [case for case in cases("interp_and_masks*.npz")])
def test_adaptor_and_masks(file: str, name: str) -> None:
    golden = arrays(file)
    expected = golden[name]
    if name.endswith("/in"):
        length_in, _ = name.removesuffix("/in").split("_")
        assert expected.shape[1] == int(length_in)
    elif name.endswith("/out"):
        frames = int(name.removesuffix("/out").split("_")[1])
        assert_close(adapt_frequency(torch.from_numpy(golden[name.replace("/out", "/in")]), frames), expected)
    elif name.startswith("biased_mask"):
        heads, period = expected.shape[0], int(name.split("period")[1].split("_")[0])
        assert_close(biased_mask(heads, expected.shape[1], period), expected)
    elif name.startswith("ppe"):
        width, period = expected.shape[-1], int(name.split("period")[1].split("_")[0])
        rows = sinusoids(period, width).repeat(3, 1)[: expected.shape[-2]]
        assert_close(rows.reshape(expected.shape), expected)
    else:
        assert name.startswith("enc_dec_mask")
        np.testing.assert_array_equal(~np.eye(len(expected), dtype=bool), expected)


@pytest.mark.parametrize(
    ("samples", "fps", "frames"),
    [
        pytest.param(*row, id=f"framing_cases.json/frame_count/{row[0]}_{row[1]:g}")
        for row in framing("frame_count_[n_samples,fps,frames]")
    ]
    or [pytest.param(0, 25, 0, marks=pytest.mark.skip("needs ../shared"))],
)
def test_frame_counts_equal_the_official_ones(samples: int, fps: float, frames: int) -> None:
    assert frame_count(samples, fps) == frames
