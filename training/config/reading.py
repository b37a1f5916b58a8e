"""From a YAML file to a recipe, with mistakes named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from backend.errors import UniTalkerError
from training.config.recipe import Recipe


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe.

    Raises:
        UniTalkerError: the file is missing, not YAML, or has a wrong, missing or unknown field; the message names it.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UniTalkerError("recipe.not_found", f"The recipe {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UniTalkerError("recipe.invalid", f"{path} is not valid YAML: {error}") from error
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
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'recipe'}: {problem['msg']}" for problem in error.errors()
        )
        raise UniTalkerError(
            "recipe.invalid", f"{label}: {problems}.", "training/config documents every field."
        ) from error
