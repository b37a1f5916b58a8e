"""Add-on: registration, and ten minutes of 51 curves written, against Blender's own key insertion in the same run.

usage, with the Python of a bpy environment: python -m tests.bench.blender_bench
"""

from __future__ import annotations

import os
import sys
import time
from statistics import median

import bpy
import numpy as np

import unitalker_blender
from unitalker_blender.client.motion import Motion
from unitalker_blender.scene.key_writer import write_keys

CHANNELS = 51
FPS = 30.0
FRAMES = int(10 * 60 * FPS)
INSERTED = 300
RUNS = 5


def timed(action: object, *arguments: object) -> float:
    start = time.perf_counter()
    action(*arguments)  # type: ignore[operator]
    return time.perf_counter() - start


def face() -> bpy.types.Object:
    bpy.ops.mesh.primitive_cube_add()
    mesh = bpy.context.object
    mesh.shape_key_add(name="Basis")
    for channel in range(CHANNELS):
        mesh.shape_key_add(name=f"key{channel}", from_mix=False)
    return mesh


def insert_one_by_one(blocks: list[bpy.types.ShapeKey], values: np.ndarray) -> None:
    for frame, row in enumerate(values):
        for block, value in zip(blocks, row, strict=True):
            block.value = value
            block.keyframe_insert("value", frame=frame)


def main() -> None:
    registration = []
    for _ in range(RUNS):
        registration.append(timed(unitalker_blender.register))
        unitalker_blender.unregister()
    key = face().data.shape_keys
    names = tuple(f"key{channel}" for channel in range(CHANNELS))
    values = np.random.default_rng(0).random((FRAMES, CHANNELS), dtype=np.float32)
    motion = Motion(values=values, names=names, fps=FPS, unit="weight", annotation="bench")
    targets = {name: (name,) for name in names}
    written = [timed(write_keys, key, motion, targets, 1, "bench") for _ in range(RUNS)]
    key.animation_data_clear()
    inserted = timed(insert_one_by_one, list(key.key_blocks)[1:], values[:INSERTED])
    each = median(written) / FRAMES
    print(f"Blender {bpy.app.version_string}, median of {RUNS} runs")
    print(f"registration            {median(registration) * 1000:8.1f} ms   aim 50 ms")
    print(f"10 minutes x 51 curves  {median(written) * 1000:8.1f} ms   aim 1000 ms")
    print(f"per frame against keyframe_insert over {INSERTED} frames: {inserted / INSERTED / each:.0f} times faster")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Some bpy versions crash in interpreter exit, after all is done.
    os._exit(0)
