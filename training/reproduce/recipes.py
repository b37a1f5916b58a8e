"""From a training of the suite to the recipe that the ordinary trainer takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from training.config import Recipe, merge, parse_recipe
from training.reproduce.budget import Plan, whole_epochs
from training.reproduce.subsets import Part
from training.reproduce.suite import Training

Content = dict[str, Any]


class RecipeMaker:
    """Makes recipes from a base.

    Args:
        base: path of the base recipe; its data sets are those that parts name.
        parts: folder of the parts.
    """

    def __init__(self, base: Path, parts: Path) -> None:
        self._base: Content = yaml.safe_load(base.read_text(encoding="utf-8"))
        self._parts = parts
        self._label = base.name

    @property
    def sources(self) -> dict[str, str]:
        """Folder of each whole data set, relative to the data root, by its name in the recipe."""
        return {data["name"]: data["folder"] for data in self._base["data"]}

    @property
    def components(self) -> dict[str, int]:
        """PCA components by head, of those that have any."""
        return {name: head["components"] for name, head in self._base["heads"].items() if "components" in head}

    def recipe(self, training: Training, seed: int, plan: Plan, start: Path | None) -> Recipe:
        """The recipe of a training.

        Args:
            training: which.
            seed: its seed.
            plan: how long.
            start: run that it begins from, where it does.
        """
        content = merge(self._base, training.changes)
        content |= {
            "name": "-".join(training.name.replace(",", "").split()),
            "data": self._all_data(training, plan),
            "heads": {name: head for name, head in content["heads"].items() if name in self._types(training)},
            "seed": seed,
        }
        batches = self._batches(training.parts, content["data"])
        for stage, count in zip(("warm_up", "joint"), plan.steps(training), strict=True):
            content[stage] = content[stage] | {"epochs": whole_epochs(count, batches)}
        if start is not None:
            trained = "all" if training.joint else "decoder"
            content["start"] = content.get("start", {}) | {"model": str(start), "trained": trained}
            # These are the start model's.
            del content["encoder"]
            if content["start"].get("decoder") != "fresh":
                del content["decoder"]
        return parse_recipe(content, f"{self._label}, {training.name}")

    def recipe_of_part(self, part: Part) -> Recipe:
        """For reading a part alone."""
        training = Training(part.folder, (part,), ())
        content = self._base | {
            "name": part.folder,
            "data": [self._data(part)],
            "heads": {name: head for name, head in self._base["heads"].items() if name in self._types(training)},
        }
        return parse_recipe(content, f"{self._label}, {part.folder}")

    def batches(self, training: Training) -> int:
        """Steps of an epoch in which each part is passed as often as the base recipe says."""
        return self._batches(training.parts, [self._data(part) for part in training.parts])

    def _all_data(self, training: Training, plan: Plan) -> list[Content]:
        """The data of a training, a small part passed so often that its epoch is as long as that of a large one.

        After every epoch a checkpoint is written, which takes longer than a step.
        """
        data = [self._data(part) for part in training.parts]
        if len(data) == 1:
            wanted = plan.epoch * training.effort
            data[0]["clean_passes"] = _passes(data[0]) * max(round(wanted / self._batches(training.parts, data)), 1)
        return data

    def _batches(self, parts: tuple[Part, ...], data: list[Content]) -> int:
        by_head: dict[str, int] = {}
        for part, settings in zip(parts, data, strict=True):
            clips = len(_read(self._parts / part.folder / "train.json")["data"])
            head = self.type_of(part)
            by_head[head] = by_head.get(head, 0) + clips * _passes(settings)
        return sum(-(-count // self._base["warm_up"]["batch"]) for count in by_head.values())

    def _data(self, part: Part) -> Content:
        settings = next(data for data in self._base["data"] if data["name"] == part.data)
        return {**settings, "folder": part.folder}

    def _types(self, training: Training) -> set[str]:
        return {self.type_of(part) for part in training.parts}

    def type_of(self, part: Part) -> str:
        """Annotation type of a part that is written."""
        return str(_read(self._parts / part.folder / "annotation.json")["annot_type"])


def _passes(settings: Content) -> int:
    return int(settings.get("clean_passes") or 1)


def _read(path: Path) -> Content:
    content: Content = json.loads(path.read_text(encoding="utf-8"))
    return content
