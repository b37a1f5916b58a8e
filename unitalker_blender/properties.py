"""What is kept in the file: the panel's settings in the scene, takes and sliders in the object that speaks."""

from __future__ import annotations

import bpy
from bpy.props import CollectionProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from .settings import direction, takes
from .settings.placement import PlacementSettings
from .settings.speech import SpeechSettings

DEVICES = (
    ("auto", "Automatic", "A graphics processor when there is one, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics processor"),
    ("mps", "Metal", "The graphics processor of an Apple computer"),
)
ENGINES = (
    ("auto", "Automatic", "PyTorch when it is installed, else ONNX Runtime"),
    ("torch", "PyTorch", "Needs a Python with PyTorch"),
    ("onnx", "ONNX Runtime", "Comes with the extension, for the bundled model"),
)


def device_property(description: str) -> object:
    """The choice of a device; preferences and operator have one each."""
    return EnumProperty(name="Device", items=DEVICES, default="auto", description=description)


def engine_property(description: str) -> object:
    """The choice of an engine."""
    return EnumProperty(name="Engine", items=ENGINES, default="auto", description=description)


def _is_mesh(_self: object, candidate: bpy.types.Object) -> bool:
    return bool(candidate.type == "MESH")


class UniTalkerQueueItem(bpy.types.PropertyGroup):
    """One object and one sound that wait for their turn."""

    target: PointerProperty(name="Target", type=bpy.types.Object, poll=_is_mesh, description="Mesh with the face")
    filepath: StringProperty(name="Sound", subtype="FILE_PATH", description="What the face says")
    frame_start: IntProperty(name="Start Frame", default=1, description="Frame at which the sound starts")
    state: EnumProperty(
        items=(
            ("WAITING", "Waiting", "Not yet animated"),
            ("DONE", "Done", "Animated"),
            ("FAILED", "Failed", "Could not be animated"),
        ),
        default="WAITING",
    )
    message: StringProperty(name="Message", description="What came of it")


class UniTalkerSettings(SpeechSettings, PlacementSettings, bpy.types.PropertyGroup):
    """The panel's settings; `scene.unitalker`."""

    target: PointerProperty(
        name="Target",
        type=bpy.types.Object,
        poll=_is_mesh,
        description="Mesh with the face; empty for the active object",
    )
    queue: CollectionProperty(type=UniTalkerQueueItem)
    queue_active: IntProperty(name="Queue")

    def target_name(self, context: bpy.types.Context) -> str:
        """The chosen mesh, else the active object; empty when there is neither."""
        target = self.target_object(context)
        return target.name if target else ""

    def target_object(self, context: bpy.types.Context) -> bpy.types.Object | None:
        """The chosen mesh, else the active object."""
        # Not `context.active_object`, which does not exist while Blender runs a command.
        return self.target or context.view_layer.objects.active


CLASSES = (*direction.CLASSES, *takes.CLASSES, UniTalkerQueueItem, UniTalkerSettings)


def add_to_scene() -> None:
    bpy.types.Scene.unitalker = PointerProperty(type=UniTalkerSettings)
    bpy.types.Object.unitalker = PointerProperty(type=takes.UniTalkerFace, override={"LIBRARY_OVERRIDABLE"})


def remove_from_scene() -> None:
    del bpy.types.Object.unitalker
    del bpy.types.Scene.unitalker
