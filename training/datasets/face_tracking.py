"""MediaPipe's Face Landmarker on a movie: 51 ARKit-named weights and the head's rotation for every frame.

The model is a ``.task`` file that the user downloads and names; nothing is fetched from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError
from backend.official_release import released_annotations
from training.datasets.movies import frames_of, import_extra

MEDIAPIPE_TYPE = "mediapipe_blendshape_weight"
MEDIAPIPE_NAMES = tuple(name for name in released_annotations()["3DETF_blendshape_weight"].names if name != "tongueOut")
"""MediaPipe's own order, which is the alphabetical one; it has no tongueOut."""


@dataclass(frozen=True)
class TrackedFace:
    """What was seen in a movie.

    Attributes:
        times: seconds (T,).
        weights: float32 (T, 51) in the order of `MEDIAPIPE_NAMES`; NaN where there was no face.
        head: float32 (T, 3), pitch, yaw and roll in radians; NaN likewise.
    """

    times: np.ndarray
    weights: np.ndarray
    head: np.ndarray


def track_face(movie: Path, task: Path) -> TrackedFace:
    """Follows the one face in a movie.

    Args:
        movie: its path.
        task: ``face_landmarker.task``.

    Raises:
        UniTalkerError: ``video.package``, ``video.unreadable``, ``video.task`` or, when no frame shows a face,
            ``video.no_face``.
    """
    mediapipe = import_extra("mediapipe", f"Tracking the face in {movie}")
    times, weights, head = [], [], []
    with _landmarker(task) as landmarker:
        previous = -1
        for seconds, picture in frames_of(movie):
            # The tracker wants rising whole milliseconds.
            stamp = max(round(seconds * 1000), previous + 1)
            previous = stamp
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
            found = landmarker.detect_for_video(image, stamp)
            times.append(seconds)
            weights.append(_weights(found.face_blendshapes))
            head.append(_rotation(found.facial_transformation_matrixes))
    if not any(np.isfinite(row).all() for row in weights):
        raise UniTalkerError(
            "video.no_face", f"No face was found in {movie}.", "Film one face from the front, in light."
        )
    return TrackedFace(np.array(times), np.array(weights, np.float32), np.array(head, np.float32))


def check_task(task: Path | None) -> Path:
    """The task file that was given.

    Raises:
        UniTalkerError: ``video.task``.
    """
    if task is not None and task.is_file():
        return task
    given = "No face model was given" if task is None else f"{task} does not exist"
    raise UniTalkerError(
        "video.task",
        f"{given}.",
        "Download face_landmarker.task (MediaPipe Face Landmarker, Apache-2.0) and name it with --face-task.",
    )


def _landmarker(task: Path) -> Any:
    vision = import_extra("mediapipe.tasks.python.vision", "Tracking a face")
    base = import_extra("mediapipe.tasks.python", "Tracking a face")
    options = vision.FaceLandmarkerOptions(
        base_options=base.BaseOptions(model_asset_path=str(check_task(task))),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    try:
        return vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise UniTalkerError("video.task", f"{task} is not a face model: {error}.") from error


def _weights(faces: list[list[Any]]) -> np.ndarray:
    if not faces:
        return np.full(len(MEDIAPIPE_NAMES), np.nan, np.float32)
    scores = {category.category_name: category.score for category in faces[0]}
    return np.array([scores[name] for name in MEDIAPIPE_NAMES], np.float32)


def _rotation(matrices: list[np.ndarray]) -> np.ndarray:
    """Pitch, yaw and roll of the first face, from rotation matrices of the form Ry(yaw) Rx(pitch) Rz(roll)."""
    if not matrices:
        return np.full(3, np.nan, np.float32)
    matrix = np.asarray(matrices[0], np.float64)[:3, :3]
    matrix = matrix / np.linalg.norm(matrix, axis=0)
    pitch = np.arcsin(np.clip(-matrix[1, 2], -1, 1))
    yaw = np.arctan2(matrix[0, 2], matrix[2, 2])
    roll = np.arctan2(matrix[1, 0], matrix[1, 1])
    return np.array([pitch, yaw, roll], np.float32)
