"""A take directed again: the backend's stages after the network run anew, and the keys get other values."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import bpy

from . import backend_session, performance, take_actions, takes
from .client.errors import UniTalkerError
from .client.job import MotionJob
from .client.motion import Motion, load_motion
from .client.protocol import RemapRequest, Result
from .client.session import BackendSession
from .job import Report
from .passages import Passage
from .performance import FPS_TOLERANCE, scene_fps
from .scene.action_placement import Placement
from .scene.track_writer import TrackWriter
from .settings.takes import UniTalkerTake

# Seconds in one step of a window. A minute of speech is mostly answered and written within one.
_PATIENCE = 0.025
_WRITING_BUDGET = 0.02

Edited = Literal["KEEP", "OVERWRITE", "NEW_TAKE"]


class RemapJob:
    """Directs the active take of an object again; call `step` until it returns True, then `close`.

    Args:
        scene: whose frame rate counts.
        target: the object.
        edited: what happens to curves whose keys somebody edited; NEW_TAKE leaves all of the take as it is and
            directs a copy.
        passage: a new one, which is added to those of the take; then only its frames are written.

    Raises:
        UniTalkerError: when it is already clear that it cannot be done.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        target: bpy.types.Object,
        session: BackendSession,
        edited: Edited = "KEEP",
        passage: Passage | None = None,
    ) -> None:
        take = _take(target, scene)
        self._scene_name, self._target_uid, self._take_uid = scene.name, target.session_uid, take.uid
        self._fps, self._frame_start = take.fps, take.frame_start
        self._session = session
        self._edited = edited
        self._passage = passage
        self._passages = [Passage(*values) for values in json.loads(take.passages)] + ([passage] if passage else [])
        rig = performance.rig_of(scene, target, take.head, backend_session.assets_folder())
        self._rig = rig.request if rig else None
        self.direction = performance.sliders(target, take.frame_start, take.fps)
        wanted = [passage] if passage else [None, *self._passages]
        self._waiting = [self._request(take.raw, part) for part in wanted]
        self._count = len(wanted)
        self._copied = False
        self._parts: list[Motion] = []
        self._result: Result | None = None
        self._writer: TrackWriter | None = None
        self._kept: tuple[str, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._motion_job: MotionJob | None = None
        self.cancelled = False
        self.report: Report | None = None

    text = "Directing the take"

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        return len(self._parts) / self._count

    def step(self, wait: float = 0.0) -> bool:
        """Go on; True at the end. UniTalkerError when it fails."""
        if self.cancelled:
            return True
        if self._writer is None:
            if not self._compute(max(wait, _PATIENCE)):
                return False
            self._writer = self._begin_writing()
        if self._writer is not None and not self._writer.step(None if wait else _WRITING_BUDGET):
            return False
        self.report = self._finish()
        return True

    def cancel(self) -> None:
        """End without a change."""
        self.close()
        self.cancelled = True

    def close(self) -> None:
        """Forget the job, finished or not."""
        if self._writer is not None and self.report is None:
            self._writer.abort()
            self._remove_copy()
        if self._motion_job is not None:
            self._motion_job.close()
            self._motion_job = None

    def _request(self, raw: str, part: Passage | None) -> RemapRequest:
        direction = part.direction(self.direction) if part else self.direction
        return RemapRequest(raw, fps=self._fps, direction=direction, rig=self._rig)

    def _compute(self, wait: float) -> bool:
        """Ask for the take and each of its passages, one after the other; whether all are there."""
        while self._waiting:
            if self._motion_job is None:
                self._motion_job = MotionJob(self._session, self._waiting[0])
                self._motion_job.start()
            if not self._motion_job.step(wait):
                return False
            result = self._motion_job.result
            assert result is not None
            self._parts.append(load_motion(Path(result.path)))
            self._result = self._result or result
            self._motion_job.close()
            self._motion_job = None
            del self._waiting[0]
        return True

    def _motion(self) -> Motion:
        """What is written: the take with its passages; of a new passage that alone, which the writer blends in."""
        base, *parts = self._parts
        if self._passage is not None:
            return base
        values = base.values
        for passage, part in zip(self._passages, parts, strict=True):
            values = passage.blended(values, part.values, self._frame_start)
        return dataclasses.replace(base, values=values)

    def _find_again(self) -> tuple[bpy.types.Object, UniTalkerTake]:
        target = performance.find_target(self._target_uid)
        take = takes.find(target, self._take_uid) if target is not None else None
        if target is None or take is None:
            raise UniTalkerError("take.gone", "The take was deleted while it was being directed.", "")
        return target, take

    def _begin_writing(self) -> TrackWriter | None:
        assert self._result
        target, take = self._find_again()
        assets = backend_session.assets_folder()
        self._plan = performance.plan(target, self._motion(), self._result.head, self._fps, assets)
        self._notes = (*self._result.notes, *self._plan.notes)
        self._kept = take_actions.edited_curves(target, take)
        overwrite = self._edited != "KEEP" or self._passage is not None
        tracks = [track for track in self._plan.tracks if overwrite or take_actions.curve_name(track) not in self._kept]
        if not tracks:
            return None
        if self._edited == "NEW_TAKE":
            take = takes.duplicate(target, takes.index_of(target, take.uid), sliders=False)
            self._take_uid, self._copied = take.uid, True
        return TrackWriter(
            tracks,
            self._frame_start,
            self._placement(take),
            take.name,
            places=take_actions.places(target, take),
            from_outside=self._passage is None,
        )

    def _placement(self, take: UniTalkerTake) -> Placement:
        placement = Placement(**json.loads(take.placement))
        span = (take.span_start, take.span_end)
        if self._passage is None:
            return dataclasses.replace(placement, span=span)
        within = (max(self._passage.first, span[0]), min(self._passage.last, span[1]))
        return dataclasses.replace(placement, span=within, blend=self._passage.blend)

    def _remove_copy(self) -> None:
        target = performance.find_target(self._target_uid)
        if self._copied and target is not None and (copy := takes.find(target, self._take_uid)) is not None:
            takes.delete(target, takes.index_of(target, copy.uid))

    def _finish(self) -> Report:
        assert self._result
        target, take = self._find_again()
        edited = self._kept if self._edited == "KEEP" or self._passage is not None else ()
        if self._writer is not None:
            take_actions.note_written(target, take, self._writer, edited, whole=self._passage is None)
        take.passages = json.dumps([dataclasses.astuple(passage) for passage in self._passages])
        performance.note_result(take, self.direction, self._result, self._plan)
        take.preset = target.unitalker.direction.preset
        notes = list(self._notes)
        take.edited = len(edited)
        if edited and self._passage is None:
            notes.append(f"{len(edited)} curves were edited by hand and stay as they are: {_some(edited)}")
        return Report(f"{target.name}: the take '{take.name}' is directed again", tuple(notes))


def _take(target: bpy.types.Object, scene: bpy.types.Scene) -> UniTalkerTake:
    take = takes.active(target)
    if take is None:
        raise UniTalkerError("take.none", f"'{target.name}' has no take yet.", "Press Animate first.")
    now = scene_fps(scene)
    if abs(now - take.fps) > FPS_TOLERANCE:
        raise UniTalkerError(
            "take.frame_rate",
            f"The take '{take.name}' was made at {take.fps:g} frames per second, the scene has {now:g} now.",
            "Set the frame rate back, or press Animate to make a take at this one.",
        )
    take_actions.places(target, take)
    return take


def _some(names: tuple[str, ...]) -> str:
    labels = [name.partition('"')[2].rpartition('"')[0] or name for name in names]
    return ", ".join(labels[:3]) + (" ..." if len(labels) > 3 else "")
