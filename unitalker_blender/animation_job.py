"""From a sound to keyframes, in steps: the backend works, then everything is written in one go at the end.

The scene is touched by the last step only. A job that fails or is cancelled leaves it as it was.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from . import backend_session
from .animate_options import AnimateOptions
from .client.errors import UniTalkerError
from .client.job import MotionJob
from .client.motion import Motion, load_motion
from .client.protocol import AnimateRequest, Result
from .client.session import BackendSession
from .job import Report
from .scene import target as targets
from .scene.frame_range import extend_range
from .scene.key_writer import Written, write_keys
from .scene.shape_key_names import Match
from .scene.sound_strip import add_sound
from .scene.verify import check_motion

_FPS_TOLERANCE = 1e-3
_LAST_FRAME = 1_048_574  # of Blender


class AnimationJob:
    """Animates one object of a scene; call `step` until it returns True, then `close`.

    Blender's data is never held between steps, since undo or loading a file may replace it.

    Args:
        scene: where the object is; found again by its name.
        options: what to do.
        session: the backend.

    Raises:
        UniTalkerError: when it is already clear that it cannot be done.
    """

    def __init__(self, scene: bpy.types.Scene, options: AnimateOptions, session: BackendSession) -> None:
        target = targets.find_object(scene, options.target)
        targets.check_target(target, scene)
        _check_sound(options.audio)
        self._scene_name = scene.name
        self._target_uid = target.session_uid
        self._fps = scene.render.fps / scene.render.fps_base
        self._options = options
        self._assets = backend_session.assets_folder()
        self._motion_job = MotionJob(session, _request(options, self._fps))
        self.report: Report | None = None
        try:
            self._motion_job.start()
        except UniTalkerError:
            self.close()
            raise

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        return self._motion_job.fraction

    @property
    def text(self) -> str:
        """What is being done."""
        return self._motion_job.text

    @property
    def cancelled(self) -> bool:
        """Whether the job ended because it was cancelled."""
        return self._motion_job.state == "cancelled"

    def step(self, wait: float = 0.0) -> bool:
        """Go on; True at the end. Waits up to `wait` seconds for the backend. UniTalkerError when it fails."""
        if not self._motion_job.step(wait):
            return False
        if self._motion_job.result is not None and not self.cancelled:
            self.report = self._write(self._motion_job.result)
        return True

    def cancel(self) -> None:
        """Ask for an early end; it comes with one of the next steps."""
        self._motion_job.cancel_quietly()

    def close(self) -> None:
        """Forget the job, finished or not."""
        self._motion_job.close()

    def _write(self, result: Result) -> Report:
        motion = load_motion(Path(result.path))
        scene, target = self._find_again()
        key = targets.check_target(target, scene)
        match = self._match(target, motion, result.head)
        if self._options.frame_start + len(motion.values) - 1 > _LAST_FRAME:
            raise UniTalkerError(
                "target.too_late", f"The speech would end after frame {_LAST_FRAME}.", "Choose an earlier Start Frame."
            )
        name = f"{self._options.audio.stem} {target.name}"
        written = write_keys(key, motion, match.keys, self._options.frame_start, name)
        warnings = [*result.notes, *written.notes, *self._finish(scene, target, written, result.duration)]
        summary = (
            f"{target.name}: {len(written.curves)} shape keys, frames {written.frame_start} to {written.frame_end}, "
            f"from {len(match.keys)} of {len(motion.names)} channels of {result.head} ({result.identity})"
        )
        return Report(summary, tuple(warnings))

    def _finish(self, scene: bpy.types.Scene, target: bpy.types.Object, written: Written, duration: float) -> list[str]:
        """What is done besides the keys; returns warnings."""
        options = self._options
        warnings = []
        if options.extend_range:
            extend_range(scene, written.frame_start, written.frame_end)
        if options.add_sound:
            warnings.append(add_sound(scene, options.audio, options.frame_start, duration))
        warnings.append(check_motion(scene, target, written))
        return [warning for warning in warnings if warning]

    def _match(self, target: bpy.types.Object, motion: Motion, head: str) -> Match:
        if motion.unit != "weight":
            raise UniTalkerError(
                "target.not_weights",
                f"The head '{head}' gives positions or parameters (unit '{motion.unit}'), not shape key weights.",
                "Choose a blendshape head, or leave Head empty.",
            )
        if abs(motion.fps - self._fps) > _FPS_TOLERANCE:
            raise UniTalkerError(
                "result.frame_rate",
                f"The backend answered with {motion.fps:g} frames per second, asked for were {self._fps:g}.",
                "Install add-on and backend from the same release.",
            )
        return targets.match_channels(target, motion.names, targets.arkit_spellings(self._assets), head)

    def _find_again(self) -> tuple[bpy.types.Scene, bpy.types.Object]:
        scene = bpy.data.scenes.get(self._scene_name)
        target = next((item for item in scene.objects if item.session_uid == self._target_uid), None) if scene else None
        if scene is None or target is None:
            raise UniTalkerError(
                "target.gone",
                f"The object '{self._options.target}' was deleted while it was being animated.",
                "Nothing was changed.",
            )
        if abs(scene.render.fps / scene.render.fps_base - self._fps) > _FPS_TOLERANCE:
            raise UniTalkerError(
                "scene.frame_rate_changed",
                f"The frame rate of the scene was changed from {self._fps:g} while '{target.name}' was being animated.",
                "Nothing was changed. Run Animate again.",
            )
        return scene, target


def _check_sound(path: Path) -> None:
    if not path.is_file():
        raise UniTalkerError(
            "audio.not_found", f"There is no sound file {path}.", "Choose a wav, flac, ogg or mp3 file as Sound."
        )


def _request(options: AnimateOptions, fps: float) -> AnimateRequest:
    return AnimateRequest(
        audio=str(options.audio),
        model=options.model or None,
        head=options.head or None,
        identity=options.identity or None,
        fps=fps,
        direction={"intensity": options.intensity, "smoothing": options.smoothing},
        device=options.device,
    )
