"""What all panels in the tab have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..operators import stepping

if TYPE_CHECKING:
    import bpy


class SidebarPanel:
    """A panel of the tab UniTalker."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "UniTalker"


class SubPanel(SidebarPanel):
    """One below the first, closed until somebody wants it."""

    bl_parent_id = "UNITALKER_PT_speech"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}


def for_settings(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A panel's layout with names on the left and values on the right; grey while a job runs."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.enabled = stepping.running() is None
    return layout
