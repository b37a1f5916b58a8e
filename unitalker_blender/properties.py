"""What the user sets: the same settings for the panel (kept in the scene) and for the operator's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from . import backend_session, compat

if TYPE_CHECKING:
    from .client.protocol import ModelInfo

DEVICES = (
    ("auto", "Automatic", "A graphics processor when there is one, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics processor"),
    ("mps", "Metal", "The graphics processor of an Apple computer"),
)


def device_property(description: str) -> object:
    """The choice of a device; preferences and operator have one each."""
    return EnumProperty(name="Device", items=DEVICES, default="auto", description=description)


def _models() -> tuple[ModelInfo, ...]:
    hello = backend_session.current_hello()
    return hello.models if hello else ()


def _chosen_model(name: str) -> ModelInfo | None:
    models = _models()
    return next((model for model in models if model.name == name), models[0] if models and not name else None)


def _search_models(_self: object, _context: object, text: str) -> list[str]:
    return [model.name for model in _models() if text.lower() in model.name.lower()]


def _search_heads(self: SpeechSettings, _context: object, text: str) -> list[tuple[str, str]]:
    model = _chosen_model(self.model)
    heads = model.heads if model else ()
    return [(head.name, head.title) for head in heads if text.lower() in f"{head.name} {head.title}".lower()]


def _search_identities(self: SpeechSettings, _context: object, text: str) -> list[str]:
    model = _chosen_model(self.model)
    return [name for name in (model.identities if model else ()) if text.lower() in name.lower()]


class SpeechSettings:
    """How a sound is turned into motion. Names are stored as text, so a file keeps them without the backend."""

    filepath: StringProperty(
        name="Sound",
        subtype="FILE_PATH",
        description="What the face says: wav, flac, ogg or mp3",
        options=compat.RELATIVE_PATH,
    )
    model: StringProperty(
        name="Model", description="Model folder by name; empty for the first one", search=_search_models, options=set()
    )
    head: StringProperty(
        name="Head",
        description="Which of the model's outputs; empty for the model's default",
        search=_search_heads,
        options=set(),
    )
    identity: StringProperty(
        name="Identity",
        description="Whose way of speaking; empty for the model's default",
        search=_search_identities,
        options=set(),
    )
    intensity: FloatProperty(
        name="Intensity",
        default=1.0,
        min=0.0,
        soft_max=2.0,
        max=10.0,
        description="All motion is multiplied by this; 1 is like the people that the model learned from",
        options=set(),
    )
    smoothing: FloatProperty(
        name="Smoothing",
        default=0.0,
        min=0.0,
        soft_max=0.3,
        max=10.0,
        step=1,
        precision=3,
        description="Seconds over which motion is smoothed",
        options=set(),
    )
    frame_start: IntProperty(
        name="Start Frame", default=1, description="Frame at which the sound starts", options=set()
    )
    add_sound: BoolProperty(
        name="Add Sound",
        default=True,
        description="Put the sound into the sequencer at the start frame, and let playback follow it",
        options=set(),
    )
    extend_range: BoolProperty(
        name="Extend Range",
        default=True,
        description="Extend the scene's frame range so that all of the speech is played",
        options=set(),
    )


def _is_mesh(_self: object, candidate: bpy.types.Object) -> bool:
    return bool(candidate.type == "MESH")


class UniTalkerSettings(SpeechSettings, bpy.types.PropertyGroup):
    """The panel's settings; `scene.unitalker`."""

    target: PointerProperty(
        name="Target",
        type=bpy.types.Object,
        poll=_is_mesh,
        description="Mesh with the face; empty for the active object",
    )

    def target_name(self, context: bpy.types.Context) -> str:
        """The chosen mesh, else the active object; empty when there is neither."""
        # Not `context.active_object`, which does not exist while Blender runs a command.
        chosen = self.target or context.view_layer.objects.active
        return chosen.name if chosen else ""


def add_to_scene() -> None:
    bpy.types.Scene.unitalker = PointerProperty(type=UniTalkerSettings)


def remove_from_scene() -> None:
    del bpy.types.Scene.unitalker
