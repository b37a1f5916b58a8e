"""A recipe: everything that decides how a model comes out, in one YAML file.

Each field says what it does and when to change it. Unknown fields are errors, so that a typing mistake cannot
silently fall back to a default.
"""

from training.config.data import Augmentation, DataSet, Joining, Silence
from training.config.loss import Loss
from training.config.network import Encoder, Head, Start
from training.config.reading import RECIPES, find_recipe, load_recipe, merge, parse_changes, parse_recipe
from training.config.recipe import Recipe
from training.config.section import Range
from training.config.stage import EarlyStop, JointStage, Optimiser, Stage

__all__ = [
    "RECIPES",
    "Augmentation",
    "DataSet",
    "EarlyStop",
    "Encoder",
    "Head",
    "Joining",
    "JointStage",
    "Loss",
    "Optimiser",
    "Range",
    "Recipe",
    "Silence",
    "Stage",
    "Start",
    "find_recipe",
    "load_recipe",
    "merge",
    "parse_changes",
    "parse_recipe",
]
