"""From a sound to keyframes, in steps: the backend works, then everything is written, a few curves at a time.

A job that fails or is cancelled leaves the scene as it was.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy

from . import backend_session, performance, take_actions, takes
from .animate_options import AnimateOptions
from .client.errors import UniTalkerError
from .client.job import MotionJob
from .client.motion import load_motion
from .client.protocol import Result
from .client.session import BackendSession
from .job import Report
from .performance import check_frame_rate, scene_fps
from .scene import target as targets
from .scene.action_placement import Placement, keep_in_file
from .scene.frame_range import extend_range
from .scene.shape_key_tracks import ShapeKeyTracks
from .scene.sound_strip import add_sound
from .scene.track_writer import TrackWriter
from .scene.verify import check_motion
from .settings import direction as directions
from .settings.takes import UniTalkerTake

_WRITING_BUDGET = 0.02  # seconds in one step of a window, which should not stop for more than 50 ms
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
        performance.check_files(options)
        self._scene_name = scene.name
        self._target_uid = target.session_uid
        self._fps = scene_fps(scene)
        self._options = options
        self._placement = options.placement or Placement()
        self._assets = backend_session.assets_folder()
        rig = performance.rig_of(scene, target, options.head, self._assets)
        self._rig_notes = rig.notes if rig else ()
        request = performance.request(options, self._fps, rig.request if rig else None)
        self._motion_job = MotionJob(session, request)
        self._writer: TrackWriter | None = None
        self._plan: ShapeKeyTracks | None = None
        self._notes: list[str] = []
        self._updated = ""
        self._cancelled = False
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
        return "Writing the keys" if self._writer is not None else self._motion_job.text

    @property
    def cancelled(self) -> bool:
        """Whether the job ended because it was cancelled."""
        return self._cancelled or self._motion_job.state == "cancelled"

    def step(self, wait: float = 0.0) -> bool:
        """Go on; True at the end. UniTalkerError when it fails.

        Args:
            wait: seconds to wait for the backend at most; with 0, a step that writes does not take long either.
        """
        if self._writer is None:
            if not self._motion_job.step(wait):
                return False
            if self.cancelled or self._motion_job.result is None:
                return True
            self._writer = self._begin_writing(self._motion_job.result)
        if self._cancelled:
            self._writer.abort()
            return True
        if not self._writer.step(None if wait else _WRITING_BUDGET):
            return False
        self.report = self._finish()
        return True

    def cancel(self) -> None:
        """Ask for an early end; it comes with one of the next steps."""
        if self._writer is None:
            self._motion_job.cancel_quietly()
        else:
            self._cancelled = True

    def close(self) -> None:
        """Forget the job, finished or not."""
        if self._writer is not None and self.report is None:
            self._writer.abort()
        self._motion_job.close()

    def _begin_writing(self, result: Result) -> TrackWriter:
        motion = load_motion(Path(result.path))
        scene, target = self._find_again()
        targets.check_target(target, scene)
        options = self._options
        if options.frame_start + len(motion.values) - 1 > _LAST_FRAME:
            raise UniTalkerError(
                "target.too_late", f"The speech would end after frame {_LAST_FRAME}.", "Choose an earlier Start Frame."
            )
        self._plan = performance.plan(target, motion, result.head, self._fps, self._assets)
        self._notes = [*result.notes, *self._rig_notes, *self._plan.notes]
        take = self._take_to_update(target)
        self._updated = take.uid if take else ""
        return TrackWriter(
            self._plan.tracks,
            options.frame_start,
            self._placement,
            f"{options.subject.stem} {target.name}",
            places=take_actions.places(target, take) if take else (),
            cleared=(take.span_start, take.span_end) if take else None,
        )

    def _take_to_update(self, target: bpy.types.Object) -> UniTalkerTake | None:
        take = takes.of_sound(target, self._options.subject) if self._options.update_take else None
        if take is not None and (edited := take_actions.edited_curves(target, take)):
            self._notes.append(
                f"'{take.name}' is kept and this is a new take, since {len(edited)} of its curves were edited by hand"
            )
            return None
        return take

    def _finish(self) -> Report:
        """Everything besides the keys."""
        result, writer, options = self._motion_job.result, self._writer, self._options
        assert result and writer
        scene, target = self._find_again()
        first, last = writer.span
        if options.extend_range:
            extend_range(scene, first, last)
        warnings = [*self._notes]
        if options.add_sound and options.audio is not None:
            warnings.append(add_sound(scene, options.audio, options.frame_start, result.duration))
        warnings.append(check_motion(scene, target, writer))
        summary = (
            f"{target.name}: {len(writer.tracks)} shape keys, frames {first} to {last}, "
            f"{result.head} ({result.identity or options.subject.name})"
        )
        warnings.append(self._keep_take(target, result, writer, summary))
        return Report(summary, tuple(warning for warning in warnings if warning))

    def _keep_take(self, target: bpy.types.Object, result: Result, writer: TrackWriter, summary: str) -> str:
        """Make a take of it; returns what kept that from being done."""
        if not target.is_editable:
            for place in writer.places:
                keep_in_file(place.before.action())
            return f"'{target.name}' is linked, so there is no take, and sliders cannot act on it"
        assert self._plan
        options = self._options
        take = takes.find(target, self._updated) or takes.new(target, options.subject.stem)
        takes.fill(take, options, result, self._fps, dataclasses.asdict(self._placement))
        take_actions.note_written(target, take, writer)
        performance.note_result(take, options.direction, result, self._plan)
        take.summary = summary
        takes.play(target, take, sliders=False)
        directions.load(target.unitalker.direction, options.direction)
        target.unitalker.direction.preset = options.preset
        return ""

    def _find_again(self) -> tuple[bpy.types.Scene, bpy.types.Object]:
        scene = bpy.data.scenes.get(self._scene_name)
        target = next((item for item in scene.objects if item.session_uid == self._target_uid), None) if scene else None
        if scene is None or target is None:
            raise UniTalkerError(
                "target.gone",
                f"The object '{self._options.target}' was deleted while it was being animated.",
                "Nothing was changed.",
            )
        check_frame_rate(scene, self._fps, target.name)
        return scene, target
