"""What was trained, in words: recipe, data, time, versions, hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.bundle_manifest import Manifest
from training.checkpoint import Checkpoint
from training.config import Recipe
from training.datasets.corpus import Corpus
from training.trainer import CHECKPOINT

_STAGES = {"warm_up": "decoder warm-up", "joint": "joint training"}


@dataclass(frozen=True)
class DataFact:
    """One data set: its clips by split as text, since those of a set that is not there cannot be counted."""

    name: str
    folder: str
    clips: str
    passes: str
    credit: str


def run_facts(run: Path, checkpoint: Checkpoint, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Label and text.

    Args:
        run: folder.
        checkpoint: of the run.
        manifest: as an export would have it.
    """
    recipe, position, epochs = checkpoint.recipe, checkpoint.position, checkpoint.history
    encoder, decoder = recipe.encoder, recipe.decoder
    yield (
        "State",
        "finished" if position.done else f"not finished: {_STAGES[position.stage]}, epoch {position.epoch + 1}",
    )
    yield "Licence of the weights", recipe.licence
    if recipe.start is not None:
        start = recipe.start
        yield (
            "Started from",
            f"{Path(start.model).name}: decoder {start.decoder}, encoder {start.encoder}, trained {start.trained}",
        )
    origin = encoder.credit or ", ".join(encoder.source)
    yield "Encoder", f"{encoder.kind}{f': {origin}' if origin else ''}; {encoder.layers or 'all'} transformer layers"
    yield "Decoder", f"{decoder.kind}, {decoder.width} channels, identity embedding of {decoder.identity_width}"
    identities = manifest.spec.identities
    yield "Identities", f"{len(identities)}: {', '.join(identities[:8])}{' …' if len(identities) > 8 else ''}"
    for stage, title in _STAGES.items():
        own = [epoch for epoch in epochs if epoch.stage == stage]
        if own:
            seconds = sum(epoch.seconds for epoch in own)
            yield (
                title.capitalize(),
                f"{len(own)} epoch{'s' if len(own) > 1 else ''}, {own[-1].steps} steps in {duration(seconds)}, "
                f"{own[-1].steps_per_second:.3g} steps a second, {100 * own[-1].loading_share:.0f} % of them loading",
            )
    yield "Seed", str(recipe.seed)
    versions = manifest.provenance.get("trained_with", {})
    yield "Versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "Git revision", checkpoint.revision or "trained outside of a checkout"
    yield "Digest of the data's files", checkpoint.data or "not recorded"
    for name in (CHECKPOINT, "recipe.yaml"):
        yield f"SHA-256 of {name}", _sha256(run / name)


def data_facts(recipe: Recipe, corpus: Corpus | None) -> list[DataFact]:
    """One for each data set of the recipe; without numbers where the data are not at hand."""
    return [
        DataFact(
            name=data.name,
            folder=data.folder,
            clips="not here"
            if corpus is None
            else " / ".join(str(corpus.clip_count(data.name, split)) for split in ("train", "val", "test")),
            passes=f"{data.clean_passes if corpus is None else corpus.clean_passes(data.name)} plain, "
            f"{data.augmented_passes} augmented",
            credit=data.credit,
        )
        for data in recipe.data
    ]


def duration(seconds: float) -> str:
    """As people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _sha256(path: Path) -> str:
    if not path.is_file():
        return "not there"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
