"""Sliders that act at once: what was touched is directed again shortly after, without anybody waiting for it.

A timer does the work in a window; it never fires in the background, where `unitalker.update` does it. One take is
directed at a time; what is touched meanwhile is directed next, with the newest values.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import bpy

from . import backend_session, takes
from .client.errors import UniTalkerError

if TYPE_CHECKING:
    from .remap_job import RemapJob

_DEBOUNCE = 0.02  # seconds since the first touch that was not acted on
_TICK = 0.005  # seconds between two looks at a running job

_touched: dict[int, float] = {}
_job: RemapJob | None = None
_job_target = 0
_problems: dict[int, str] = {}


def touched(target: bpy.types.Object) -> None:
    """A slider of `target` was moved."""
    if not target.unitalker.direction.live or takes.active(target) is None or bpy.app.background:
        return
    _touched.setdefault(target.session_uid, time.monotonic())
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_DEBOUNCE)


def problem(target: bpy.types.Object) -> str:
    """What kept the sliders of an object from acting, or what they left alone; empty for nothing."""
    return _problems.get(target.session_uid, "")


def tell(target_uid: int, text: str) -> None:
    """Remember what `problem` says."""
    _problems[target_uid] = text


def is_busy() -> bool:
    """Whether a slider is being acted on."""
    return _job is not None or bool(_touched)


def forget() -> None:
    """End what runs; for when the add-on is turned off, another file is loaded, or another job wants the backend."""
    _touched.clear()
    _drop_job()


def give_way() -> None:
    """Let another job have the backend; what was interrupted is done after it."""
    if _job is not None:
        _touched.setdefault(_job_target, time.monotonic())
        _drop_job()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def after_undo(scene: bpy.types.Scene, *_: object) -> None:
    """Undo takes back sliders but not the keys that were written after them: they follow again."""
    for target in scene.objects:
        take = takes.active(target)
        if take is not None and not is_followed(target):
            touched(target)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def before_load(*_: object) -> None:
    """Another file is opened."""
    forget()
    _problems.clear()


def is_followed(target: bpy.types.Object) -> bool:
    """Whether the keys of the active take are as the sliders say."""
    from . import performance  # with numpy, which registration has no time for

    take = takes.active(target)
    if take is None or not take.direction:
        return True
    return bool(json.loads(take.direction) == performance.sliders(target, take.frame_start, take.fps))


def _tick() -> float | None:
    """Called by Blender until it returns None."""
    from .operators import stepping  # which ends what runs here when the add-on is turned off

    if stepping.running() is not None:
        return 0.1
    try:
        return _step()
    except UniTalkerError as error:
        tell(_job_target, str(error))
        _drop_job()
        _redraw()
        return _DEBOUNCE if _touched else None


def _step() -> float | None:
    global _job
    if _job is None:
        if not _touched:
            return None
        uid, since = next(iter(_touched.items()))
        if time.monotonic() - since < _DEBOUNCE:
            return _DEBOUNCE
        del _touched[uid]
        _start(uid)
    if _job is not None and _job.step():
        report = _job.report
        tell(_job_target, " ".join(report.warnings) if report else "")
        _drop_job()
        _redraw()
    return _TICK


def _start(uid: int) -> None:
    global _job, _job_target
    from . import performance
    from .remap_job import RemapJob

    _job_target = uid
    target = performance.find_target(uid)
    if target is not None and takes.active(target) is not None:
        _job = RemapJob(bpy.context.scene, target, backend_session.get())


def _drop_job() -> None:
    global _job
    job, _job = _job, None
    if job is not None:
        job.close()


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
