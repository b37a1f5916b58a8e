"""A whole job, file to motion: what the command line and the server have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from backend.annotation import FaceMotion
from backend.audio import read_audio
from backend.bundle_manifest import MANIFEST_FILE, BundleEntry
from backend.catalogue import find_model
from backend.engine import EngineChoice, load_engine
from backend.engines.base import Engine
from backend.export import check_format, check_output
from backend.importing import read_motion
from backend.importing.take import imported_key, imported_take
from backend.inference import AnimateOptions, record
from backend.motion.direction import Direction
from backend.motion.perform import judge, perform
from backend.progress import ProgressCallback
from backend.rig.solve import apply_rig
from backend.rig.spec import Rig
from backend.takes import Take, TakeStore, missing_take, take_key
from backend.vertex_components import VertexComponents, check_has_vertices, find_components
from backend.windows import WINDOWS


@dataclass(frozen=True)
class Order:
    """What to animate.

    Attributes:
        audio: sound file.
        output: where the motion will be written; only looked at, so that a wrong one is known before the work.
        model: name or folder of a model; None for the default.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        engine: ``auto``, ``torch`` or ``onnx``.
    """

    audio: Path
    output: Path
    model: str | None
    device: str
    options: AnimateOptions
    engine: EngineChoice = "auto"


@dataclass(frozen=True)
class RemapOrder:
    """What to make of a take that is kept; `fps` None is the head's own."""

    take: str
    output: Path
    fps: float | None
    direction: Direction
    rig: Rig | None


@dataclass(frozen=True)
class ImportOrder:
    """A motion file to be directed as if the network had said it.

    Attributes:
        motion: the file.
        audio: its sound, which layers listen to; may be None.
        entry: which result, for a file of several; see `backend.importing.read_motion`.
        output: where the motion will be written.
        fps: frames per second of the result; None is the file's own.
    """

    motion: Path
    audio: Path | None
    entry: str | None
    output: Path
    fps: float | None
    direction: Direction
    rig: Rig | None


@dataclass(frozen=True)
class ComponentsOrder:
    """A take of vertices to be split into shapes and weights.

    Attributes:
        most: number of shapes at most.
        tolerance: metres; no more shapes than keep every vertex this close.
    """

    take: str
    output: Path
    fps: float | None
    direction: Direction
    most: int
    tolerance: float


@dataclass(frozen=True)
class Outcome:
    """The motion, and what was used where the order left a choice.

    Attributes:
        take: name of the raw output that is kept; empty when none is.
        quality: read-out of the motion, see `backend.motion.quality`.
        waveform: loudness over the length of the sound, see `Prosody.outline`.
    """

    motion: FaceMotion
    take: str
    identity: str
    device: str
    engine: str
    quality: dict[str, float]
    waveform: list[float]


