"""The character's mapping: filled, edited, saved and loaded; and names that an import has lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import backend_session
from ..client.errors import UniTalkerError
from ..scene import target as targets
from ..settings.mapping import UniTalkerMapping


class _MappingOperator:
    """Works on the mapping of the panel's target; errors are reported."""

    bl_options: ClassVar[set[str]] = {"UNDO"}

    if TYPE_CHECKING:
        # Of bpy.types.Operator.
        poll_message_set: Any
        report: Any

        def act(self, context: bpy.types.Context, face: bpy.types.Object, mapping: UniTalkerMapping) -> None:
            """Of every operator: do it; UniTalkerError when it cannot be done."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        face = face_of(context)
        if face is None:
            cls.poll_message_set("Select a mesh with shape keys")
        elif not face.is_editable:
            cls.poll_message_set(f"'{face.name}' is linked from another file; make a library override of it")
            return False
        return face is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        face = face_of(context)
        assert face is not None
        try:
            self.act(context, face, face.unitalker_mapping)
        except UniTalkerError as error:
            self.report({"ERROR"}, f"{error.message} {error.hint}")
            return {"CANCELLED"}
        return {"FINISHED"}


def face_of(context: bpy.types.Context) -> bpy.types.Object | None:
    """The panel's target when it has shape keys."""
    face = context.scene.objects.get(context.scene.unitalker.target_name(context))
    return face if face is not None and targets.has_shape_keys(face) else None


class UNITALKER_OT_mapping_fill(_MappingOperator, bpy.types.Operator):  # noqa: N801
    """Fill the mapping with what was detected."""

    bl_idname = "unitalker.mapping_fill"
    bl_label = "Fill from Detection"
    bl_description = "Replace the rows by one for each shape key that is recognised on the character's meshes"

    def act(self, context: bpy.types.Context, face: bpy.types.Object, mapping: UniTalkerMapping) -> None:
        from ..scene import rig_resolution

        assets = backend_session.assets_folder()
        detection = rig_resolution.detected(face, assets)
        if detection is None:
            raise rig_resolution.none_recognised(context.scene, face, assets)
        parts = rig_resolution.parts(context.scene, face, assets)
        bones = tuple(row for row in mapping.as_rows() if row.kind != "SHAPE_KEY")
        rows = tuple(dict.fromkeys(row for part in parts for row in part.rows))
        mapping.fill(detection.convention.name, rows + bones)
        mapping.use_rows = True


class UNITALKER_OT_mapping_bones(_MappingOperator, bpy.types.Operator):  # noqa: N801
    """Add rows for the bones of head, jaw and eyes."""

    bl_idname = "unitalker.mapping_bones"
    bl_label = "Add Bones"
    bl_description = "Add rows for the bones of head, jaw and eyes, with axes from the rest pose"

    def act(self, context: bpy.types.Context, face: bpy.types.Object, mapping: UniTalkerMapping) -> None:
        from ..scene import rig_resolution
        from ..scene.character_bones import find_bone_rows

        assets = backend_session.assets_folder()
        rows = find_bone_rows(face, assets)
        if not mapping.rows and rig_resolution.detected(face, assets) is not None:
            bpy.ops.unitalker.mapping_fill()
        present = {(row.target, row.source) for row in mapping.as_rows()}
        added = [row for row in rows if (row.target, row.source) not in present]
        for row in added:
            mapping.rows.add().fill(row)
        mapping.use_rows = True
        names = ", ".join(dict.fromkeys(row.target for row in added)) or "none that was not there"
        self.report({"INFO"}, f"{len(added)} rows added for bones: {names}")


