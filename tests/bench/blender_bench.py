"""Add-on: registration, ten minutes of 51 curves against Blender's own key insertion, and a slider to its curves.

usage, with the Python of a bpy environment: python -m tests.bench.blender_bench
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import bpy
import numpy as np

import unitalker_blender
from unitalker_blender import backend_session
from unitalker_blender.client.motion import Motion
from unitalker_blender.remap_job import RemapJob
from unitalker_blender.scene.action_placement import Placement
from unitalker_blender.scene.shape_key_tracks import shape_key_tracks
from unitalker_blender.scene.track_writer import TrackWriter

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000
SLIDER_RUNS = 15
CHANNELS = 51
FPS = 30.0
FRAMES = int(10 * 60 * FPS)
INSERTED = 300
PLAYED = 300
RUNS = 5
STEP = 0.02  # seconds that a window's step may write


def timed(action: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start


def face() -> bpy.types.Object:
    bpy.ops.mesh.primitive_cube_add()
    mesh = bpy.context.object
    mesh.shape_key_add(name="Basis")
    for channel in range(CHANNELS):
        mesh.shape_key_add(name=f"key{channel}", from_mix=False)
    return mesh


def speech() -> Motion:
    """Smooth curves with pauses, as speech makes them."""
    noise = np.random.default_rng(0).normal(size=(FRAMES + 8, CHANNELS))
    window = np.hanning(9)
    moving = np.stack([np.convolve(column, window, "valid") for column in noise.T], axis=1)
    speaking = np.sin(np.arange(FRAMES) / 60)[:, None] > -0.3
    values = np.clip(0.2 * moving * speaking, 0.0, 1.0).astype(np.float32)
    names = tuple(f"key{channel}" for channel in range(CHANNELS))
    return Motion(values=values, names=names, fps=FPS, unit="weight", annotation="bench")


def write(key: bpy.types.Key, motion: Motion, placement: Placement) -> tuple[float, float]:
    """Write all curves; returns the time of it all, and the longest time that a window would have waited."""
    tracks = shape_key_tracks(key, motion, {name: (name,) for name in motion.names}).tracks
    writer = TrackWriter(tracks, 1, placement, "bench")
    steps, done = [], False
    while not done:
        start = time.perf_counter()
        done = writer.step(STEP)
        steps.append(time.perf_counter() - start)
    return sum(steps), max(steps)


def insert_one_by_one(blocks: list[bpy.types.ShapeKey], values: np.ndarray) -> None:
    for frame, row in enumerate(values):
        for block, value in zip(blocks, row, strict=True):
            block.value = value
            block.keyframe_insert("value", frame=frame)


def play(scene: bpy.types.Scene) -> None:
    for frame in range(PLAYED):
        scene.frame_set(frame)


def playback_ratio(key: bpy.types.Key, values: np.ndarray) -> float:
    """Cost of playing our curves against keys that Blender inserted, over the same frames; the best of each."""
    short = Motion(values, tuple(f"key{channel}" for channel in range(CHANNELS)), FPS, "weight", "bench")
    ours, inserted = [], []
    for _ in range(RUNS):
        write(key, short, Placement())
        ours.append(timed(play, bpy.context.scene))
        key.animation_data_clear()
        insert_one_by_one(list(key.key_blocks)[1:], values)
        inserted.append(timed(play, bpy.context.scene))
        key.animation_data_clear()
    return min(ours) / min(inserted)


def sliders_to_curves() -> list[float]:
    """Seconds from a moved slider to the last written key, for a minute of speech by the bundled model."""
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "minute.wav"
        write_minute(sound)
        bpy.ops.wm.read_homefile(use_empty=True)
        bpy.context.scene.render.fps = int(FPS)
        bpy.ops.import_scene.gltf(filepath=str(ROOT / "assets/heads/makehuman_head.glb"))
        head = max((item for item in bpy.data.objects if item.type == "MESH"), key=lambda item: len(item.data.vertices))
        bpy.ops.unitalker.animate(filepath=str(sound), object=head.name, preset="natural")
        return [timed(move_slider, head, 0.5 + 0.1 * run) for run in range(SLIDER_RUNS)]


def write_minute(path: Path) -> None:
    """A wav file of one minute that has the rhythm of speech: bursts of noise with pauses."""
    time_axis = np.arange(60 * RATE) / RATE
    noise = np.random.default_rng(0).normal(size=60 * RATE)
    loudness = np.clip(np.sin(2 * np.pi * 4 * time_axis), 0, 1) * (np.sin(2 * np.pi * 0.2 * time_axis) > -0.5)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((6000 * noise * loudness).clip(-32768, 32767).astype(np.int16).tobytes())


def move_slider(head: bpy.types.Object, value: float) -> None:
    """As the timer of a window does it, without its pauses."""
    head.unitalker.direction.intensity = value
    job = RemapJob(bpy.context.scene, head, backend_session.get())
    while not job.step():
        pass
    job.close()


def main() -> None:
    registration = []
    for _ in range(RUNS):
        registration.append(timed(unitalker_blender.register))
        unitalker_blender.unregister()
    unitalker_blender.register()
    key = face().data.shape_keys
    motion = speech()
    print(
        f"Blender {bpy.app.version_string}, median of {RUNS} runs; 10 minutes are {FRAMES} frames x {CHANNELS} curves"
    )
    print(f"registration                     {median(registration) * 1000:8.1f} ms   aim 50 ms")
    rows: dict[str, dict[str, Any]] = {
        "every frame": {},
        "every 3rd frame, Bezier": {"density": "NTH", "step": 3, "interpolation": "BEZIER"},
        "decimated to 0.005": {"density": "DECIMATED"},
        "decimated to 0.005, Bezier": {"density": "DECIMATED", "interpolation": "BEZIER"},
    }
    every_frame = 0.0
    for name, settings in rows.items():
        runs = [write(key, motion, Placement(**settings)) for _ in range(RUNS)]
        total, longest = (median(times) for times in zip(*runs, strict=True))
        every_frame = every_frame or total
        print(
            f"10 minutes, {name:<27}{total * 1000:8.1f} ms   aim 1000 ms   longest step {longest * 1000:.0f} ms, aim 50"
        )
    key.animation_data_clear()
    inserted = timed(insert_one_by_one, list(key.key_blocks)[1:], motion.values[:INSERTED])
    each = every_frame / FRAMES
    print(f"per frame against keyframe_insert over {INSERTED} frames: {inserted / INSERTED / each:.0f} times faster")
    key.animation_data_clear()
    print(f"playback against keyframe_insert's keys: {playback_ratio(key, motion.values[:PLAYED]):.2f}   aim 1.10")
    print(f"slider to curves, one minute     {median(sliders_to_curves()) * 1000:8.1f} ms   aim 100 ms")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Some bpy versions crash in interpreter exit, after all is done.
    os._exit(0)
