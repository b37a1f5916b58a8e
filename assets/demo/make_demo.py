"""A head speaks in Blender: animate it with the add-on, save the scene, render a video with sound and stills.

Run with the Python of a bpy environment; UNITALKER_PYTHON names the backend's Python:

    python assets/demo/make_demo.py --out out [--audio voice.wav] [--words words.json] [--head head.glb]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import studio  # noqa: E402
from moments import choose_moments  # noqa: E402

import unitalker_blender  # noqa: E402
from unitalker_blender import backend_session  # noqa: E402
from unitalker_blender.scene import rig_resolution  # noqa: E402
from unitalker_blender.scene import target as targets  # noqa: E402

HEAD = ROOT / "assets" / "heads" / "makehuman_head.glb"
VOICE = ROOT / "assets" / "audio" / "demo_voice.ogg"
FPS = 25
STILLS = 12


def load_head(path: Path) -> bpy.types.Object:
    """Import a head into an empty scene and return the mesh with the most ARKit shapes."""
    before = set(bpy.data.objects)
    if path.suffix == ".blend":
        with bpy.data.libraries.load(str(path)) as (source, wanted):
            wanted.objects = source.objects
        for loaded in wanted.objects:
            bpy.context.scene.collection.objects.link(loaded)
    elif path.suffix == ".vrm":
        # The importer judges by the suffix; a VRM is a glTF binary.
        copy = Path(bpy.app.tempdir) / f"{path.stem}.glb"
        shutil.copy(path, copy)
        bpy.ops.import_scene.gltf(filepath=str(copy))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    meshes = [found for found in bpy.data.objects if found not in before and targets.has_shape_keys(found)]
    if not meshes:
        raise SystemExit(f"error: {path} has no mesh with shape keys.")
    faces = rig_resolution.faces(bpy.context.scene, backend_session.assets_folder())
    return max(meshes, key=lambda mesh: (mesh in faces, len(mesh.data.vertices)))


def animate(head: bpy.types.Object, audio: Path) -> float:
    """Let the head speak; seconds of motion."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = FPS, 1.0
    scene.frame_start = 1
    scene.frame_end = 1
    bpy.ops.unitalker.animate(
        filepath=str(audio),
        object=head.name,
        preset="natural",
        frame_start=1,
        extend_range=True,
        add_sound=True,
    )
    return (scene.frame_end - scene.frame_start + 1) / FPS


def render_stills(folder: Path, words: list[dict[str, object]], seconds: float) -> None:
    """One picture per chosen moment, and `moments.json` that says what stands under each."""
    scene = bpy.context.scene
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    moments = choose_moments(words, seconds, STILLS)
    for number, moment in enumerate(moments):
        scene.frame_set(min(scene.frame_end, scene.frame_start + round(moment.time * FPS)))
        scene.render.filepath = str(folder / f"{number:02d}.png")
        bpy.ops.render.render(write_still=True)
    (folder / "moments.json").write_text(
        json.dumps([asdict(moment) for moment in moments], ensure_ascii=False), "utf-8"
    )


def make(arguments: argparse.Namespace) -> None:
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    unitalker_blender.register()
    try:
        head = load_head(arguments.head)
        print(f"{head.name}: speaking {arguments.audio.name}", flush=True)
        seconds = animate(head, arguments.audio)
    finally:
        unitalker_blender.unregister()
    studio.set_up(head)
    words = json.loads(arguments.words.read_text("utf-8"))["words"] if arguments.words else []
    print("stills", flush=True)
    studio.still_output()
    render_stills(out / "stills", words, seconds)
    print(f"video, {seconds:.1f} s", flush=True)
    studio.video_output(out / "demo.mp4")
    bpy.ops.render.render(animation=True)
    bpy.context.scene.frame_set(bpy.context.scene.frame_start)
    for sound in bpy.data.sounds:
        sound.pack()
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "demo.blend"), compress=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for demo.blend, demo.mp4 and stills/")
    parser.add_argument("--audio", type=Path, default=VOICE, help="sound file")
    parser.add_argument("--words", type=Path, help="JSON with word and phone times of the sound")
    parser.add_argument("--head", type=Path, default=HEAD, help=".glb, .gltf, .vrm or .blend")
    arguments = parser.parse_args()
    if arguments.words is None and arguments.audio == VOICE:
        arguments.words = VOICE.with_suffix(".json")
    return arguments


if __name__ == "__main__":
    try:
        make(parse_arguments())
        status = 0
    except SystemExit as stop:
        print(stop.code if isinstance(stop.code, str) else "", file=sys.stderr)
        status = 0 if stop.code in (None, 0) else 1
    except RuntimeError as error:
        # What an operator reports is already a sentence for people.
        print(str(error).strip(), file=sys.stderr)
        status = 1
    except Exception:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Some bpy versions crash in interpreter exit, after all is done.
    os._exit(status)
