"""Make the vertices of a mesh speak, as a head of vertices says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import StringProperty

from .. import backend_session, properties
from ..client.errors import UniTalkerError
from ..scene import target as targets
from ..settings.interchange import MotionFileSettings, VertexSettings
from ..settings.placement import PlacementSettings
from ..settings.speech import SpeechSettings
from .panel_operator import PanelOperator

if TYPE_CHECKING:
    from ..vertex_job import VertexJob


def vertices_problem(context: bpy.types.Context) -> str:
    """Why the button cannot be pressed, empty when it can."""
    settings, chosen = context.scene.unitalker, context.scene.unitalker_interchange
    if not chosen.new_mesh:
        try:
            target = targets.find_object(context.scene, settings.target_name(context))
        except UniTalkerError as error:
            return f"{error.message} {error.hint}"
        if target.type != "MESH":
            return f"'{target.name}' is not a mesh."
    return "" if settings.filepath else "Choose a sound file."


class UNITALKER_OT_animate_vertices(  # noqa: N801
    PanelOperator, SpeechSettings, PlacementSettings, VertexSettings, MotionFileSettings, bpy.types.Operator
):
    """Move the vertices of a mesh of the head's own topology, or of a new one, as shape keys or a point cache.

    Arguments that are not given are those of the panels; `motion` takes the vertices from a file instead.
    """

    bl_idname = "unitalker.animate_vertices"
    bl_label = "Animate Vertices"
    bl_description = "Move the vertices of the target, or of a new mesh, as the head of vertices says"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    object: StringProperty(name="Object", description="Mesh to move; empty: the panel's target", options=set())
    preset: StringProperty(name="Preset", description="Preset to direct the face by", options=set())
    direction: StringProperty(name="Direction", description="JSON as in a preset file", options=set())
    device: properties.device_property("Where the model is computed; if not given, as in the preferences")
    engine: properties.engine_property("What computes the model")

    @classmethod
    def problem(cls, context: bpy.types.Context) -> str:
        return vertices_problem(context)

    def make_job(self, context: bpy.types.Context) -> VertexJob:
        from .. import vertex_options
        from ..vertex_job import VertexJob

        return VertexJob(context.scene, vertex_options.options(context, self.given()), backend_session.get())
