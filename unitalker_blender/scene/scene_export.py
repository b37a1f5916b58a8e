"""The open scene to a file for other programs: the suffix decides which of Blender's writers does it.

Second 0 of a .glb is the first frame of the scene's range; .usd, .abc and .fbx keep Blender's own frame numbers. No
format but .blend and video holds the sound.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import addon_utils
import bpy

from ..client.errors import UniTalkerError
from . import video

Writer = Callable[[bpy.types.Scene, str], Any]


def check_output(scene: bpy.types.Scene, output: Path) -> None:
    """Find out before the work what would stop the writing after it; UniTalkerError ``output.unwritable``."""
    folder = output.parent
    suffix = output.suffix.lower()
    if suffix not in WRITERS:
        raise _unwritable(output, f"its name has to end in {', '.join(list(WRITERS)[:-1])} or {list(WRITERS)[-1]}")
    if output.is_dir():
        raise _unwritable(output, "it is a folder")
    if not folder.is_dir():
        raise _unwritable(output, f"there is no folder {folder}")
    if not os.access(output if output.exists() else folder, os.W_OK):
        raise _unwritable(output, "there is no permission to write it")
    if suffix in video.CONTAINERS and scene.camera is None:
        raise _unwritable(output, f"the scene '{scene.name}' has no camera")
    reason = _missing_writer(suffix)
    if reason:
        raise UniTalkerError(
            "output.no_writer", f"{output} cannot be written: {reason}.", "Write .blend here, and export it elsewhere."
        )


def export_scene(scene: bpy.types.Scene, output: Path) -> None:
    """Write the scene with its animation; `output` appears when it is whole, and after the textures beside it.

    Raises:
        UniTalkerError: ``output.unwritable`` or ``output.no_writer``.
    """
    check_output(scene, output)
    write = WRITERS[output.suffix.lower()]
    try:
        if write is _write_blend:  # whole or not at all by itself, and only there do its relative paths come out right
            write(scene, str(output))
            return
        with tempfile.TemporaryDirectory(prefix=".unitalker-", dir=output.parent) as folder:
            made = Path(folder) / output.name
            if "FINISHED" not in write(scene, str(made)) or not made.is_file():
                raise _unwritable(output, "Blender's writer gave up; its reason is in the log")
            _move_all(made, output)
    except (RuntimeError, OSError) as error:
        raise _unwritable(output, str(error).strip()) from error


def sound_note(scene: bpy.types.Scene, output: Path, sound: str, frame: int) -> str:
    """For people who put sound and face together again: when the sound starts; empty for what holds it.

    Args:
        scene: what was exported.
        output: to which file.
        sound: name of the sound file.
        frame: scene frame at which it starts.
    """
    suffix = output.suffix.lower()
    if suffix == ".blend" or suffix in video.CONTAINERS:
        return ""
    start = scene.frame_start if suffix in (".glb", ".gltf") else 0
    seconds = (frame - start) * scene.render.fps_base / scene.render.fps
    return f"{suffix} holds no sound: {sound} starts at {seconds:.3f} s of its time"


def _write_blend(_scene: bpy.types.Scene, path: str) -> Any:
    return bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)


def _write_gltf(scene: bpy.types.Scene, path: str) -> Any:
    # One animation of all that moves, as the scene plays it, and not one for every Action that the file holds.
    return bpy.ops.export_scene.gltf(
        filepath=path,
        export_format="GLB" if path.lower().endswith(".glb") else "GLTF_SEPARATE",
        export_texture_dir=f"{Path(path).stem}_textures",
        use_active_scene=True,
        export_animation_mode="SCENE",
        export_anim_scene_split_object=False,
        export_anim_slide_to_zero=True,
    )


def _write_usd(scene: bpy.types.Scene, path: str) -> Any:
    return bpy.ops.wm.usd_export(filepath=path, export_animation=True, export_shapekeys=True)


def _write_fbx(scene: bpy.types.Scene, path: str) -> Any:
    # By strip and by Action it writes objects only: shape keys are in the animation of the scene as a whole.
    return bpy.ops.export_scene.fbx(
        filepath=path,
        bake_anim=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
        path_mode="COPY",
        embed_textures=True,
    )


def _write_alembic(scene: bpy.types.Scene, path: str) -> Any:
    return bpy.ops.wm.alembic_export(
        filepath=path, start=scene.frame_start, end=scene.frame_end, as_background_job=False
    )


WRITERS: Mapping[str, Writer] = {
    ".blend": _write_blend,
    ".glb": _write_gltf,
    ".gltf": _write_gltf,
    ".usd": _write_usd,
    ".usda": _write_usd,
    ".usdc": _write_usd,
    ".usdz": _write_usd,
    ".fbx": _write_fbx,
    ".abc": _write_alembic,
    **dict.fromkeys(video.CONTAINERS, video.render_video),
}

_ADDONS = {".glb": "io_scene_gltf2", ".gltf": "io_scene_gltf2", ".fbx": "io_scene_fbx"}


def _missing_writer(suffix: str) -> str:
    """Why this Blender cannot write a format, empty when it can; a writer that is an add-on is switched on."""
    if suffix.startswith(".usd") and not _build_options().usd:
        return "this Blender is built without USD"
    if suffix == ".abc" and not _build_options().alembic:
        return "this Blender is built without Alembic"
    if suffix in video.CONTAINERS and not _build_options().codec_ffmpeg:
        return "this Blender is built without FFmpeg"
    module = _ADDONS.get(suffix)
    # For this session only; the user's preferences stay as they are.
    if module and not addon_utils.check(module)[1] and addon_utils.enable(module, default_set=False) is None:
        return f"the add-on {module} is not part of this Blender"
    return ""


def _build_options() -> Any:
    return bpy.app.build_options


def _move_all(made: Path, output: Path) -> None:
    """The file into place, after those that it refers to: buffers of its name, and textures."""
    places = {path: output.parent / path.relative_to(made.parent) for path in made.parent.rglob("*") if path.is_file()}
    for path, place in places.items():
        foreign = path.stem != made.stem and place.exists()
        if foreign and not filecmp.cmp(path, place, shallow=False):
            raise _unwritable(output, f"a texture of it would replace {place}, which is another file")
    for path in sorted(places, key=lambda path: path == made):
        places[path].parent.mkdir(parents=True, exist_ok=True)
        path.replace(places[path])


def _unwritable(output: Path, reason: str) -> UniTalkerError:
    return UniTalkerError("output.unwritable", f"{output} cannot be written: {reason}.", "Choose another --output.")
