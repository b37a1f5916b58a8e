"""Registration, the panel, and the check of the backend."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

import unitalker_blender
from tests.blender.conftest import animate
from unitalker_blender import backend_session, preview, registration
from unitalker_blender.operators import stepping
from unitalker_blender.panels.speech import SidebarPanel
from unitalker_blender.settings import direction, placement, speech


class Layout:
    """Records what a panel draws."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.drawn: list[str] = []
        self.enabled = True

    def prop(self, _data: Any, name: str, **options: Any) -> None:
        self.drawn.append(name)
        self.texts.append(options.get("placeholder", ""))

    def operator(self, name: str, **options: Any) -> SimpleNamespace:
        self.drawn.append(name)
        self.texts.append(options.get("text", ""))
        return SimpleNamespace()

    def label(self, text: str = "", **_options: Any) -> None:
        self.texts.append(text)

    def menu(self, name: str, **options: Any) -> None:
        self.drawn.append(name)
        self.texts.append(options.get("text", ""))

    def template_list(self, _type: str, _id: str, _data: Any, name: str, *_more: Any, **_options: Any) -> None:
        self.drawn.append(name)

    def template_icon(self, _icon: int, **_options: Any) -> None:
        self.drawn.append("icon")  # whose number is 0 without a window

    def progress(self, factor: float, text: str) -> None:
        self.drawn.append(f"progress {factor:.2f}")
        self.texts.append(text)

    def row(self, **_options: Any) -> Layout:
        return self

    column = split = box = grid_flow = row


class Instance:
    """Stands in for a panel, which only a window can make."""

    def __init__(self, panel: Any, layout: Layout) -> None:
        self._panel = panel
        self.layout = layout

    def __getattr__(self, name: str) -> Any:
        return getattr(self._panel, name)


def draw() -> Layout:
    """The whole tab, panel by panel."""
    layout = Layout()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0)),  # it is 0 without a window
        region=SimpleNamespace(width=300, type="UI"),
    )
    for panel in registration.CLASSES:
        if issubclass(panel, SidebarPanel) and (not hasattr(panel, "poll") or panel.poll(context)):
            instance = Instance(panel, layout)
            if hasattr(panel, "draw_header"):
                panel.draw_header(instance, context)
            panel.draw(instance, context)
    return layout


def test_registers_again_after_it_was_unregistered() -> None:
    for _ in range(2):
        unitalker_blender.unregister()
        assert not hasattr(bpy.types.Scene, "unitalker")
        assert not hasattr(bpy.types, "UNITALKER_OT_animate")
        unitalker_blender.register()
        assert bpy.context.scene.unitalker.frame_start == 1


@pytest.mark.usefixtures("fake")
def test_unregistering_ends_the_backend(face, make_sound) -> None:
    animate(filepath=make_sound(0.5))
    pid = backend_session.get().pid
    unitalker_blender.unregister()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    unitalker_blender.register()


@pytest.mark.usefixtures("fake")
def test_panel_says_why_the_button_is_grey(make_face) -> None:
    assert "No object is selected." in " ".join(draw().texts)
    make_face("Cube", ())
    assert "'Cube' has no shape keys." in " ".join(draw().texts)
    make_face()
    assert "Choose a sound file." in " ".join(draw().texts)
    bpy.context.scene.unitalker.filepath = "/voice.wav"
    texts = draw().texts
    assert "Face: ARKit: 51 of 51 shapes (100 %)" in texts
    assert "Choose" not in " ".join(texts)


@pytest.mark.usefixtures("fake")
def test_panel_offers_every_setting(face) -> None:
    settings = bpy.context.scene.unitalker
    settings.where, settings.density = "NAMED_ACTION", "NTH"
    face.unitalker.direction.emotions.happy.weight = 0.5
    drawn = draw().drawn
    settings.density = "DECIMATED"
    drawn += draw().drawn
    for name in ("target", *speech.SpeechSettings.__annotations__, *placement.PlacementSettings.__annotations__):
        assert name in drawn
    for group in direction.CLASSES:
        for prop in group.bl_rna.properties:
            assert prop.identifier in (*drawn, "rna_type", "name", "preset", "live") or prop.type == "POINTER"
    assert "unitalker.animate" in drawn