class UNITALKER_OT_mapping_edit(_MappingOperator, bpy.types.Operator):  # noqa: N801
    """Add, remove and move rows."""

    bl_idname = "unitalker.mapping_edit"
    bl_label = "Edit Mapping"
    bl_description = "Add, remove or move a row of the mapping"

    action: EnumProperty(
        items=(
            ("ADD", "Add", "Add a row after the active one"),
            ("REMOVE", "Remove", "Remove the active row"),
            ("UP", "Up", "Move the active row up"),
            ("DOWN", "Down", "Move the active row down"),
        ),
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        item = properties.bl_rna.properties["action"].enum_items.get(properties.action)
        return str(item.description)

    def act(self, _context: bpy.types.Context, _face: bpy.types.Object, mapping: UniTalkerMapping) -> None:
        rows, active = mapping.rows, mapping.active_row
        if self.action == "ADD":
            rows.add()
            rows.move(len(rows) - 1, min(active + 1, len(rows) - 1))
            mapping.active_row = min(active + 1, len(rows) - 1)
        elif self.action == "REMOVE":
            rows.remove(active)
            mapping.active_row = max(0, min(active, len(rows) - 1))
        else:
            other = active + (1 if self.action == "DOWN" else -1)
            if 0 <= active < len(rows) and 0 <= other < len(rows):
                rows.move(active, other)
                mapping.active_row = other


class _FileOperator(_MappingOperator):
    """Asks for a file first."""

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @property
    def path(self) -> Path:
        """The chosen file."""
        if not self.filepath:
            raise UniTalkerError("preset.none", "No file was chosen.", "Choose one.")
        return Path(bpy.path.abspath(self.filepath)).absolute()


class UNITALKER_OT_mapping_save(_FileOperator, bpy.types.Operator):  # noqa: N801
    """Save the mapping as a file."""

    bl_idname = "unitalker.mapping_save"
    bl_label = "Save Mapping"
    bl_description = "Write the rows into a JSON file, for other characters with the same controls"

    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def act(self, _context: bpy.types.Context, face: bpy.types.Object, mapping: UniTalkerMapping) -> None:
        from ..scene.rig_presets import Preset, save_preset

        rows = mapping.as_rows()
        if not rows:
            raise UniTalkerError("mapping.empty", f"The mapping of '{face.name}' has no rows.", "Fill it first.")
        path = self.path if self.path.suffix.lower() == ".json" else self.path.with_name(f"{self.path.name}.json")
        save_preset(path, Preset(mapping.convention_of_rows, tuple(rows)))
        self.report({"INFO"}, f"{len(rows)} rows written to {path.name}")


class UNITALKER_OT_mapping_load(_FileOperator, bpy.types.Operator):  # noqa: N801
    """Load a mapping from a file."""

    bl_idname = "unitalker.mapping_load"
    bl_label = "Load Mapping"
    bl_description = "Replace the rows by those of a JSON file that Save Mapping has written"

    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def act(self, context: bpy.types.Context, face: bpy.types.Object, mapping: UniTalkerMapping) -> None:
        from ..scene.character import character_meshes
        from ..scene.rig_detection import some
        from ..scene.rig_presets import load_preset, missing_targets

        preset = load_preset(self.path)
        meshes = character_meshes(context.scene, face)
        names = [name for mesh in meshes for name in targets.shape_key_names(mesh.data.shape_keys)]
        missing = missing_targets(preset.rows, names)
        keys = {row.target for row in preset.rows if row.kind == "SHAPE_KEY"}
        if keys and len(missing) == len(keys):
            raise UniTalkerError(
                "mapping.other_mesh",
                f"{self.path.name} was made for another character: '{face.name}' has none of its shape keys "
                f"({some(missing)}).",
                "Nothing was changed.",
            )
        mapping.fill(preset.convention, preset.rows)
        mapping.use_rows = True
        if missing:
            self.report({"WARNING"}, f"'{face.name}' has no {some(missing)}; these rows move nothing")


class UNITALKER_OT_names_from_file(_FileOperator, bpy.types.Operator):  # noqa: N801
    """Give shape keys the names that they have in the file they come from."""

    bl_idname = "unitalker.names_from_file"
    bl_label = "Names from File"
    bl_description = "Rename shape keys called target_0, target_1, ... as in the .vrm or .glb file they come from"

    filter_glob: StringProperty(default="*.vrm;*.glb;*.gltf", options={"HIDDEN"})

    def act(self, _context: bpy.types.Context, face: bpy.types.Object, _mapping: UniTalkerMapping) -> None:
        from ..gltf_names import read_names

        key = face.data.shape_keys
        blocks = [block for block in key.key_blocks if block != key.reference_key]
        fitting = [mesh for mesh in read_names(self.path) if len(mesh.shapes) == len(blocks)]
        if not fitting:
            raise UniTalkerError(
                "names.other_mesh",
                f"{self.path.name} has no mesh with {len(blocks)} shape keys, as '{face.name}' has.",
                "Choose the file that the character was imported from.",
            )
        if not key.is_editable:
            raise UniTalkerError(
                "target.linked",
                f"The shape keys of '{face.name}' are linked and cannot be renamed.",
                "Make them local first.",
            )
        same = [mesh for mesh in fitting if mesh.name in (face.data.name, face.name)]
        for block, name in zip(blocks, (same or fitting)[0].shapes, strict=True):
            block.name = name
        self.report({"INFO"}, f"{len(blocks)} shape keys named as in {self.path.name}")


CLASSES = (
    UNITALKER_OT_mapping_fill,
    UNITALKER_OT_mapping_bones,
    UNITALKER_OT_mapping_edit,
    UNITALKER_OT_mapping_save,
    UNITALKER_OT_mapping_load,
    UNITALKER_OT_names_from_file,
)
