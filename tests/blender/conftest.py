"""Every test gets an empty file, the add-on registered in it, and a backend without torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import unitalker_blender
from tests.client.conftest import awkward, command, make_sound  # noqa: F401
from tests.client.fake_backend import channel_names
from unitalker_blender import backend_session, presets
from unitalker_blender.operators.animate import UNITALKER_OT_animate

REPOSITORY = Path(__file__).resolve().parents[2]
ARKIT_51 = tuple(channel_names(REPOSITORY))

_status = 0


def pytest_sessionfinish(exitstatus: int) -> None:
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    # The bpy wheels 4.2 and 4.5 crash or hang in interpreter exit when anything of Python's is still registered.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


@pytest.fixture(autouse=True)
def addon() -> Iterator[None]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    unitalker_blender.register()
    yield
    unitalker_blender.unregister()


@pytest.fixture
def fake(command, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:  # noqa: F811
    """The add-on starts the fake backend; call it with a mode to make that one fail."""
    monkeypatch.setattr(backend_session, "ADDON_FOLDER", command.root)
    monkeypatch.setenv("UNITALKER_PYTHON", sys.executable)
    monkeypatch.delenv("UNITALKER_FAKE", raising=False)
    # Its motion is known only as long as nothing is changed about it.
    monkeypatch.setattr(presets, "DEFAULT", presets.NEUTRAL)
    return lambda mode: monkeypatch.setenv("UNITALKER_FAKE", mode)


@pytest.fixture
def make_face() -> Callable[..., bpy.types.Object]:
    """Makes a mesh on which shape key number i lifts vertex i; the active object."""

    def make(name: str = "Face", keys: tuple[str, ...] = ARKIT_51) -> bpy.types.Object:
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([(i, 0.0, 0.0) for i in range(max(3, len(keys)))], [], [])
        face = bpy.data.objects.new(name, mesh)
        bpy.context.collection.objects.link(face)
        bpy.context.view_layer.objects.active = face
        if keys:
            face.shape_key_add(name="Basis")
        for i, key in enumerate(keys):
            face.shape_key_add(name=key, from_mix=False).data[i].co.z = 1.0
        return face

    return make


@pytest.fixture
def face(make_face) -> bpy.types.Object:
    return make_face()


@pytest.fixture
def heads(shared: Path) -> Path:
    return shared / "heads"


def animate(**arguments: Any) -> set[str]:
    """The operator, as a script calls it."""
    return bpy.ops.unitalker.animate(**{name: _plain(value) for name, value in arguments.items()})


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def fcurves(key: bpy.types.Key) -> list[bpy.types.FCurve]:
    """The f-curves that animate shape keys, in any version."""
    action = key.animation_data.action
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    bag = action.layers[0].strips[0].channelbag(key.animation_data.action_slot)
    return list(bag.fcurves)


def keyed(face: bpy.types.Object) -> dict[str, np.ndarray]:
    """Shape key → its keys as (frame, value) rows, shape ``(keys, 2)``."""
    key = face.data.shape_keys
    paths = {block.path_from_id("value"): block.name for block in key.key_blocks}
    result = {}
    for curve in fcurves(key):
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", points)
        result[paths[curve.data_path]] = points.reshape(-1, 2)
    return result


def sound_strips(scene: bpy.types.Scene | None = None) -> list[Any]:
    editor = (scene or bpy.context.scene).sequence_editor
    if editor is None:
        return []
    return list(editor.strips if hasattr(editor, "strips") else editor.sequences)


def everything() -> dict[str, Any]:
    """What a user could find changed in the file."""
    scene = bpy.context.scene
    return {
        "range": (scene.frame_start, scene.frame_end, scene.frame_current, scene.sync_mode),
        "actions": sorted((action.name, action.users, action.use_fake_user) for action in bpy.data.actions),
        "sounds": sorted(sound.name for sound in bpy.data.sounds),
        "strips": [(strip.name, strip.channel, strip.frame_start) for strip in sound_strips()],
        "objects": sorted(item.name for item in bpy.data.objects),
        "keys": {
            key.name: (
                [(block.name, block.value) for block in key.key_blocks],
                key.animation_data and key.animation_data.action and key.animation_data.action.name,
            )
            for key in bpy.data.shape_keys
        },
    }


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings of the runs of Animate that finished."""
    told: list[str] = []
    tell = UNITALKER_OT_animate._tell

    def listen(self: Any, job: Any) -> None:
        told.extend(job.report.warnings)
        tell(self, job)

    monkeypatch.setattr(UNITALKER_OT_animate, "_tell", listen)
    return told
