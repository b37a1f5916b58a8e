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
        self._last: tuple[Track, str] | None = None
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
        if not place.made or self._again:
            keys = CurveKeys.of(fcurve) if fcurve is not None else None
            self._before.append((track, keys, animated_value(track)))
        if fcurve is None:
            fcurve = place.fcurves().new(track.path, index=track.index)
        first, last = self.span
        frames = np.arange(first, last + 1)
        values = self._blended(fcurve, frames, self.wanted(track))
        write_keys(fcurve, frames, values, self._placement, self._cleared or self.span)
        self._last = track, curve_keys.digest(fcurve, self.span)

    def _check_last(self) -> None:
        """Between two steps the user may have undone what the first one wrote; UniTalkerError ``target.gone`` then."""
        if self._last is None:
            return
        track, written = self._last
        fcurve = self.fcurve(track)
        if fcurve is None or curve_keys.digest(fcurve, self.span) != written:
            raise gone()

    def _blended(self, fcurve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> np.ndarray:
        """`values`, at both ends going over from and to what is there."""
        present = curve_keys.read(fcurve)
        if self._placement.blend <= 0 or not len(present):
            return values
        weights = edge_weights(len(frames), self._placement.blend)
        if self._from_outside:
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


def write_keys(
    fcurve: bpy.types.FCurve,
    frames: np.ndarray,
    values: np.ndarray,
    placement: Placement,
    cleared: tuple[int, int],
) -> None:
    """Replace what `fcurve` has on `frames`, and within `cleared`, by keys of the wanted density."""
    span = (min(int(frames[0]), cleared[0]), max(int(frames[-1]), cleared[1]))
    chosen = _chosen(values, placement)
    while True:
        keys = np.column_stack([frames[chosen], values[chosen]]).astype(np.float32)
        curve_keys.replace(fcurve, keys, placement.interpolation, span)
        if placement.density != "DECIMATED" or placement.interpolation == "LINEAR":
            return
        # What Blender makes of the handles is only known afterwards.
        error = np.abs(curve_keys.evaluate_bezier(fcurve, frames) - values)
        worse = decimation.worst_between(error, chosen, placement.error)
        if not len(worse):
            return
        chosen = np.union1d(chosen, worse)


def _chosen(values: np.ndarray, placement: Placement) -> np.ndarray:
    if placement.density == "NTH":
        return decimation.every_nth(len(values), placement.step)
    if placement.density == "DECIMATED":
        return decimation.within_error(values, placement.error)
    return np.arange(len(values))
