"""The list of a batch: a CSV table or a folder of sounds, as items; what is wrong with a row is told of that row."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.batch.item import Failure, Item, ItemResult
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions
from backend.motion.presets import DirectionChoice, preset_names
from backend.protocol import describe

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_DELIMITERS = ",;\t"


class Row(BaseModel):
    """The columns of a manifest; empty cells take what the command line says.

    Attributes:
        audio: sound file, relative to the manifest's folder.
        output: motion file, relative to the output folder; the sound's name and the format asked for if left out.
        head: annotation type of the model.
        identity: speaking style.
        fps: frames per second.
        preset: direction, by name or as a .json file relative to the manifest's folder.
        intensity: 0 is still, 1 as the model says.
        smoothing: seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    audio: str = Field(min_length=1)
    output: str | None = None
    head: str | None = None
    identity: str | None = None
    fps: float | None = Field(default=None, gt=0, le=1000, allow_inf_nan=False)
    preset: str | None = None
    intensity: float | None = Field(default=None, ge=0, le=10, allow_inf_nan=False)
    smoothing: float | None = Field(default=None, ge=0, le=10, allow_inf_nan=False)


@dataclass(frozen=True)
class Defaults:
    """What the command line says of every item.

    Attributes:
        out: folder for the results.
        suffix: format, e.g. ``.npz``.
        variants: every head with every identity that is asked for; at least one.
        direction: what the direction of the variants is made of, of which rows may replace parts.
    """

    out: Path
    suffix: str
    variants: tuple[AnimateOptions, ...]
    direction: DirectionChoice


def read_items(source: Path, defaults: Defaults) -> tuple[list[Item], list[ItemResult]]:
    """The items of a manifest or of a folder, and the rows that cannot be done.

    Raises:
        UniTalkerError: ``batch.manifest`` when nothing at all can be done with it.
    """
    failed: list[ItemResult] = []
    if source.is_dir():
        items = list(_folder_items(source, defaults))
    else:
        items, failed = _manifest_items(source, defaults)
    if not items and not failed:
        suffixes = ", ".join(suffix.removeprefix(".") for suffix in SOUND_SUFFIXES)
        hint = f"Sounds are looked for by their suffix: {suffixes}." if source.is_dir() else "Add a row for each sound."
        raise UniTalkerError("batch.manifest", f"{source} names no sound.", hint)
    unique, duplicates = _split_duplicates(items)
    return unique, failed + duplicates


# --- a folder ----------------------------------------------------------------------------------------------------


def _folder_items(folder: Path, defaults: Defaults) -> Iterator[Item]:
    """Every sound below a folder, in the order of the names; the results repeat the folders."""
    sounds = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES and path.is_file())
    for number, audio in enumerate(sounds, 1):
        output = defaults.out / audio.relative_to(folder).with_suffix(defaults.suffix)
        yield from _variant_items(number, audio, output, defaults.variants)


# --- a table -----------------------------------------------------------------------------------------------------


def _manifest_items(path: Path, defaults: Defaults) -> tuple[list[Item], list[ItemResult]]:
    items: list[Item] = []
    failed: list[ItemResult] = []
    for number, cells in _read_table(path):
        try:
            items += _row_items(number, Row.model_validate(cells), path.parent, defaults)
        except (ValidationError, UniTalkerError) as error:
            reason = f"{describe(error)}." if isinstance(error, ValidationError) else str(error)
            audio = path.parent / cells["audio"] if isinstance(cells.get("audio"), str) else None
            failed.append(_bad_row(number, audio, f"Row {number}: {reason}"))
    return items, failed


def _read_table(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Line number and filled cells of each row; the delimiter is whichever of comma, semicolon, tab the header has."""
    try:
        # With a byte order mark, as spreadsheets write it.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UniTalkerError("batch.manifest", f"There is no file or folder {path}.", "Check the name.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UniTalkerError("batch.manifest", f"{path} cannot be read: {error}.", "Save it as UTF-8 CSV.") from error
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    lines = io.StringIO(text, newline="")
    reader = csv.DictReader(lines, delimiter=delimiter, restkey="more cells than columns", strict=True)
    try:
        _check_columns(path, reader.fieldnames or ())
        return [(reader.line_num, _filled(cells)) for cells in reader if _filled(cells)]
    except csv.Error as error:
        raise UniTalkerError("batch.manifest", f"{path} is no CSV table: {error}.", "Save it as UTF-8 CSV.") from error


def _filled(cells: dict[str, Any]) -> dict[str, Any]:
    """Cells with something in them. Names are stripped in the header only: a file's name may end in a blank."""
    return {name.strip(): cell for name, cell in cells.items() if cell}


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    known = list(Row.model_fields)
    names = [name.strip() for name in columns]
    unknown = [name for name in names if name not in known]
    if "audio" in names and not unknown and len(set(names)) == len(names):
        return
    if "audio" not in names:
        problem = "has no column audio"
    elif unknown:
        problem = f"has columns that are not known: {', '.join(map(repr, unknown))}"
    else:
        problem = "names a column twice"
    raise UniTalkerError("batch.manifest", f"{path} {problem}.", f"The columns are: {', '.join(known)}.")


def _row_items(number: int, row: Row, folder: Path, defaults: Defaults) -> Iterator[Item]:
    audio = folder / row.audio
    output = defaults.out / (row.output or f"{audio.stem}{defaults.suffix}")
    named = row.model_dump(include={"head", "identity", "fps"}, exclude_none=True)
    sliders = row.model_dump(include={"preset", "intensity", "smoothing"}, exclude_none=True)
    if row.preset is not None and row.preset not in preset_names():
        sliders["preset"] = str(folder / row.preset)
    direction = replace(defaults.direction, **sliders).direction()
    variants = [replace(options, direction=direction, **named) for options in defaults.variants]
    yield from _variant_items(number, audio, output, variants)


def _bad_row(number: int, audio: Path | None, message: str) -> ItemResult:
    hint = "Correct the manifest and run again."
    return ItemResult(number, audio, None, "failed", failure=Failure("batch.row", message, hint))


# --- outputs -----------------------------------------------------------------------------------------------------


def _variant_items(number: int, audio: Path, output: Path, variants: Iterable[AnimateOptions]) -> Iterator[Item]:
    """One item per head and identity; where there are several, their names are added to the output's."""
    # A row that names its head leaves fewer of them than the command line has.
    distinct = list(dict.fromkeys(variants))
    several_heads = len({options.head for options in distinct}) > 1
    several_identities = len({options.identity for options in distinct}) > 1
    for options in distinct:
        parts = [output.stem, *[str(options.head)] * several_heads, *[_in_name(options)] * several_identities]
        yield Item(number, audio, output.with_name(".".join(parts) + output.suffix), options)


def _in_name(options: AnimateOptions) -> str:
    """An identity as part of a file name: those of official models are written ``data set/person``."""
    return str(options.identity).replace("/", "-")


def _split_duplicates(items: Iterable[Item]) -> tuple[list[Item], list[ItemResult]]:
    """Items whose output is theirs alone, and the others as failed: which of them was meant nobody can tell."""
    by_output: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_output[os.path.normcase(item.output.absolute())].append(item)
    unique = [group[0] for group in by_output.values() if len(group) == 1]
    failed = []
    for group in by_output.values():
        rows = ", ".join(str(item.row) for item in group)
        message = f"The rows {rows} have the same output {group[0].output}."
        failure = Failure("batch.duplicate_output", message, "Name another file in the column output.")
        failed += [ItemResult.failed(item, failure) for item in group if len(group) > 1]
    return unique, failed
