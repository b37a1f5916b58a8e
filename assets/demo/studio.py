"""Camera, light and output of the demo: frames any head, renders with Workbench, which needs no screen and no GPU."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

SIZE = 720
LENS = 85.0
SENSOR = 36.0
# Heights of the face, from chin to brow, below it and at most above it: the neck's beginning and the hair.
BELOW, ABOVE = 0.1, 0.62


def set_up(head: bpy.types.Object) -> None:
    """Make the scene ready to render `head`, whatever its size and orientation."""
    scene = bpy.context.scene
    points = world_points(head)
    moving = moving_vertices(head)
    centre, height = frame_of(points[moving], points)
    _add_camera(scene, centre, front_of(head, moving), height)
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
    return moved > 0.1 * moved.max()


def frame_of(face: np.ndarray, head: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (3,) and height of a picture with the face, and as much above it as belongs to the head."""
    low, high = face.min(0), face.max(0)
    size = high[2] - low[2]
    bottom = low[2] - BELOW * size
    top = min(head[:, 2].max() + 0.05 * size, high[2] + ABOVE * size)
    return np.array([*(low + high)[:2] / 2, (bottom + top) / 2]), float(top - bottom)


def front_of(mesh: bpy.types.Object, moving: np.ndarray) -> np.ndarray:
    """Horizontal unit vector out of the face: the side to which the surface that moves is turned."""
    normals = np.empty(len(mesh.data.vertices) * 3, np.float32)
    mesh.data.vertices.foreach_get("normal", normals)
    towards = np.array(mesh.matrix_world)[:2, :3] @ normals.reshape(-1, 3)[moving].sum(0)
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
    shading.studio_light = "outdoor.sl"
    # The material's colour where there is no texture.
    shading.color_type = "TEXTURE"
    shading.show_cavity = True
    shading.cavity_type = "WORLD"
    shading.cavity_ridge_factor = 0.4
    shading.cavity_valley_factor = 1.2
    # It would whiten pupils and make hair shine like plastic.
    shading.show_specular_highlight = False
    # Under half the time of eight samples, and Workbench runs on the processor where there is no GPU.
    scene.display.render_aa = "FXAA"
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
