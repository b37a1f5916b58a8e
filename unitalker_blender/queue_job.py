"""Several sounds and characters, one after the other."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from .animation_job import AnimationJob
from .client.errors import UniTalkerError
from .job import Report


class QueueJob:
    """Animates what waits in the scene's queue; what fails is noted and does not keep the rest from being done.

    Args:
        scene: found again by its name.
        make: makes the job of one item; UniTalkerError when it cannot be done.
    """

    def __init__(
        self, scene: bpy.types.Scene, make: Callable[[bpy.types.Scene, bpy.types.PropertyGroup], AnimationJob]
    ) -> None:
        self._scene_name = scene.name
        self._make = make
        self._waiting = [index for index, item in enumerate(scene.unitalker.queue) if item.state == "WAITING"]
        self._count = len(self._waiting)
        self._job: AnimationJob | None = None
        self._failed: list[str] = []
        self._warnings: list[str] = []
        self.cancelled = False
        self.report: Report | None = None
        if not self._waiting:
            raise UniTalkerError("queue.empty", "Nothing waits in the queue.", "Add a target and a sound to it.")

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        done = self._count - len(self._waiting) + (self._job.fraction if self._job else 0.0)
        return done / max(self._count, 1)

    @property
    def text(self) -> str:
        """What is being done."""
        number = self._count - len(self._waiting) + 1
        return f"{min(number, self._count)} of {self._count}: {self._job.text if self._job else 'Starting'}"

    def step(self, wait: float = 0.0) -> bool:
        """Go on; True at the end."""
        if not self._waiting:
            return True
        item = self._item()
        try:
            if self._job is None:
                self._job = self._make(bpy.data.scenes[self._scene_name], item)
            if not self._job.step(wait):
                return False
        except UniTalkerError as error:
            self._note("FAILED", str(error))
            self._failed.append(str(error))
        else:
            if self._job.cancelled:
                return self._stop()
            assert self._job.report
            self._note("DONE", self._job.report.summary)
            self._warnings += self._job.report.warnings
        self._close_job()
        del self._waiting[0]
        if not self._waiting:
            self.report = self._summary()
        return not self._waiting

    def _stop(self) -> bool:
        """Cancelled: what was done before stays and is told."""
        self._close_job()
        self._count -= len(self._waiting)
        self._waiting = []
        self.cancelled = not self._count
        self.report = self._summary()
        return True

    def cancel(self) -> None:
        """Stop; what is done already stays."""
        if self._job is not None:
            self._job.cancel()
        else:
            self._stop()

    def close(self) -> None:
        """Forget the job, finished or not."""
        self._close_job()

    def _close_job(self) -> None:
        if self._job is not None:
            self._job.close()
            self._job = None

    def _item(self) -> bpy.types.PropertyGroup:
        scene = bpy.data.scenes.get(self._scene_name)
        queue = scene.unitalker.queue if scene is not None else ()
        if self._waiting[0] >= len(queue):
            raise UniTalkerError("queue.gone", "The queue was changed while it was being worked off.", "Run it again.")
        return queue[self._waiting[0]]

    def _note(self, state: str, message: str) -> None:
        item = self._item()
        item.state, item.message = state, message

    def _summary(self) -> Report:
        done = self._count - len(self._failed)
        return Report(f"{done} of {self._count} animated", tuple([*self._failed, *self._warnings]))
