"""Names and shapes of the parameters against those of the official code, for the tiny models and at full size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from backend.model.spec import DecoderSpec, HeadSpec, ModelSpec
from backend.model.unitalker import UniTalker
from backend.official_release import WAVLM_BASE_PLUS, XLSR_53, ReleasedEncoder, identity_names, released_annotations

from .golden import FOLDER, arrays, golden_names, tiny_model, variant_of

GOLDEN = [pytest.param(*names, id="/".join(names)) for names in golden_names("weights_*.npz")] or [
    pytest.param("", "", marks=pytest.mark.skip("needs ../shared"))
]


@pytest.mark.parametrize(("file", "name"), GOLDEN)
def test_tensor_has_the_official_name(file: str, name: str) -> None:
    state = tiny_model(*variant_of(file), 1).state_dict()
    np.testing.assert_array_equal(state[name].numpy(), arrays(file)[name])


@pytest.mark.parametrize("file", dict.fromkeys(file for file, _ in golden_names("weights_*.npz")))
def test_there_are_no_other_tensors(file: str) -> None:
    encoder, decoder, option = variant_of(file)
    # A file of an option comes without the encoder, which is that of the plain file.
    plain = arrays(f"weights_{encoder}_{decoder}.npz")
    names = set(arrays(file)) | {name for name in plain if name.startswith("audio_encoder.")}
    assert set(tiny_model(encoder, decoder, option, 1).state_dict()) == names


def full_size(released: ReleasedEncoder, decoder: DecoderSpec) -> dict[str, list[int]]:
    heads = []
    for annotation in released_annotations().values():
        components = 512 if annotation.kind == "vertices" else None
        heads.append(HeadSpec(annotation=annotation, components=components, stored_components=components))
    spec = ModelSpec(encoder=released.spec, decoder=decoder, heads=tuple(heads), identities=identity_names(935)[0])
    with torch.device("meta"):
        return {name: list(tensor.shape) for name, tensor in UniTalker(spec).state_dict().items()}


def official(file: str) -> dict[str, list[int]]:
    path = FOLDER / f"state_dict_keys_{file}.json"
    if not path.is_file():
        pytest.skip("needs ../shared")
    return {key["name"]: key["shape"] for key in json.loads(path.read_text())["keys"]}


@pytest.mark.parametrize("released", [WAVLM_BASE_PLUS, XLSR_53], ids=["B", "L"])
def test_full_size_model_has_the_official_names_and_shapes(released: ReleasedEncoder) -> None:
    assert full_size(released, DecoderSpec()) == official(released.variant)


def test_full_size_transformer_decoder_has_the_official_names_and_shapes() -> None:
    shapes = full_size(WAVLM_BASE_PLUS, DecoderSpec(kind="transformer_as_released"))
    decoder = {name: shape for name, shape in shapes.items() if name.startswith("decoder.")}
    assert decoder == official("transformer_decoder")
