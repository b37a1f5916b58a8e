"""Camera, light and output of the demo: frames any head, renders with Workbench, which needs no screen and no GPU."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

SIZE = 540
LENS = 85.0
SENSOR = 36.0
# Height of the picture over that of the face from brow to chin.
AIR = 1.62


def set_up(head: bpy.types.Object) -> None:
    """Make the scene ready to render `head`, whatever its size and orientation."""
    scene = bpy.context.scene
    points = world_points(head)
    face = points[moving_vertices(head)]
    low, high = face.min(0), face.max(0)
    _add_camera(scene, (low + high) / 2, front_of(face, points), float(high[2] - low[2]) * AIR)
    _light(scene)


def world_points(mesh: bpy.types.Object) -> np.ndarray:
    """Rest position of the vertices in world space, (V, 3)."""
    matrix = np.array(mesh.matrix_world)
    return _coordinates(mesh.data.shape_keys.reference_key) @ matrix[:3, :3].T + matrix[:3, 3]


def moving_vertices(mesh: bpy.types.Object) -> np.ndarray:
    """bool (V,): what the shape keys move visibly, which is the face."""
    keys = mesh.data.shape_keys
    rest = _coordinates(keys.reference_key)
    moved = np.max([np.linalg.norm(_coordinates(block) - rest, axis=1) for block in keys.key_blocks], axis=0)
    return moved > 0.25 * moved.max()


def front_of(face: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Horizontal unit vector out of the face: from the middle of the head to the middle of what moves."""
    towards = face.mean(0)[:2] - (head.min(0) + head.max(0))[:2] / 2
    axis = int(np.argmax(np.abs(towards)))
    front = np.zeros(3)
    front[axis] = np.sign(towards[axis])
    return front


def _coordinates(block: bpy.types.ShapeKey) -> np.ndarray:
    flat = np.empty(len(block.data) * 3, np.float32)
    block.data.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def _add_camera(scene: bpy.types.Scene, centre: np.ndarray, front: np.ndarray, size: float) -> None:
    data = bpy.data.cameras.new("Camera")
    data.lens, data.sensor_width = LENS, SENSOR
    camera = bpy.data.objects.new("Camera", data)
    scene.collection.objects.link(camera)
    distance = size * LENS / SENSOR
    # Slightly from the side: straight from the front one does not see the lips come forward.
    side = np.array([-front[1], front[0], 0.0])
    towards = front + 0.22 * side + np.array([0, 0, 0.04])
    towards /= np.linalg.norm(towards)
    camera.location = centre + towards * distance
    camera.rotation_euler = Vector(-towards).to_track_quat("-Z", "Y").to_euler()
    data.clip_start, data.clip_end = distance / 100, distance * 10
    scene.camera = camera


def _light(scene: bpy.types.Scene) -> None:
    scene.render.engine = "BLENDER_WORKBENCH"
    shading = scene.display.shading
    shading.light = "STUDIO"
    shading.color_type = "MATERIAL"
    shading.show_cavity = True
    shading.cavity_type = "WORLD"
    shading.cavity_ridge_factor = 0.4
    shading.cavity_valley_factor = 1.2
    shading.show_specular_highlight = True
    scene.display.render_aa = "8"
    scene.view_settings.view_transform = "Standard"
    world = bpy.data.worlds.new("Studio")
    world.color = (0.20, 0.23, 0.27)
    scene.world = world
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100


def still_output() -> None:
    """Pictures as PNG."""
    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5 asks for the medium first
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"


def video_output(path: Path) -> None:
    """H.264 with the sequencer's sound as AAC."""
    render = bpy.context.scene.render
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.audio_codec = "AAC"
    render.ffmpeg.audio_bitrate = 128
    render.filepath = str(path)
    render.use_file_extension = False
