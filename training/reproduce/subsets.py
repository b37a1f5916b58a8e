"""Parts of data sets as folders of their own: fewer clips, some of the people, one clip of a person.

A part holds lists and small files only; its clips stay where they are. Its test clips are the same for every part of a
set, so that trainings on different parts are measured alike.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError

_COMPANIONS = ("annotation.json", "lip_idx.npy")
_SPLITS = ("train", "test")


@dataclass(frozen=True)
class Part:
    """Some clips of a data set.

    Attributes:
        data: the recipe's name of the set, ``G3``.
        people: whose clips; everybody's if left out.
        share: of the training clips of each person, evenly chosen.
        first: how many of each person's training clips are left; all by default.
        tests: what is measured on: the set's test clips of the people, or ``unused``, all their clips of any split
            that are not trained on (people whom no other training hears).
    """

    data: str
    people: tuple[str, ...] | None = None
    share: float = 1.0
    first: int | None = None
    tests: str = "test"

    @property
    def folder(self) -> str:
        """Its name beside the other parts."""
        people = "" if self.people is None else "-" + "-".join(self.people)
        share = "" if self.share == 1 else f"-{self.share:.4g}"
        first = "" if self.first is None else f"-first{self.first}"
        return f"{self.data}{people}{share}{first}{'' if self.tests == 'test' else '-' + self.tests}"


def write_part(part: Part, source: Path, folder: Path, longest_test: int) -> None:
    """Writes the folder of a part; one that is there already is left as it is.

    Args:
        part: which clips.
        source: folder of the whole data set.
        folder: to write, complete or not at all.
        longest_test: test clips that are used at most, evenly chosen.

    Raises:
        UniTalkerError: the data set lacks a file, or has none of the people.
    """
    if folder.is_dir():
        return
    lists = {split: _read_list(source, split) for split in _SPLITS}
    listed = lists["train"]["info"]["id_list"]
    people = listed if part.people is None else [name for name in listed if name in part.people]
    if not people:
        raise UniTalkerError(
            "data.identities",
            f"{source} has none of {', '.join(part.people or ())}.",
            "Is it the data set of the suite?",
        )
    training = _training_clips(lists["train"], people, part)
    if part.tests == "test":
        tests = _of_people(lists["test"], people)
    else:
        every = [*lists["train"]["data"], *_read_list(source, "val")["data"], *lists["test"]["data"]]
        used = {entry["annot_path"] for entry in training}
        tests = [e for e in every if listed[e["id"]] in people and e["annot_path"] not in used]
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in _COMPANIONS:
        if (source / name).is_file():
            shutil.copyfile(source / name, partial / name)
    rows = np.load(source / "id_template.npy", allow_pickle=False).reshape(len(listed), -1)
    np.save(partial / "id_template.npy", rows[[listed.index(name) for name in people]])
    for split, entries in (("train", training), ("test", _evenly(tests, longest_test))):
        _write_list(partial / f"{split}.json", people, listed, entries, source)
    partial.replace(folder)


def _training_clips(content: dict[str, Any], people: list[str], part: Part) -> list[dict[str, Any]]:
    by_person: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for entry in _of_people(content, people):
        by_person[entry["id"]].append(entry)
    chosen = []
    for own in by_person.values():
        kept = _evenly(own, max(round(part.share * len(own)), 1))
        chosen += kept if part.first is None else kept[: part.first]
    return chosen


def _of_people(content: dict[str, Any], people: list[str]) -> list[dict[str, Any]]:
    listed = content["info"]["id_list"]
    return [entry for entry in content["data"] if listed[entry["id"]] in people]


def _evenly(entries: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many of them, at equal distances."""
    if len(entries) <= count:
        return entries
    return [entries[int(place)] for place in np.arange(count) * len(entries) / count]


def _read_list(source: Path, split: str) -> dict[str, Any]:
    path = source / f"{split}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UniTalkerError(
            "data.not_found", f"{path} cannot be read: {error}.", "Is --data-root the folder of the data sets?"
        ) from error
    return content


def _write_list(path: Path, people: list[str], listed: list[str], entries: list[dict[str, Any]], source: Path) -> None:
    data = [
        {
            **entry,
            "id": people.index(listed[entry["id"]]),
            "annot_path": str((source / entry["annot_path"]).resolve()),
            "audio_path": str((source / entry["audio_path"]).resolve()),
        }
        for entry in entries
    ]
    path.write_text(json.dumps({"info": {"id_list": people}, "data": data}), encoding="utf-8")
