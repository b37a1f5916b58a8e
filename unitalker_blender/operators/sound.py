"""Ways to choose a sound: from the scene, or dropped onto the viewport."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import CollectionProperty, EnumProperty, StringProperty

from ..client.errors import UniTalkerError
from ..scene import sound_source

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


class UNITALKER_OT_take_sound(bpy.types.Operator):  # noqa: N801
    """Take sound and start frame from a sound strip or a Speaker."""

    bl_idname = "unitalker.take_sound"
    bl_label = "Take Sound"
    bl_description = "Take the sound, and the frame at which it starts, from here"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    source: EnumProperty(items=(("STRIP", "Strip", ""), ("SPEAKER", "Speaker", "")))
    name: StringProperty(name="Name")

    def execute(self, context: bpy.types.Context) -> set[str]:
        find = sound_source.of_strip if self.source == "STRIP" else sound_source.of_speaker
        try:
            sound = find(context.scene, self.name)
        except UniTalkerError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        settings = context.scene.unitalker
        settings.filepath, settings.frame_start = sound.filepath, sound.frame_start
        return {"FINISHED"}


class UNITALKER_MT_sounds(bpy.types.Menu):  # noqa: N801
    """Sounds of the scene."""

    bl_idname = "UNITALKER_MT_sounds"
    bl_label = "Sound of the Scene"
    bl_description = "Take the sound and its start frame from the sequencer or from a Speaker"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        strips = sound_source.sound_strips(context.scene)
        speakers = sound_source.speakers(context.scene)
        if not strips and not speakers:
            layout.label(text="No sound strip and no Speaker")
        for strip in strips:
            self._draw_source("STRIP", strip.name, "SEQ_SEQUENCER")
        for speaker in speakers:
            self._draw_source("SPEAKER", speaker.name, "SPEAKER")

    def _draw_source(self, source: str, name: str, icon: str) -> None:
        button = self.layout.operator("unitalker.take_sound", text=name, icon=icon, translate=False)
        button.source, button.name = source, name


class UNITALKER_OT_drop_sound(bpy.types.Operator):  # noqa: N801
    """Choose the sound that was dropped onto the viewport; several go into the queue."""

    bl_idname = "unitalker.drop_sound"
    bl_label = "Speak This Sound"
    bl_description = "Choose the sound for the active object; several sounds go into the queue"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.unitalker
        paths = [Path(self.directory) / file.name for file in self.files]
        paths = [path for path in paths if path.suffix.lower() in SOUND_SUFFIXES]
        if not paths:
            self.report({"ERROR"}, "Drop a wav, flac, ogg or mp3 file")
            return {"CANCELLED"}
        settings.filepath = str(paths[0])
        if len(paths) > 1:
            for path in paths:
                item = settings.queue.add()
                item.target, item.filepath = settings.target_object(context), str(path)
                item.frame_start = settings.frame_start
        self.report({"INFO"}, f"{paths[0].name}: press Animate" if len(paths) == 1 else f"{len(paths)} sounds queued")
        return {"FINISHED"}


class UNITALKER_FH_sound(bpy.types.FileHandler):  # noqa: N801
    """Sound files dropped onto a 3D viewport."""

    bl_idname = "UNITALKER_FH_sound"
    bl_label = "UniTalker Sound"
    bl_import_operator = "unitalker.drop_sound"
    bl_file_extensions = ";".join(SOUND_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"
