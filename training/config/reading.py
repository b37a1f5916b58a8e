"""From YAML files to a recipe: what it extends, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from backend.errors import UniTalkerError
from training.config.messages import problems
from training.config.recipe import Recipe

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
_EXTENDS = "extends"


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path, or the name of one of those that come with this package."""
    path = Path(name)
    return path if path.suffix or path.exists() else RECIPES / f"{name}.yaml"


def load_recipe(path: Path, only: Sequence[str] = (), changes: Mapping[str, Any] | None = None) -> Recipe:
    """Reads a recipe and those it extends.

    Args:
        path: the file. Its ``extends`` names another recipe, beside it or among those that come with this package,
            of which it says only what differs; see `merge`.
        only: data sets to use of those in the recipe; all if empty. They become part of its name.
        changes: see `merge`, which they come to in the end.

    Raises:
        UniTalkerError: a file is missing, not YAML, extends itself, or has a wrong, missing or unknown field; the
            message names it.
    """
    content = merge(_resolved(path, ()), changes or {})
    if only:
        content = merge(content, {"name": "-".join((str(content.get("name")), *only)), "only": list(only)})
    return parse_recipe(content, str(path))


def parse_recipe(content: Any, label: str) -> Recipe:
    """Checks a recipe that is already plain data.

    Args:
        content: what YAML or JSON gave.
        label: where it came from, for messages.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise UniTalkerError(
            "recipe.invalid", f"{label}: {problems(error, Recipe)}.", "training/config documents every field."
        ) from error


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with changes: sections are merged field by field at any depth; anything else is replaced.

    A list of data sets is replaced by a list, and by a mapping changed in those that it names:
    ``data: {D0: {clips: 96}}``.

    Raises:
        UniTalkerError: there is no data set of such a name.
    """
    merged = dict(base)
    for name, value in changes.items():
        known = merged.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[name] = merge(known, value)
        elif isinstance(known, list) and isinstance(value, Mapping):
            merged[name] = _merge_named(name, known, value)
        else:
            merged[name] = value
    return merged


def _merge_named(place: str, entries: list[Any], changes: Mapping[str, Any]) -> list[Any]:
    """Entries of a list with changes to those that are named."""
    names = [str(entry.get("name") if isinstance(entry, Mapping) else entry) for entry in entries]
    unknown = [name for name in changes if name not in names]
    if unknown:
        raise UniTalkerError(
            "recipe.name",
            f"There is no {unknown[0]} in {place} to be changed; there are {', '.join(names)}.",
            "To replace all of them, write a list.",
        )
    merged = []
    for name, entry in zip(names, entries, strict=True):
        both = isinstance(entry, Mapping) and isinstance(changes.get(name), Mapping)
        merged.append(merge(entry, changes[name]) if both else entry)
    return merged


def parse_changes(settings: Sequence[str]) -> dict[str, Any]:
    """``decoder.kind=transformer`` and the like as `merge` takes them.

    Args:
        settings: a field with the sections above it, and its value in YAML.

    Raises:
        UniTalkerError: one has no ``=``, or is not YAML behind it.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        place, equals, value = setting.partition("=")
        if not equals:
            raise UniTalkerError(
                "recipe.setting", f"{setting!r} sets nothing.", "Write it as decoder.kind=transformer."
            )
        try:
            change = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UniTalkerError("recipe.setting", f"{value!r} in {setting!r} is not valid YAML.") from error
        for section in reversed(place.strip().split(".")):
            change = {section: change}
        changes = merge(changes, change)
    return changes


def _resolved(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """A file merged into what it extends, at any remove."""
    if path.resolve() in above:
        chain = " extends ".join(file.stem for file in (*above, path))
        raise UniTalkerError("recipe.cycle", f"{above[0]} never comes to an end: {chain}.", "Take out one extends.")
    content = _read(path)
    if _EXTENDS not in content:
        return content
    base = _find_base(content.pop(_EXTENDS), path)
    return merge(_resolved(base, (*above, path.resolve())), content)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        shipped = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.yaml")))
        raise UniTalkerError(
            "recipe.not_found",
            f"The recipe {path} cannot be read: {error.strerror}.",
            f"Give the path of a file, or one of {shipped}.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UniTalkerError("recipe.invalid", f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UniTalkerError("recipe.invalid", f"{path} holds no fields such as name, data and heads.")
    return content


def _find_base(name: Any, path: Path) -> Path:
    """The file that ``extends`` names; a recipe may extend one of its own name that comes with this package."""
    file = Path(f"{name}" if str(name).endswith((".yaml", ".yml")) else f"{name}.yaml")
    candidates = [path.parent / file, RECIPES / file]
    found = [candidate for candidate in candidates if candidate.is_file()]
    others = [candidate for candidate in found if candidate.resolve() != path.resolve()]
    if not found:
        raise UniTalkerError(
            "recipe.base",
            f"{path} extends {name}, which is neither beside it nor in {RECIPES}.",
            f"There are {', '.join(sorted(shipped.stem for shipped in RECIPES.glob('*.yaml')))}.",
        )
    return (others or found)[0]
