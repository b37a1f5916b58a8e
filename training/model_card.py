"""The card that goes with a model: what it does, from what it was made, how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from backend.bundle_manifest import Manifest
from training.config import Recipe, Start
from training.results import Results, Row


def model_card(manifest: Manifest, recipe: Recipe, results: Results | None) -> str:
    """Markdown."""
    sections = [
        f"# {manifest.name} {manifest.version}",
        manifest.title,
        f"Licence of the weights: {manifest.licence}.",
        _heads(manifest),
        _training(manifest, recipe),
        _data(recipe),
        _numbers(results),
        _limits(recipe),
    ]
    return "\n\n".join(sections) + "\n"


def _heads(manifest: Manifest) -> str:
    lines = ["## What it gives", "| head | what | frames per second | channels |", "|---|---|---|---|"]
    for head in manifest.spec.heads:
        annotation = head.annotation
        default = " (default)" if annotation.type_name == manifest.default_head else ""
        lines.append(
            f"| {annotation.type_name}{default} | {annotation.title} | {annotation.fps:g} | {annotation.dim} |"
        )
    identities = ", ".join(manifest.spec.identities)
    return "\n".join([*lines, "", f"Identities: {identities}. Default: {manifest.default_identity}."])


def _training(manifest: Manifest, recipe: Recipe) -> str:
    encoder, warm_up, joint = recipe.encoder, recipe.warm_up, recipe.joint
    begun = [] if recipe.start is None else [_start(recipe.start)]
    joint_text = f"{joint.epochs} epochs of joint training" if joint.epochs else "no joint training"
    return "\n".join(
        [
            "## How it was trained",
            *begun,
            f"- Encoder: {encoder.credit or ', '.join(encoder.source)}; {encoder.layers or 'all'} transformer layers"
            f"{', without the final LayerNorm' if encoder.kind == 'whisper' and not encoder.final_layer_norm else ''}.",
            f"- Decoder: {recipe.decoder.kind}, {recipe.decoder.width} channels, "
            f"identity embedding of {recipe.decoder.identity_width}.",
            f"- {warm_up.epochs} epochs of decoder warm-up with a frozen encoder, {joint_text}, "
            f"pivot probability {recipe.pivot_probability:g}.",
            f"- {_sequences(recipe)}.",
            f"- {_versions(manifest.provenance)}.",
            "- The whole recipe is in `model.json` under `provenance`.",
        ]
    )


def _versions(provenance: Mapping[str, Any]) -> str:
    """With what it was trained, so that it can be trained again."""
    parts = [f"{name} {version}" for name, version in provenance["trained_with"].items()]
    if provenance["revision"]:
        parts.append(f"git revision {provenance['revision']}")
    parts += [f"seed {provenance['recipe']['seed']}", f"digest of the data's files {provenance['data']}"]
    state = "Exported" if provenance["finished"] else "Exported before its training was finished,"
    return f"{state} {provenance['date']}; {', '.join(parts)}"


def _start(start: Start) -> str:
    """What the model was before."""
    parts = {"encoder": start.encoder, "decoder": start.decoder}
    kept = " and ".join(part for part, wish in parts.items() if wish == "keep")
    owed = f" It was trained on: {start.credit}." if start.credit else ""
    return f"- Begun from {Path(start.model).name}: its {kept}.{owed}"


def _sequences(recipe: Recipe) -> str:
    """What was done to the clips."""
    joining = recipe.joining
    parts = ["Clips as they are" if joining is None else "Clips joined to {:g} to {:g} s".format(*joining.seconds)]
    if recipe.silence.to_rest:
        parts.append("silence faded to rest")
    if any(data.augmented_passes for data in recipe.data):
        parts.append("sound augmented in speed, level, room, tilt and noise")
    return ", ".join(parts)


def _data(recipe: Recipe) -> str:
    lines = ["## Data"]
    lines += [f"- {data.name}: {data.credit or data.folder}." for data in recipe.data]
    return "\n".join(lines)


def _numbers(results: Results | None) -> str:
    if results is None:
        return "## Numbers\nNot evaluated."
    lines = [
        "## Numbers",
        "r is Pearson's correlation with measured motion over all frames of the split; *mouth r* the mean over the "
        "mouth channels that move. *linear head* is the floor: the same frozen features, one linear map fitted in "
        "closed form. *measured motion* says what the measures without ground truth give for the recordings "
        "themselves; docs/measures.md says what each of them means.",
    ]
    for data, rows in groupby(results.rows, key=lambda row: (row.data, row.head)):
        lines.append(_table(f"{data[0]}: {data[1]}", list(rows)))
    return "\n\n".join(lines)


def _table(title: str, rows: list[Row]) -> str:
    systems = " | ".join(row.system for row in rows)
    lines = [f"**{title}**", "", f"| | {systems} |", "|---" * (len(rows) + 1) + "|"]
    for name in dict.fromkeys(name for row in rows for name in row.numbers):
        cells = (f"{row.numbers[name]:.3g}" if name in row.numbers else "" for row in rows)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    notes = dict.fromkeys(row.note for row in rows if row.note)
    return "\n".join([*lines, *(f"\n{note}" for note in notes)])


def _limits(recipe: Recipe) -> str:
    return "\n".join(["## Limits", *(f"- {limit}" for limit in recipe.limits or ("Not stated.",))])
