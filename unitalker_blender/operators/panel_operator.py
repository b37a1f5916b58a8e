"""What operators have in common whose arguments, when not given, are those of the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..translations import translate
from .stepping import SteppingOperator, running


class PanelOperator(SteppingOperator):
    """Base of operators that run one job; a script's arguments count before the panel's."""

    if TYPE_CHECKING:
        properties: Any

        @classmethod
        def poll_message_set(cls, message: str) -> None:
            """Of bpy.types.Operator, the other base of every operator."""

        @classmethod
        def problem(cls, context: bpy.types.Context) -> str:
            """Of every operator: why the panel's button cannot be pressed, empty when it can."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if running() is not None:
            cls.poll_message_set("UniTalker is already at work; cancel that first")
            return False
        # Buttons take their arguments from the panel; a script may give its own, so it is judged by those.
        problem = cls.problem(context) if context.region is not None and context.region.type == "UI" else ""
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem

    def given(self) -> dict[str, Any]:
        """The arguments of this call."""
        names = [prop.identifier for prop in self.properties.bl_rna.properties]
        return {name: getattr(self, name) for name in names if self.properties.is_property_set(name)}
