"""What pydantic found wrong with a recipe, in the words of who wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_LISTED = 3


def problems(error: ValidationError, recipe: type[BaseModel]) -> str:
    """All problems in one line.

    Args:
        error: of validating a recipe.
        recipe: the class, whose fields are what could have been meant.
    """
    return "; ".join(dict.fromkeys(_problem(detail, recipe) for detail in error.errors()))


def _problem(detail: ErrorDetails, recipe: type[BaseModel]) -> str:
    place = ".".join(map(str, detail["loc"]))
    message = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            return f"{place} is not a field{_suggestion(detail['loc'], recipe)}"
        case "missing":
            return f"{place} is missing"
        case "value_error":
            return f"{place}: {message}" if place else message
        case _:
            value = f" is {detail['input']!r}" if isinstance(detail["input"], str | int | float | None) else ""
            return f"{place or 'recipe'}{value}: {message[0].lower()}{message[1:]}"


def _suggestion(place: tuple[int | str, ...], recipe: type[BaseModel]) -> str:
    """The nearest field of the same section, or the sections that have this one."""
    name, section = str(place[-1]), _section_at(place[:-1], recipe)
    near = get_close_matches(name, section.model_fields, n=1)
    if near:
        return f" (did you mean {near[0]}?)"
    elsewhere = [path for path in _paths(recipe) if path.rpartition(".")[2] == name]
    if elsewhere:
        return f" here; it is one of {' and '.join(path.rpartition('.')[0] for path in elsewhere[:_LISTED])}"
    return f"; there are {', '.join(section.model_fields)}"


def _section_at(place: tuple[int | str, ...], recipe: type[BaseModel]) -> type[BaseModel]:
    """The section at a place; numbers of list items and names of heads lead no further down."""
    section = recipe
    for part in place:
        field = section.model_fields.get(str(part))
        section = (_section_in(field.annotation) if field else None) or section
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field, a list or a table of fields is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((section for inner in get_args(annotation) if (section := _section_in(inner))), None)


def _paths(section: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield above + name
        inner = _section_in(field.annotation)
        if inner:
            yield from _paths(inner, f"{above}{name}.")
