"""Mappings as JSON files, to be used on another character or handed to somebody else. Knows nothing of Blender."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..client.errors import UniTalkerError
from .rig_rows import CHANNELS, Row

SCHEMA = 1
_KIND = "unitalker mapping"
_HINT = "Choose a file that Save Mapping has written."
_LONGEST = 1 << 22


@dataclass(frozen=True)
class Preset:
    """A mapping: the convention whose channels its rows may follow (empty for none), and the rows."""

    convention: str
    rows: tuple[Row, ...]


def save_preset(path: Path, preset: Preset) -> None:
    """Write a mapping, whole or not at all; UniTalkerError ``preset.unwritable``."""
    rows = ",\n".join(f"    {json.dumps(asdict(row), ensure_ascii=False)}" for row in preset.rows)
    text = (
        f'{{\n  "kind": {json.dumps(_KIND)},\n  "schema": {SCHEMA},\n'
        f'  "convention": {json.dumps(preset.convention)},\n  "rows": [\n{rows}\n  ]\n}}\n'
    )
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UniTalkerError(
            "preset.unwritable", f"Cannot write {path}: {error.strerror}.", "Choose another folder or name."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def load_preset(path: Path) -> Preset:
    """Read a mapping.

    Raises:
        UniTalkerError: ``preset.unreadable`` when it is none, ``preset.newer`` when a later version wrote it.
    """
    data = _read(path)
    if not isinstance(data, dict) or data.get("kind") != _KIND:
        raise _unreadable(path, "it is no mapping")
    schema = data.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise UniTalkerError(
            "preset.newer",
            f"{path.name} was saved by a newer version of UniTalker (format {schema}; this one reads {SCHEMA}).",
            "Update the add-on.",
        )
    if schema != SCHEMA or not isinstance(data.get("rows"), list) or not isinstance(data.get("convention"), str):
        raise _unreadable(path, "parts of it are missing")
    return Preset(data["convention"], tuple(_row(path, i, row) for i, row in enumerate(data["rows"], start=1)))


def missing_targets(rows: Sequence[Row], names: Sequence[str]) -> tuple[str, ...]:
    """Shape keys that rows speak of and a character does not have: it was made for another one."""
    known = set(names)
    return tuple(dict.fromkeys(row.target for row in rows if row.kind == "SHAPE_KEY" and row.target not in known))


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > _LONGEST:
            raise _unreadable(path, "it is too long")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, "it is not JSON") from error


_TYPES = {field.name: type(field.default) for field in fields(Row) if field.name not in ("target", "source", "kind")}


def _row(path: Path, number: int, data: object) -> Row:
    """A row of a file; numbers may be whole."""
    if not isinstance(data, Mapping):
        raise _unreadable(path, f"row {number} is no row")
    values: dict[str, Any] = {}
    for name, value in data.items():
        wanted = str if name in ("target", "source", "kind") else _TYPES.get(name)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if wanted is None or not isinstance(value, wanted) or (isinstance(value, float) and not math.isfinite(value)):
            raise _unreadable(path, f"row {number} has {name!r:.40} = {value!r:.40}")
        values[name] = value
    if not values.get("source") or "target" not in values:
        raise _unreadable(path, f"row {number} has no target or source")
    row = Row(**values)
    if row.kind not in ("SHAPE_KEY", "BONE", "OBJECT") or (row.kind != "SHAPE_KEY" and row.channel not in CHANNELS):
        raise _unreadable(path, f"row {number} is for {row.kind!r:.20} {row.channel!r:.20}")
    if row.minimum > row.maximum:
        raise _unreadable(path, f"row {number} has its limits the wrong way round")
    return row


def _unreadable(path: Path, why: str) -> UniTalkerError:
    return UniTalkerError("preset.unreadable", f"Cannot read {path.name}: {why}.", _HINT)
