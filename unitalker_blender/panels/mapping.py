"""Which shape keys and bones move, by which channels: found by their names, or set row by row."""

from __future__ import annotations

import bpy

from .. import backend_session
from ..client.errors import UniTalkerError
from ..operators.mapping import face_of
from ..settings.mapping import UniTalkerMapping, UniTalkerMappingRow
from .sidebar import SubPanel, for_settings
from .text import draw_text

_ICONS = {"SHAPE_KEY": "SHAPEKEY_DATA", "BONE": "BONE_DATA", "OBJECT": "EMPTY_AXIS"}
_SURE = 0.9


class UNITALKER_UL_mapping(bpy.types.UIList):  # noqa: N801
    """Rows of a mapping; the filter looks at targets and sources."""

    bl_idname = "UNITALKER_UL_mapping"

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: UniTalkerMapping,
        item: UniTalkerMappingRow,
        _icon: int,
        _active_data: UniTalkerMapping,
        _active_property: str,
        _index: int = 0,
        _flag: int = 0,
    ) -> None:
        row = layout.row(align=True)
        row.active = not item.mute
        name = item.target or (item.object.name if item.object else "")
        row.label(text=name or "(no target)", icon=_ICONS[item.kind], translate=False)
        row.label(text=item.source or "(no source)", translate=False)
        row.prop(item, "angle" if item.turns else "gain", text="", emboss=False)
        row.prop(item, "mute", text="", icon="HIDE_ON" if item.mute else "HIDE_OFF", emboss=False)

    def filter_items(
        self, _context: bpy.types.Context, data: UniTalkerMapping, _name: str
    ) -> tuple[list[int], list[int]]:
        text = self.filter_name.lower()
        shown = [not text or text in f"{row.target} {row.source}".lower() for row in data.rows]
        return [self.bitflag_filter_item if show else 0 for show in shown], []


class UNITALKER_PT_mapping(SubPanel, bpy.types.Panel):  # noqa: N801
    """What was detected, the meshes of the character, and the rows."""

    bl_label = "Mapping"
    bl_idname = "UNITALKER_PT_mapping"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return face_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = for_settings(self.layout)
        face = face_of(context)
        assert face is not None  # polled
        mapping = face.unitalker_mapping
        column = layout.column()
        column.prop(mapping, "convention", placeholder="Automatic")
        try:
            _draw_detection(column, context, face)
        except UniTalkerError as error:
            draw_text(column, f"{error.message} {error.hint}", context)
        column.prop(mapping, "use_rows")
        if mapping.use_rows:
            _draw_rows(layout, mapping)
        _draw_buttons(layout)


def _draw_detection(layout: bpy.types.UILayout, context: bpy.types.Context, face: bpy.types.Object) -> None:
    from ..scene import rig_resolution

    assets = backend_session.assets_folder()
    detection = rig_resolution.detected(face, assets)
    if detection is None:
        error = rig_resolution.none_recognised(context.scene, face, assets)
        draw_text(layout, f"{error.message} {error.hint}", context)
        return
    row = layout.row()
    row.label(text=detection.text(), icon="CHECKMARK" if detection.share >= _SURE else "INFO", translate=False)
    parts = rig_resolution.parts(context.scene, face, assets)
    for part in parts[1:]:
        keys = len({item.target for item in part.rows})
        line = layout.row()
        line.enabled = part.mesh.is_editable
        line.prop(part.mesh.unitalker_mapping, "include", text=f"{part.mesh.name}: {keys} keys", translate=False)


def _draw_rows(layout: bpy.types.UILayout, mapping: UniTalkerMapping) -> None:
    layout.prop(mapping, "convention_of_rows", placeholder="ARKit only")
    row = layout.row()
    row.template_list("UNITALKER_UL_mapping", "", mapping, "rows", mapping, "active_row", rows=6)
    buttons = row.column(align=True)
    for action, icon in (("ADD", "ADD"), ("REMOVE", "REMOVE"), ("UP", "TRIA_UP"), ("DOWN", "TRIA_DOWN")):
        buttons.operator("unitalker.mapping_edit", text="", icon=icon).action = action
    if 0 <= mapping.active_row < len(mapping.rows):
        _draw_row(layout.column(), mapping.rows[mapping.active_row])


def _draw_row(layout: bpy.types.UILayout, row: UniTalkerMappingRow) -> None:
    layout.prop(row, "kind")
    layout.prop(row, "object")
    if row.kind != "OBJECT":
        layout.prop(row, "target")
    if row.kind != "SHAPE_KEY":
        layout.prop(row, "channel")
    layout.prop(row, "source")
    layout.prop(row, "angle" if row.turns else "gain")
    layout.prop(row, "offset")
    if row.kind == "SHAPE_KEY":
        limits = layout.column(align=True)
        limits.prop(row, "minimum")
        limits.prop(row, "maximum")


def _draw_buttons(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    column.operator("unitalker.mapping_fill", icon="FILE_REFRESH")
    column.operator("unitalker.mapping_bones", icon="BONE_DATA")
    row = column.row(align=True)
    row.operator("unitalker.mapping_save", text="Save", icon="EXPORT")
    row.operator("unitalker.mapping_load", text="Load", icon="IMPORT")
    column.operator("unitalker.names_from_file", icon="SORTALPHA")


CLASSES = (UNITALKER_UL_mapping, UNITALKER_PT_mapping)
