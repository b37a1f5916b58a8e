"""From a sound to moving vertices, in steps: the backend works, then everything is written in one go at the end."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy

from . import performance
from .client.components import load_components
from .client.errors import UniTalkerError
from .client.job import MotionJob
from .client.motion import load_motion
from .client.protocol import AnimateRequest, ComponentsRequest, Hello, ImportRequest, Result
from .client.session import BackendSession
from .job import Report
from .performance import FPS_TOLERANCE, check_frame_rate, scene_fps
from .scene import target as targets
from .scene import vertex_motion
from .scene.frame_range import extend_range
from .scene.point_cache import check_cache_path
from .scene.sound_strip import add_sound
from .vertex_options import VertexOptions

_SHARE_OF_COMPONENTS = 0.15  # of the progress bar


class VertexJob:
    """Moves the vertices of one mesh; call `step` until it returns True, then `close`.

    Blender's data is never held between steps, since undo or loading a file may replace it.

    Raises:
        UniTalkerError: when it is already clear that it cannot be done.
    """

    def __init__(self, scene: bpy.types.Scene, options: VertexOptions, session: BackendSession) -> None:
        self._target_uid = 0
        if not options.new_mesh:
            target = targets.find_object(scene, options.speech.target)
            vertex_motion.check_mesh(target, scene)
            self._target_uid = target.session_uid
        performance.check_files(options.speech)
        if options.method == "CACHE":
            check_cache_path(options.cache)
        self._scene_name = scene.name
        self._fps = scene_fps(scene)
        self._options = options
        self._session = session
        self._motion_job: MotionJob | None = None
        self._components_job: MotionJob | None = None
        self._cancelled = False
        self.report: Report | None = None
        session.start()

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        first = self._motion_job.fraction if self._motion_job else 0.0
        second = self._components_job.fraction if self._components_job else 0.0
        return first * (1 - _SHARE_OF_COMPONENTS) + second * _SHARE_OF_COMPONENTS

    @property
    def text(self) -> str:
        """What is being done."""
        if self._components_job is not None:
            return "Finding the shapes"
        return self._motion_job.text if self._motion_job else "Starting the backend"

    @property
    def cancelled(self) -> bool:
        """Whether the job ended because it was cancelled."""
        return self._cancelled or any(job.state == "cancelled" for job in self._jobs())

    def step(self, wait: float = 0.0) -> bool:
        """Go on; True at the end. Waits up to `wait` seconds for the backend. UniTalkerError when it fails."""
        if self._cancelled:
            return True
        if self._motion_job is None:
            if self._session.ready(wait) and self._session.hello is not None:
                self._motion_job = self._start(self._request(self._session.hello))
            return False
        job = self._components_job or self._motion_job
        if not job.step(wait):
            return False
        if self.cancelled or job.result is None:
            return True
        if self._components_job is None:
            self._components_job = self._start(self._components_request(job.result))
            return False
        assert self._motion_job.result
        self.report = self._write(self._motion_job.result, job.result)
        return True

    def cancel(self) -> None:
        """Ask for an early end; it comes with one of the next steps."""
        if self._motion_job is None:
            self._cancelled = True
        for job in self._jobs():
            job.cancel_quietly()

    def close(self) -> None:
        """Forget the job, finished or not."""
        for job in self._jobs():
            job.close()

    def _jobs(self) -> list[MotionJob]:
        return [job for job in (self._motion_job, self._components_job) if job is not None]

    def _start(self, request: AnimateRequest | ImportRequest | ComponentsRequest) -> MotionJob:
        job = MotionJob(self._session, request)
        try:
            job.start()
        except UniTalkerError:
            job.close()
            raise
        return job

    def _request(self, hello: Hello) -> AnimateRequest | ImportRequest:
        speech = self._options.speech
        if speech.motion is None and not speech.head:
            speech = dataclasses.replace(speech, head=_first_vertex_head(hello, speech.model))
        return performance.request(speech, self._fps)

    def _components_request(self, result: Result) -> ComponentsRequest:
        options, direction = self._options, self._options.speech.direction
        # A point cache needs no shapes, but it needs to know the face at rest and its triangles.
        most = options.most if options.method == "KEYS" else 1
        return ComponentsRequest(
            result.take, fps=self._fps, direction=direction, most=most, tolerance=options.tolerance
        )

    def _write(self, result: Result, split: Result) -> Report:
        found = load_components(Path(split.path))
        positions = load_motion(Path(result.path)) if self._options.method == "CACHE" else None
        scene, target = self._find_again()
        if abs(found.fps - self._fps) > FPS_TOLERANCE:
            raise UniTalkerError(
                "result.frame_rate",
                f"The backend answered with {found.fps:g} frames per second, asked for were {self._fps:g}.",
                "Install add-on and backend from the same release.",
            )
        speech = self._options.speech
        written = vertex_motion.write(scene, target, found, positions, self._options)
        warnings = [*result.notes, *written.notes]
        last = speech.frame_start + result.frames - 1
        if speech.extend_range:
            extend_range(scene, speech.frame_start, last)
        if speech.add_sound and speech.audio is not None:
            warnings.append(add_sound(scene, speech.audio, speech.frame_start, result.duration))
        summary = (
            f"{written.target}: {written.what}{'' if positions else _error_text(split)}, "
            f"frames {speech.frame_start} to {last}, {result.head}"
        )
        return Report(summary, tuple(warning for warning in warnings if warning))

    def _find_again(self) -> tuple[bpy.types.Scene, bpy.types.Object | None]:
        scene = bpy.data.scenes.get(self._scene_name)
        target = None
        if scene is not None and not self._options.new_mesh:
            target = next((item for item in scene.objects if item.session_uid == self._target_uid), None)
        if scene is None or (target is None and not self._options.new_mesh):
            raise UniTalkerError(
                "target.gone",
                f"The object '{self._options.speech.target}' was deleted while it was being animated.",
                "Nothing was changed.",
            )
        check_frame_rate(scene, self._fps, self._options.speech.target or "a new mesh")
        return scene, target


def _first_vertex_head(hello: Hello, model: str) -> str:
    models = [known for known in hello.models if known.name == model or not model]
    for head in models[0].heads if models else ():
        if head.kind == "vertices":
            return head.name
    raise UniTalkerError(
        "model.no_vertices",
        f"The model {models[0].name if models else model} has no head of vertices.",
        "Choose another model, or animate shape keys.",
    )


def _error_text(result: Result) -> str:
    """How far the shape keys are from what the network said."""
    largest, mean = result.quality.get("largest_error_mm", 0.0), result.quality.get("mean_error_mm", 0.0)
    return f" within {largest:.2f} mm (mean {mean:.3f} mm)"
