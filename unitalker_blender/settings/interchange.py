"""Vertex heads and motion files: the same settings for the panels (kept in the scene) and for operators' arguments."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from .. import backend_session, compat

METHODS = (
    ("KEYS", "Shape Keys", "Shapes with keyed weights: small, editable, close to the motion"),
    ("CACHE", "Point Cache", "Every vertex of every frame in a PC2 file, played by a modifier: exact"),
)


def _search_vertex_heads(_self: object, _context: object, text: str) -> list[tuple[str, str]]:
    hello = backend_session.current_hello()
    heads = [head for model in hello.models for head in model.heads] if hello else []
    found = [(head.name, head.title) for head in heads if head.kind == "vertices"]
    return [pair for pair in dict.fromkeys(found) if text.lower() in " ".join(pair).lower()]


class VertexSettings:
    """How vertices are moved."""

    vertex_head: StringProperty(
        name="Head",
        description="Which of the model's outputs of vertices; empty for its first one",
        search=_search_vertex_heads,
        options=set(),
    )
    new_mesh: BoolProperty(
        name="New Mesh",
        default=False,
        description="Make a mesh in the head's own topology, at the 3D cursor, instead of moving the target",
        options=set(),
    )
    method: EnumProperty(
        name="Method", items=METHODS, default="KEYS", description="How the motion is kept", options=set()
    )
    tolerance_mm: FloatProperty(
        name="Error (mm)",
        default=0.1,
        min=0.0,
        soft_max=2.0,
        max=100.0,
        precision=3,
        description="No more shape keys than keep every vertex this close to the motion, in millimetres of the head",
        options=set(),
    )
    most_keys: IntProperty(
        name="Most Keys", default=32, min=1, max=256, description="No more shape keys than this", options=set()
    )
    cache: StringProperty(
        name="Cache File",
        subtype="FILE_PATH",
        description="The PC2 file; empty for one beside the saved file, called after the object",
        options=compat.RELATIVE_PATH,
    )


class MotionFileSettings:
    """A file with motion."""

    motion: StringProperty(
        name="Motion",
        subtype="FILE_PATH",
        description="Motion file: Live Link Face .csv, .npz or .json",
        options=compat.RELATIVE_PATH,
    )
    entry: StringProperty(
        name="Entry",
        description="Which result, for an .npz that holds several: sound file and data set, as in hello.wav/D1",
        options=set(),
    )
    motion_sound: StringProperty(
        name="Its Sound",
        subtype="FILE_PATH",
        description="The sound that belongs to the motion; empty for none",
        options=compat.RELATIVE_PATH,
    )


class UniTalkerInterchange(VertexSettings, MotionFileSettings, bpy.types.PropertyGroup):
    """The panels' settings; `scene.unitalker_interchange`."""


CLASSES = (UniTalkerInterchange,)


def add_to_scene() -> None:
    bpy.types.Scene.unitalker_interchange = PointerProperty(type=UniTalkerInterchange)


def remove_from_scene() -> None:
    del bpy.types.Scene.unitalker_interchange
