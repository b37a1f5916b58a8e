"""How a sound is turned into motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.props import BoolProperty, IntProperty, StringProperty

from .. import backend_session, compat

if TYPE_CHECKING:
    from ..client.protocol import ModelInfo


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
    identity_b: StringProperty(
        name="Second Identity",
        description="Whose way of speaking Style Blend goes over to; empty for none",
        search=_search_identities,
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
