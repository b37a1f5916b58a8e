"""Live Link Face take: the CSV that Epic's phone app records and that Unreal and Blender importers read."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from pathlib import Path

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write

# The app's own order. It is not Apple's: right comes before left for the jaw's and the mouth's sideways motion.
ARKIT_COLUMNS = (
    *("EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft"),
    *("EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight"),
    *("EyeSquintRight", "EyeWideRight", "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose"),
    *("MouthFunnel", "MouthPucker", "MouthRight", "MouthLeft", "MouthSmileLeft", "MouthSmileRight"),
    *("MouthFrownLeft", "MouthFrownRight", "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft"),
    *("MouthStretchRight", "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *("MouthPressLeft", "MouthPressRight", "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft"),
    *("MouthUpperUpRight", "BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight"),
    *("CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
)
ROTATION_COLUMNS = (
    *("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll"),
    *("RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
)
VALUE_COLUMNS = ARKIT_COLUMNS + ROTATION_COLUMNS

# Without these a take moves no mouth, so a head that lacks them does not speak ARKit.
_ESSENTIAL = ("jawopen", "mouthclose", "mouthfunnel", "mouthpucker")


def write_live_link_face(motion: FaceMotion, path: Path) -> None:
    """Write a take of 63 columns; columns that the head does not have, such as ``TongueOut``, are 0.

    Raises:
        UniTalkerError: ``output.unwritable``, also when the head has no ARKit channels.
    """
    channels = find_arkit_channels(motion.annotation)
    with atomic_write(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(("Timecode", "BlendShapeCount", *VALUE_COLUMNS))
        for index, frame in enumerate(motion.values):
            weights = ("0" if channel is None else f"{frame[channel]:.9g}" for channel in channels)
            writer.writerow((timecode(index, motion.fps), len(VALUE_COLUMNS), *weights))


def find_arkit_channels(annotation: Annotation) -> list[int | None]:
    """For each of the 61 value columns the channel of the head, or None.

    Raises:
        UniTalkerError: ``output.unwritable`` when the head has no ARKit channels.
    """
    index = {name.lower(): channel for channel, name in enumerate(annotation.names)}
    if annotation.kind != "blendshapes" or any(name not in index for name in _ESSENTIAL):
        raise UniTalkerError(
            "output.unwritable",
            f"The head {annotation.type_name} has no ARKit channels, which a Live Link Face .csv consists of.",
            "Choose a head with ARKit blendshapes, or write .npz or .json.",
        )
    return [index.get(name.lower()) for name in VALUE_COLUMNS]


def timecode(index: int, fps: float) -> str:
    """``HH:MM:SS:FF.sub`` of a frame; exact also where `fps` is not whole, ``sub`` being thousandths of a frame.

    >>> timecode(61, 60.0)
    '00:00:01:01.000'
    """
    rate = Fraction(fps).limit_denominator(1001)
    seconds, rest = divmod(Fraction(index) / rate, 1)
    minutes, second = divmod(int(seconds), 60)
    frame, sub = divmod(int(rest * rate * 1000), 1000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}:{frame:02}.{sub:03}"
