"""Sections on the network: what it starts from, encoder and heads; its decoder is `backend.model.spec.DecoderSpec`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.config.section import Section


class Start(Section):
    """An existing model that a training begins from.

    Attributes:
        model: folder of a run or of a model, or the name of an installed model.
        decoder: ``keep`` takes over the decoder, the heads and their PCA of annotation types that both have, and the
            rows of people that both have; new people begin as the pivot. ``fresh`` begins all of these anew, which
            an annotation of quite another kind can need.
        encoder: ``keep`` takes over the model's encoder, trained or not; ``fresh`` reads the recipe's.
        trained: ``decoder`` leaves the encoder as it is; ``all`` allows joint training, which needs more data and
            forgets more of what the model could do.
        credit: data behind the start model, for the model card; taken from its own recipe if left out.
    """

    model: str = "unitalker-s"
    decoder: Literal["keep", "fresh"] = "keep"
    encoder: Literal["keep", "fresh"] = "keep"
    trained: Literal["decoder", "all"] = "decoder"
    credit: str = ""


class Encoder(Section):
    """The speech encoder.

    Attributes:
        kind: ``wavlm`` and ``wav2vec2`` as in the paper, or ``hubert``; ``whisper`` is small and fast, and its first
            layers carry over to other voices best.
        source: for Whisper a safetensors file that ``unitalker train encoder`` wrote, or the names of installed
            packages that carry a CTranslate2 model; for the others one folder in the Hugging Face format, or the
            model's name on the hub, which is taken from the local cache unless ``--download`` is given. Not needed
            where the encoder comes from the start model.
        layers: transformer layers kept; ``null`` for all, as in the paper. Early layers know phones and carry over
            to other voices, late ones know words; three of Whisper base's six were best in the study behind the
            bundled model. Fewer is faster.
        final_layer_norm: whether Whisper's last LayerNorm follows; only right when no layer was cut.
        normalise_waveform: whether a clip is brought to zero mean and unit variance first. ``null`` does what the
            model was trained with: not for WavLM base and base plus, but for wav2vec 2.0 and HuBERT.
        credit: who made the weights, and their licence, for the model card.
    """

    kind: Literal["whisper", "wavlm", "wav2vec2", "hubert"] = "whisper"
    source: tuple[str, ...] = ()
    layers: int | None = Field(default=None, ge=1)
    final_layer_norm: bool = False
    normalise_waveform: bool | None = None
    credit: str = ""


class Head(Section):
    """One annotation type.

    Attributes:
        title: what people read in the list of heads.
        components: PCA components the head predicts; only for vertices, and needed there for dense meshes. Raise
            if the explained variance in the log is below 0.98.
        loss_weight: of this head beside the others; lower it if an auxiliary head costs the main one accuracy.
        layers: linear layers of the head.
        basis: file below the data root by which the paper's loss turns the numbers into vertices: for blendshapes an
            ``.npz`` with ``meanshape`` and ``blendshape`` (Eq. 3), for FLAME parameters your FLAME model (Eq. 4).
            Without one blendshapes are compared as weights alone; FLAME needs it.
        region: ``.npy`` file below the data root with the numbers of the vertices that count in the paper's loss;
            all if left out.
    """

    title: str
    components: int | None = Field(default=None, gt=0)
    loss_weight: float = Field(default=1.0, gt=0)
    layers: int = Field(default=1, ge=1)
    basis: str | None = None
    region: str | None = None
