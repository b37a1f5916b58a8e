"""How a character is driven: kept in its object, so that two characters of a scene may differ."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .. import backend_session
from ..client.errors import UniTalkerError
from ..scene.rig_conventions import ARKIT, HEAD_ANGLES, load_conventions
from ..scene.rig_rows import Row

_KINDS = (
    ("SHAPE_KEY", "Shape Key", "A shape key of the character's meshes", "SHAPEKEY_DATA", 0),
    ("BONE", "Bone", "A bone of the character's armature, such as jaw, head or eye", "BONE_DATA", 1),
    ("OBJECT", "Object", "An object, such as an empty that the eyes follow", "EMPTY_AXIS", 2),
)
_CHANNELS = tuple(
    (f"{what}_{axis}", f"{title} {axis.upper()}", f"{title} along {axis.upper()}, added to the rest pose")
    for what, title in (("rotation", "Rotation"), ("location", "Location"))
    for axis in "xyz"
)


def _conventions() -> dict[str, str]:
    """Names and titles; none when the add-on's files are damaged, which is said elsewhere."""
    try:
        return {
            name: convention.title
            for name, convention in load_conventions(backend_session.assets_folder() / "rigs").items()
        }
    except UniTalkerError:
        return {}


def _search_conventions(_self: object, _context: object, text: str) -> list[tuple[str, str]]:
    return [(name, title) for name, title in _conventions().items() if text.lower() in f"{name} {title}".lower()]


def _search_sources(self: UniTalkerMappingRow, _context: object, text: str) -> list[str]:
    conventions = load_conventions(backend_session.assets_folder() / "rigs")
    chosen = conventions.get(self.id_data.unitalker_mapping.convention_of_rows)
    own = [name for name, channel in chosen.channels.items() if channel.moves] if chosen else []
    names = dict.fromkeys((*own, *conventions[ARKIT].channels, *HEAD_ANGLES))
    return [name for name in names if text.lower() in name.lower()]


def _search_targets(self: UniTalkerMappingRow, context: bpy.types.Context, text: str) -> list[str]:
    from ..scene.character import armature_of, character_meshes
    from ..scene.target import has_shape_keys, shape_key_names

    face = self.id_data
    if self.kind == "BONE":
        armature = self.object or armature_of(face)
        names = [bone.name for bone in armature.pose.bones] if armature and armature.pose else []
    else:
        meshes = [self.object] if self.object else character_meshes(context.scene, face)
        names = [name for mesh in meshes if has_shape_keys(mesh) for name in shape_key_names(mesh.data.shape_keys)]
    return [name for name in dict.fromkeys(names) if text.lower() in name.lower()]


class UniTalkerMappingRow(bpy.types.PropertyGroup):
    """One control and what it follows."""

    target: StringProperty(name="Target", description="Shape key or bone that moves", search=_search_targets)
    source: StringProperty(
        name="Source", description="What it follows: an ARKit shape, a viseme, or an angle of the head",
        search=_search_sources,
    )  # fmt: skip
    kind: EnumProperty(name="Kind", items=_KINDS, default="SHAPE_KEY", description="What kind of control it is")
    object: PointerProperty(
        name="Object",
        type=bpy.types.Object,
        description="Object that has it; empty for every mesh of the character, or its armature",
    )
    channel: EnumProperty(name="Channel", items=_CHANNELS, description="What of the bone or object moves")
    gain: FloatProperty(
        name="Gain", default=1.0, soft_min=-2.0, soft_max=2.0, description="The source is multiplied by this"
    )
    angle: FloatProperty(
        name="Range", default=0.35, soft_min=-1.57, soft_max=1.57, subtype="ANGLE",
        description="Rotation when the source is at 1",
    )  # fmt: skip
    offset: FloatProperty(name="Offset", soft_min=-1.0, soft_max=1.0, description="Added after the gain")
    minimum: FloatProperty(name="Minimum", soft_min=-1.0, soft_max=1.0, description="The value is cut below this")
    maximum: FloatProperty(
        name="Maximum", default=1.0, soft_min=-1.0, soft_max=2.0, description="The value is cut above this"
    )
    mute: BoolProperty(name="Mute", description="Leave this row out")

    @property
    def turns(self) -> bool:
        """Whether `angle` is its gain: a rotation that does not follow an angle already."""
        rotates = self.kind != "SHAPE_KEY" and self.channel.startswith("rotation")
        return rotates and self.source not in HEAD_ANGLES

    def as_row(self) -> Row:
        """As plain data."""
        key = self.kind == "SHAPE_KEY"
        return Row(
            target=self.target,
            source=self.source,
            kind=self.kind,
            object=self.object.name if self.object else "",
            channel="" if key else self.channel,
            gain=self.angle if self.turns else self.gain,
            offset=self.offset,
            minimum=min(self.minimum, self.maximum),
            maximum=self.maximum,
            mute=self.mute,
        )

    def fill(self, row: Row) -> None:
        """Take over plain data; an object that is not in the file counts as none."""
        self.target, self.source, self.kind = row.target, row.source, row.kind
        self.object = bpy.data.objects.get(row.object) if row.object else None
        if row.channel:
            self.channel = row.channel
        self.offset, self.minimum, self.maximum, self.mute = row.offset, row.minimum, row.maximum, row.mute
        if self.turns:
            self.angle = row.gain
        else:
            self.gain = row.gain


class UniTalkerMapping(bpy.types.PropertyGroup):
    """`object.unitalker_mapping`."""

    convention: StringProperty(
        name="Convention",
        description="Names that the shape keys follow; empty: found by the names",
        search=_search_conventions,
    )
    include: BoolProperty(
        name="Include", default=True, description="Move the shape keys of this mesh together with the face"
    )
    use_rows: BoolProperty(name="Custom Mapping", description="Use the rows below instead of what was detected")
    rows: CollectionProperty(type=UniTalkerMappingRow)
    active_row: IntProperty(name="Row", options=set())
    convention_of_rows: StringProperty(
        name="Channels",
        description="Convention whose visemes or vowels the rows may follow besides the ARKit shapes; empty for none",
        search=_search_conventions,
    )

    def as_rows(self) -> list[Row]:
        """As plain data; rows that are not filled in are left out."""
        return [row.as_row() for row in self.rows if row.source and (row.target or row.kind == "OBJECT")]

    def fill(self, convention: str, rows: tuple[Row, ...]) -> None:
        """Replace the rows."""
        self.convention_of_rows = convention
        self.rows.clear()
        for row in rows:
            self.rows.add().fill(row)
        self.active_row = 0


CLASSES = (UniTalkerMappingRow, UniTalkerMapping)


def add_to_objects() -> None:
    bpy.types.Object.unitalker_mapping = PointerProperty(type=UniTalkerMapping, override={"LIBRARY_OVERRIDABLE"})


def remove_from_objects() -> None:
    del bpy.types.Object.unitalker_mapping
