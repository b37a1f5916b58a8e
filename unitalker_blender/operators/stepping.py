"""Runs a job of many steps from an operator: at once in the background, by a timer in a window."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, NamedTuple

import bpy

from .. import live_direction
from ..client.errors import UniTalkerError
from ..job import Job
from ..translations import translate

_TICK = 0.1  # seconds between two steps in a window; those that write keys come as fast as the window draws
_FAIR_GUESS = 2.0  # seconds of work before the time left can be told from it


class Message(NamedTuple):
    """What the panel goes on showing."""

    level: Literal["ERROR", "WARNING"]
    text: str


_running: Job | None = None
_started = 0.0
_messages: tuple[Message, ...] = ()


def running() -> Job | None:
    """The job that runs now; there is never more than one."""
    return _running


def progress_text() -> str:
    """What the running job does, and how long it will take."""
    assert _running is not None
    elapsed, fraction = time.monotonic() - _started, _running.fraction
    if elapsed < _FAIR_GUESS or not 0 < fraction < 1:
        return translate(_running.text)
    left = elapsed * (1 - fraction) / fraction
    text = f"{_running.text}, {left / 60:.0f} min left" if left > 90 else f"{_running.text}, {left:.0f} s left"
    return translate(text)


def messages() -> tuple[Message, ...]:
    """Why the last job failed, or what it warned of; until dismissed, or until another is started."""
    return _messages


def dismiss() -> None:
    """Forget the messages."""
    global _messages
    _messages = ()


def forget() -> None:
    """End what runs, without a word; for when the add-on is turned off."""
    global _running
    job, _running = _running, None
    dismiss()
    if job is not None:
        job.close()


class SteppingOperator:
    """Base of operators that run a `Job`: `execute` until the end, `invoke` while the user goes on working."""

    _timer: bpy.types.Timer | None = None

    if TYPE_CHECKING:

        def make_job(self, context: bpy.types.Context) -> Job:
            """Of every operator: check everything and start; UniTalkerError when it cannot be done."""

        def report(self, level: set[str], message: str) -> None:
            """Of bpy.types.Operator, the other base of every operator."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        job = self._begin(context)
        if job is None:
            return {"CANCELLED"}
        try:
            while (result := self._step(job, wait=_TICK)) == {"RUNNING_MODAL"}:
                pass
            return result
        finally:
            self._end(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if self._begin(context) is None:
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(_TICK, window=context.window)
        manager.modal_handler_add(self)
        _redraw(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        job = _running
        if job is None:
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS" and _over_sidebar(context, event):
            job.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        result = self._step(job, wait=0.0)
        _redraw(context)
        if result == {"RUNNING_MODAL"}:
            return {"PASS_THROUGH"}
        self._end(context)
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Called by Blender when it ends the operator, e.g. because another file is loaded."""
        self._end(context)

    def _begin(self, context: bpy.types.Context) -> Job | None:
        global _running, _started
        dismiss()
        live_direction.give_way()
        _started = time.monotonic()
        try:
            _running = self.make_job(context)
        except UniTalkerError as error:
            self._fail(error)
        return _running

    def _step(self, job: Job, wait: float) -> set[str]:
        """One step: RUNNING_MODAL to go on, FINISHED or CANCELLED at the end."""
        try:
            if not job.step(wait):
                return {"RUNNING_MODAL"}
        except UniTalkerError as error:
            self._fail(error)
            return {"CANCELLED"}
        if job.cancelled:
            self.report({"INFO"}, "Cancelled; nothing was changed")
            return {"CANCELLED"}
        self._tell(job)
        return {"FINISHED"}

    def _tell(self, job: Job) -> None:
        global _messages
        assert job.report
        _messages = tuple(Message("WARNING", warning) for warning in job.report.warnings)
        for warning in job.report.warnings:
            self.report({"WARNING"}, translate(warning))
        self.report({"INFO"}, translate(job.report.summary))

    def _fail(self, error: UniTalkerError) -> None:
        global _messages
        _messages = (Message("ERROR", str(error)),)
        self.report({"ERROR"}, translate(str(error)))

    def _end(self, context: bpy.types.Context) -> None:
        global _running
        job, _running = _running, None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if job is not None:
            job.close()
        _redraw(context)


def _over_sidebar(context: bpy.types.Context, event: bpy.types.Event) -> bool:
    """Whether the pointer is over the sidebar that the operator was started from.

    Elsewhere Escape means something else, such as stopping playback. Started from a script there is no sidebar.
    """
    sidebars = [region for region in context.area.regions if region.type == "UI"] if context.area else []
    return not sidebars or any(
        0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
        for region in sidebars
    )


def _redraw(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()