class Session:
    """Animates one file after another and keeps the last model loaded.

    Args:
        takes: where takes are kept for another direction; None keeps none.
    """

    def __init__(self, takes: TakeStore | None = None) -> None:
        self._loaded: tuple[tuple[Path, float, str, str], Engine] | None = None
        self._takes = takes

    def animate(self, order: Order, progress: ProgressCallback) -> Outcome:
        """Do an order up to the writing; what is known to be wrong without the engine is said before it is loaded.

        A sound that has been animated before with the same settings needs no engine at all.

        Raises:
            UniTalkerError: anything that the user can act on.
            Cancelled: from `progress`, which hears of the stages ``decode``, ``load`` and ``infer``.
        """
        entry = find_model(order.model)
        check_output(order.output)
        progress("decode", 0, 1)
        audio = read_audio(order.audio)
        progress("decode", 1, 1)
        options, manifest = order.options, entry.manifest
        head = manifest.head_name(options.head)
        identities = [manifest.identity_name(options.identity)]
        if options.identity_b is not None:
            identities.append(manifest.identity_name(options.identity_b))
        check_format(order.output, manifest.spec.head(head).annotation)
        if self._takes is None:
            key, kept = "", None
        else:
            # With device and engine: who names one wants it used, and wants to know when it cannot be.
            key = take_key(audio.samples, entry, head, *identities, WINDOWS, order.device, order.engine)
            kept = self._takes.find(key)
        take = kept or record(self._load(entry, order.engine, order.device, progress), audio, options, progress)
        # The same sound may have been animated under another name.
        take = replace(take, raw=replace(take.raw, sound=order.audio.name))
        remark = self._takes.keep(key, take) if self._takes is not None and kept is None else ""
        return _direct(key, take, options.direction, options.fps, options.rig, remark)

    def remap(self, order: RemapOrder) -> Outcome:
        """Direct a take again; neither the model nor the engine is touched.

        Raises:
            UniTalkerError: ``take.missing``, ``output.unwritable``, ``rig.*``.
        """
        check_output(order.output)
        if self._takes is None:
            raise missing_take(order.take)
        return _direct(order.take, self._takes.get(order.take), order.direction, order.fps, order.rig)

    def import_motion(self, order: ImportOrder, progress: ProgressCallback) -> Outcome:
        """Make a take of a motion file and direct it.

        Raises:
            UniTalkerError: ``motion.*``, ``audio.*``, ``output.unwritable``, ``rig.*``.
            Cancelled: from `progress`, which hears of the stage ``decode``.
        """
        check_output(order.output)
        progress("decode", 0, 1)
        motion = read_motion(order.motion, order.entry)
        audio = None if order.audio is None else read_audio(order.audio)
        if audio is not None and order.audio is not None:
            motion = replace(motion, sound=order.audio.name, notes=(*motion.notes, *audio.notes))
        take, key = imported_take(motion, audio), imported_key(order.motion, order.entry, audio)
        progress("decode", 1, 1)
        remark = self._takes.keep(key, take) if self._takes is not None else ""
        return _direct(key, take, order.direction, order.fps, order.rig, remark)

    def split(self, order: ComponentsOrder, progress: ProgressCallback) -> tuple[Outcome, VertexComponents]:
        """Direct a take of vertices, and find the shapes and weights that it consists of.

        Raises:
            UniTalkerError: ``take.missing``, ``take.no_vertices``, ``output.unwritable``.
            Cancelled: from `progress`, which hears of the stage ``infer``.
        """
        check_output(order.output)
        if self._takes is None:
            raise missing_take(order.take)
        take = self._takes.get(order.take)
        check_has_vertices(take.raw)
        outcome = _direct(order.take, take, order.direction, order.fps, None)
        found = find_components(
            outcome.motion, take.rest, order.most, order.tolerance, lambda done, total: progress("infer", done, total)
        )
        return replace(outcome, quality=outcome.quality | found.read_out()), found

    def _load(self, entry: BundleEntry, wanted: EngineChoice, device: str, progress: ProgressCallback) -> Engine:
        progress("load", 0, 1)
        # The time of writing belongs to it: training writes a model anew under the same name.
        key = (entry.folder, (entry.folder / MANIFEST_FILE).stat().st_mtime, wanted, device)
        if self._loaded is None or self._loaded[0] != key:
            # Before the next one is loaded, so that memory never holds two.
            self._loaded = None
            self._loaded = key, load_engine(entry, wanted, device)
        progress("load", 1, 1)
        return self._loaded[1]


def _direct(
    key: str, take: Take, direction: Direction, fps: float | None, rig: Rig | None, remark: str = ""
) -> Outcome:
    motion = perform(take, direction, fps)
    quality = judge(motion, take, direction)
    if remark:
        motion = replace(motion, notes=(*motion.notes, remark))
    if rig is not None:
        motion = apply_rig(motion, rig)
    origin = take.origin
    return Outcome(motion, key, origin.identity, origin.device, origin.engine, quality, take.prosody.outline())