def test_panel_shows_progress_and_cancel_instead_of_the_button(monkeypatch) -> None:
    monkeypatch.setattr(stepping, "_running", SimpleNamespace(fraction=0.25, text="Animating"))
    monkeypatch.setattr(stepping, "_started", time.monotonic() - 20.0)
    layout = draw()
    assert "progress 0.25" in layout.drawn
    assert "Animating, 60 s left" in layout.texts
    assert "unitalker.cancel" in layout.drawn
    assert "unitalker.animate" not in layout.drawn
    monkeypatch.undo()


def test_panel_of_an_incomplete_installation_still_draws(face, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(backend_session, "ADDON_FOLDER", tmp_path / "addon")
    assert "unitalker.check_backend" in draw().drawn


@pytest.mark.usefixtures("fake")
def test_panel_shows_what_came_of_it(face, make_sound) -> None:
    sound = make_sound(1.0)
    animate(filepath=sound, intensity=1.5)
    layout = draw()
    assert layout.drawn.count("icon") == preview.TILES
    told = " ".join(layout.texts)
    assert f"{sound.stem}: 51 shape keys" in told
    assert "Range: 1.5" in told
    assert "Cut at the slider's range" in told, "a warning stays until it is dismissed"
    assert "51 shape keys are cut at their range" in told
    bpy.ops.unitalker.dismiss()
    assert "Cut at the slider's range" not in " ".join(draw().texts)


@pytest.mark.usefixtures("fake")
def test_picture_follows_the_take(face, make_sound) -> None:
    animate(filepath=make_sound(1.0))
    take = face.unitalker.takes[0]
    loud = preview.picture(bytes.fromhex(take.waveform), bytes.fromhex(take.curve))
    face.unitalker.direction.intensity = 0.25
    bpy.ops.unitalker.update()
    quiet = preview.picture(bytes.fromhex(take.waveform), bytes.fromhex(take.curve))
    orange = [np.flatnonzero((image[..., 0] == 1.0).any(axis=1)).max() for image in (loud, quiet)]
    assert orange[0] > 85
    assert 20 < orange[1] < 35
    assert (loud[..., 0] == loud[..., 2]).any(), "the sound is there as well"


@pytest.mark.usefixtures("fake")
def test_check_fills_the_lists() -> None:
    settings = bpy.context.scene.unitalker
    assert speech._search_models(settings, bpy.context, "") == []
    assert bpy.ops.unitalker.check_backend() == {"FINISHED"}
    assert speech._search_models(settings, bpy.context, "FAK") == ["fake"]
    assert speech._search_heads(settings, bpy.context, "") == [("arkit_fake", "fake"), ("mesh_fake", "fake")]
    assert speech._search_heads(settings, bpy.context, "mesh") == [("mesh_fake", "fake")]
    assert speech._search_identities(settings, bpy.context, "") == ["someone", "pivot"]
    settings.model = "another"
    assert speech._search_heads(settings, bpy.context, "") == []
    assert "ready (torch on cpu)" in " ".join(draw().texts)


def test_failed_check_says_what_to_do_and_the_panel_shows_it(fake) -> None:
    fake("no_engines")
    with pytest.raises(RuntimeError, match="pip install"):
        bpy.ops.unitalker.check_backend()
    assert "torch is not installed" in " ".join(draw().texts)


def test_settings_survive_saving(tmp_path) -> None:
    settings = bpy.context.scene.unitalker
    settings.head, settings.identity, settings.where = "arkit", "someone", "NLA_TRACK"
    path = str(tmp_path / "settings.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    settings = bpy.context.scene.unitalker
    assert (settings.head, settings.identity, settings.where) == ("arkit", "someone", "NLA_TRACK")
