"""Whether the mouth really moves: one frame is evaluated and looked at."""

from __future__ import annotations

import bpy
import numpy as np

from .track_writer import TrackWriter

_TOLERANCE = 0.01  # of a weight


def check_motion(scene: bpy.types.Scene, target: bpy.types.Object, writer: TrackWriter) -> str:
    """Evaluate the frame at which the liveliest shape key of `target` is largest; say what keeps it from moving.

    The frame that the user looks at is set again afterwards.

    Returns:
        A warning, empty when the shape keys have the keyed values.
    """
    key = target.data.shape_keys
    tracks = writer.tracks_of(key)
    if not target.visible_get() or not tracks:
        return ""  # Blender does not evaluate what is hidden
    if target.show_only_shape_key:
        return f"'{target.name}' shows one shape key only (pin in the shape key panel), so it will not move"
    liveliest = max(tracks, key=lambda track: float(np.ptp(writer.wanted(track))))
    peak = writer.span[0] + int(writer.wanted(liveliest).argmax())
    expected = {track.path: writer.fcurve(track).evaluate(peak) for track in tracks}
    frame, subframe = scene.frame_current, scene.frame_subframe
    scene.frame_set(peak)
    wrong = [track.label for track in tracks if abs(key.path_resolve(track.path) - expected[track.path]) > _TOLERANCE]
    scene.frame_set(frame, subframe=subframe)
    if not wrong:
        return ""
    return (
        f"the keys are written, but {len(wrong)} shape keys such as '{wrong[0]}' do not follow them: "
        "look for a soloed NLA track, a muted Action or an influence below 1 on the shape keys"
    )
