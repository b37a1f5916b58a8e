"""Whether the mouth really moves: one frame is evaluated and looked at."""

from __future__ import annotations

import bpy
import numpy as np

from .key_writer import Written

_TOLERANCE = 0.01  # of a weight


def check_motion(scene: bpy.types.Scene, target: bpy.types.Object, written: Written) -> str:
    """Evaluate the frame at which the liveliest shape key is largest; say what keeps it from moving.

    The frame that the user looks at is set again afterwards.

    Returns:
        A warning, empty when the shape keys have the keyed values.
    """
    if not target.visible_get():
        return ""  # Blender does not evaluate what is hidden
    name = max(written.curves, key=lambda block: float(np.ptp(written.curves[block])))
    peak = int(written.curves[name].argmax())
    if target.show_only_shape_key:
        return f"'{target.name}' shows one shape key only (pin in the shape key panel), so it will not move"
    frame, subframe = scene.frame_current, scene.frame_subframe
    scene.frame_set(written.frame_start + peak)
    expected = {block: float(values[peak]) for block, values in written.curves.items()}
    blocks = target.data.shape_keys.key_blocks
    wrong = [block for block, value in expected.items() if abs(blocks[block].value - value) > _TOLERANCE]
    scene.frame_set(frame, subframe=subframe)
    if not wrong:
        return ""
    return (
        f"the keys are written, but {len(wrong)} shape keys such as '{wrong[0]}' do not follow them: "
        "look for a soloed NLA track, a muted Action or an influence below 1 on the shape keys"
    )
