"""A take and a direction to the motion that is written: every stage after the network, in its order."""

from __future__ import annotations

from dataclasses import replace

from backend.annotation import FaceMotion
from backend.motion.articulation import articulate, close_lips, closure_weight, find_closures, open_mouth
from backend.motion.blinks import add_blinks
from backend.motion.breathing import add_breathing
from backend.motion.channels import has_arkit_mouth
from backend.motion.clip import clip_weights
from backend.motion.direction import NEUTRAL, Direction
from backend.motion.emotions import add_emotions
from backend.motion.gaze import add_gaze
from backend.motion.head import add_head_motion
from backend.motion.intensity import scale_intensity
from backend.motion.poses import hold_poses
from backend.motion.quality import measure_quality
from backend.motion.regions import balance_sides, scale_regions
from backend.motion.resample import resample
from backend.motion.rest import gate_silence, remove_rest
from backend.motion.smoothing import smooth
from backend.motion.style import blend_styles
from backend.takes import Take

_NEEDS_ARKIT = ("articulation", "closure", "mouth_open", "blinks", "gaze", "head", "breathing", "emotions")
_NEEDS_NAMES = ("regions", "upper_face", "asymmetry")


def perform(take: Take, direction: Direction, fps: float | None = None) -> FaceMotion:
    """Direct a take. A neutral direction changes nothing but frame rate and range.

    The network's own motion is shaped at its own rate; lips are closed and layers added on the frames of the result,
    so that closures and blinks are whole at every rate.

    Args:
        take: what the network said.
        direction: what is changed about it.
        fps: frames per second of the result; None for the head's own.

    Returns:
        Motion from the start of the sound on; blendshape weights within 0 to 1, angles in radians. What the head
        cannot do of the direction is said in its notes.
    """
    motion = _shape_speech(take, direction)
    motion = resample(motion, fps or motion.fps, direction.time_offset)
    if has_arkit_mouth(motion.annotation):
        motion = _add_layers(motion, take, direction)
    motion = hold_poses(motion, direction.poses_per_second)
    return _with_note(clip_weights(motion), direction)


def judge(motion: FaceMotion, take: Take, direction: Direction) -> dict[str, float]:
    """The quality read-out of a performance of that take, see `measure_quality`."""
    return measure_quality(motion, find_closures(take.raw) + direction.time_offset, take.prosody)


def _shape_speech(take: Take, direction: Direction) -> FaceMotion:
    """What is done to the network's own motion."""
    pauses, rest = take.prosody.pauses, take.rest
    motion = blend_styles(take.raw, take.raw_b, direction.style_blend)
    motion = remove_rest(motion, pauses, direction.rest, rest)
    motion = scale_regions(motion, direction.regions, direction.upper_face)
    motion = scale_intensity(motion, direction.intensity, rest)
    motion = articulate(motion, direction.articulation)
    motion = smooth(motion, direction.smoothing)
    motion = gate_silence(motion, pauses, direction.silence_gate, rest)
    return balance_sides(motion, direction.asymmetry)


def _add_layers(motion: FaceMotion, take: Take, direction: Direction) -> FaceMotion:
    """What is added to it on an ARKit head."""
    voice = take.prosody
    closures = find_closures(take.raw) + direction.time_offset
    weight = closure_weight(closures, len(motion.values), motion.fps)
    motion = open_mouth(motion, weight, direction.mouth_open)
    motion = add_emotions(motion, direction.emotions, weight)
    motion = add_breathing(motion, voice, direction.breathing)
    # After all that opens the mouth.
    motion = close_lips(motion, weight, direction.closure)
    motion = add_head_motion(motion, voice, direction.head)
    # After the head, since the eyes make up for its turning, and lids after the eyes.
    motion = add_gaze(motion, voice, direction.gaze)
    return add_blinks(motion, voice, direction.blinks)


def _with_note(motion: FaceMotion, direction: Direction) -> FaceMotion:
    """Say what of the direction this head cannot follow."""
    annotation = motion.annotation
    unable: tuple[str, ...] = () if annotation.kind == "blendshapes" else _NEEDS_NAMES
    unable += () if has_arkit_mouth(annotation) else _NEEDS_ARKIT
    asked = [name for name in unable if _is_asked(direction, name)]
    if not asked:
        return motion
    note = f"The head {annotation.type_name} has no ARKit channels, so these have no effect: {', '.join(asked)}."
    return replace(motion, notes=(*motion.notes, note))


def _is_asked(direction: Direction, name: str) -> bool:
    """Whether a slider is moved, or a layer on."""
    value = getattr(direction, name)
    if name == "emotions":
        return any(pose.on for pose in value)
    return bool(getattr(value, "on", value != getattr(NEUTRAL, name)))
