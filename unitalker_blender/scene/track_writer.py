"""Values to keys, a few curves at a time, so that a window goes on answering; all of them or none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from . import curve_keys, decimation
from .action_placement import Assignment, OwnerRef, Place, Placement, discard, gone, open_place, put_to_use
from .blending import edge_weights
from .curve_keys import CurveKeys


@dataclass(frozen=True)
class Track:
    """One animated number.

    Attributes:
        owner: the data block that has it: the shape keys of a mesh, or an object.
        path, index: where it lies there, as in an f-curve.
        label: what the user calls it.
        values: float32 of shape ``(frames,)``.
    """

    owner: OwnerRef
    path: str
    index: int
    label: str
    values: np.ndarray


class TrackWriter:
    """Writes tracks; call `step` until it returns True. When it raises, or after `abort`, the file is as before.

    Args:
        tracks: at least one; all of the same length.
        frame_start: scene frame of the first value.
        name: of new Actions.
        places: where the tracks of each data block go, when they are written again; found or made otherwise.
        cleared: frames whose keys go as well, because they are of what is written again.
        from_outside: blend from and to the keys around the span, because those within are of what is written again.

    Attributes:
        span: the first and last scene frame that are written.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        frame_start: int,
        placement: Placement,
        name: str,
        places: Sequence[Place] = (),
        cleared: tuple[int, int] | None = None,
        from_outside: bool = False,
    ) -> None:
        self._tracks = tracks
        self._frame_start = frame_start
        self._placement = placement
        self._name = name
        self._again = bool(places)
        self._cleared = cleared
        self._from_outside = from_outside
        self._places = {place.owner: place for place in places}
        self._before: list[tuple[Track, CurveKeys | None, float]] = []
        frame_end = frame_start + len(tracks[0].values) - 1
        first, last = placement.span or (frame_start, frame_end)
        self.span = (max(first, frame_start), min(last, frame_end))
        self._assigned: list[Assignment] = []
        self._digests: dict[tuple[str, int, OwnerRef], str] = {}
        self._last: Track | None = None
        self._work = self._run()

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it all went."""
        return tuple(self._places.values())

    @property
    def tracks(self) -> Sequence[Track]:
        """What is written."""
        return self._tracks

    def tracks_of(self, owner: bpy.types.ID) -> list[Track]:
        """Those of one data block."""
        return [track for track in self._tracks if track.owner == OwnerRef.of(owner)]

    def wanted(self, track: Track) -> np.ndarray:
        """The values of a track within the frames `span`."""
        first, last = self.span
        return track.values[first - self._frame_start : last + 1 - self._frame_start]

    def fcurve(self, track: Track) -> Any:
        """The curve of a track, None before it is written."""
        return self._places[track.owner].fcurves().find(track.path, index=track.index)

    def digest(self, track: Track) -> str:
        """What `curve_keys.digest` said of a curve within `span` when it was written."""
        return self._digests[track.path, track.index, track.owner]

    def step(self, budget: float | None = None) -> bool:
        """Go on for `budget` seconds at most, to the end when None; True at the end."""
        deadline = time.perf_counter() + budget if budget is not None else None
        try:
            self._check_last()
            for _ in self._work:
                if deadline is not None and time.perf_counter() > deadline:
                    return False
        except BaseException:
            self.abort()
            raise
        return True

    def abort(self) -> None:
        """Take back what was written."""
        for track, keys, value in reversed(self._before):
            if self._places[track.owner].exists():
                self._restore(track, keys, value)
        self._before = []
        if not self._again:
            for place in self._places.values():
                discard(place)
        for assignment in self._assigned:
            assignment.restore()
        self._assigned = []

    def _run(self) -> Iterator[None]:
        for owner in dict.fromkeys(track.owner for track in self._tracks):
            if owner not in self._places:
                self._places[owner] = open_place(owner.find(), self._placement, self._name)
        for track in self._tracks:
            self._write(track)
            yield
        if not self._again:
            self._assigned = [Assignment.of(place.owner.find()) for place in self._places.values()]
            for place in self._places.values():
                put_to_use(place, *self.span)

    def _write(self, track: Track) -> None:
        place = self._places[track.owner]
        fcurve = self.fcurve(track)
        first, last = self.span
        frames = np.arange(first, last + 1)
        values = self.wanted(track) if fcurve is None else self._blended(fcurve, frames, self.wanted(track))
        chosen = _chosen(values, self._placement)
        cleared = self._cleared or self.span
        span = (min(first, cleared[0]), max(last, cleared[1]))
        if not place.made or self._again:
            before = _snapshot(fcurve, _keys(frames, values, chosen), span) if fcurve is not None else None
            self._before.append((track, before, animated_value(track)))
        if fcurve is None:
            fcurve = place.fcurves().new(track.path, index=track.index)
        _write_keys(fcurve, frames, values, chosen, self._placement, span)
        self._digests[track.path, track.index, track.owner] = curve_keys.digest(fcurve, self.span)
        self._last = track

    def _check_last(self) -> None:
        """Between two steps the user may have undone what the first one wrote; UniTalkerError ``target.gone`` then."""
        if self._last is None:
            return
        fcurve = self.fcurve(self._last)
        if fcurve is None or curve_keys.digest(fcurve, self.span) != self.digest(self._last):
            raise gone()

    def _blended(self, fcurve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> np.ndarray:
        """`values`, at both ends going over from and to what is there."""
        if self._placement.blend <= 0 or not len(fcurve.keyframe_points):
            return values
        weights = edge_weights(len(frames), self._placement.blend)
        if self._from_outside:
            present = curve_keys.read(fcurve)
            outside = present[(present[:, 0] < self.span[0]) | (present[:, 0] > self.span[1])]
            there = np.interp(frames, outside[:, 0], outside[:, 1]) if len(outside) else values
        else:
            there = curve_keys.evaluate(fcurve, frames)
        return np.asarray(there + weights * (values - there), np.float32)

    def _restore(self, track: Track, keys: CurveKeys | None, value: float) -> None:
        fcurve = self.fcurve(track)
        if fcurve is None:
            return
        if keys is None:
            self._places[track.owner].fcurves().remove(fcurve)
        else:
            keys.put(fcurve)
        set_animated_value(track, value)  # which playback may have set meanwhile


def animated_value(track: Track) -> float:
    """What the number is at the moment."""
    value = track.owner.find().path_resolve(track.path)
    return float(value if isinstance(value, float) else value[track.index])


def set_animated_value(track: Track, value: float) -> None:
    """Set the number, whatever its keys say."""
    path, _, name = track.path.rpartition(".")
    holder = track.owner.find().path_resolve(path) if path else track.owner.find()
    if isinstance(getattr(holder, name), float):
        setattr(holder, name, value)
    else:
        getattr(holder, name)[track.index] = value


def _snapshot(fcurve: bpy.types.FCurve, keys: np.ndarray, span: tuple[int, int]) -> CurveKeys:
    """What brings the curve back after `keys` were written into it."""
    return CurveKeys.values_of(fcurve) if curve_keys.lie_on(fcurve, keys, span) else CurveKeys.of(fcurve)


def _write_keys(
    fcurve: bpy.types.FCurve,
    frames: np.ndarray,
    values: np.ndarray,
    chosen: np.ndarray,
    placement: Placement,
    span: tuple[int, int],
) -> None:
    """Replace what `fcurve` has within `span` by keys on the `chosen` frames, and on more if the error asks for it."""
    while True:
        curve_keys.replace(fcurve, _keys(frames, values, chosen), placement.interpolation, span)
        if placement.density != "DECIMATED" or placement.interpolation == "LINEAR":
            return
        # What Blender makes of the handles is only known afterwards.
        error = np.abs(curve_keys.evaluate_bezier(fcurve, frames) - values)
        worse = decimation.worst_between(error, chosen, placement.error)
        if not len(worse):
            return
        chosen = np.union1d(chosen, worse)


def _keys(frames: np.ndarray, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.column_stack([frames[chosen], values[chosen]]).astype(np.float32)


def _chosen(values: np.ndarray, placement: Placement) -> np.ndarray:
    if placement.density == "NTH":
        return decimation.every_nth(len(values), placement.step)
    if placement.density == "DECIMATED":
        return decimation.within_error(values, placement.error)
    return np.arange(len(values))
