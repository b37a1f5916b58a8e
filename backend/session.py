"""A whole job, file to motion: what the command line and the server have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.annotation import FaceMotion
from backend.audio import read_audio
from backend.bundle_manifest import MANIFEST_FILE, BundleEntry
from backend.catalogue import find_model
from backend.engine import choose_device, engine_needed, memory_watched
from backend.export import check_format, check_output
from backend.inference import AnimateOptions, animate
from backend.progress import ProgressCallback

if TYPE_CHECKING:
    from backend.bundle import Bundle


@dataclass(frozen=True)
class Order:
    """What to animate.

    Attributes:
        audio: sound file.
        output: where the motion will be written; only looked at, so that a wrong one is known before the work.
        model: name or folder of a model; None for the default.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    audio: Path
    output: Path
    model: str | None
    device: str
    options: AnimateOptions


@dataclass(frozen=True)
class Outcome:
    """The motion, and what was used where the order left a choice."""

    motion: FaceMotion
    identity: str
    device: str


class Session:
    """Animates one file after another and keeps the last model loaded."""

    def __init__(self) -> None:
        self._loaded: tuple[tuple[Path, float, str], Bundle] | None = None

    def prepare(self, model: str | None, device: str) -> None:
        """Load a model before the first order for it; raises what `animate` would raise for them."""
        self._load(find_model(model), device, lambda stage, done, total: None)

    def animate(self, order: Order, progress: ProgressCallback) -> Outcome:
        """Do an order up to the writing; what is known to be wrong without the engine is said before it is loaded.

        Raises:
            UniTalkerError: anything that the user can act on.
            Cancelled: from `progress`, which hears of the stages ``decode``, ``load`` and ``infer``.
        """
        entry = find_model(order.model)
        check_output(order.output)
        progress("decode", 0, 1)
        audio = read_audio(order.audio)
        progress("decode", 1, 1)
        head = entry.manifest.head_name(order.options.head)
        entry.manifest.identity_name(order.options.identity)
        check_format(order.output, entry.manifest.spec.head(head).annotation)
        bundle = self._load(entry, order.device, progress)
        motion = replace(animate(bundle, audio, order.options, progress), sound=order.audio.name)
        return Outcome(motion, bundle.manifest.identity_name(order.options.identity), bundle.device.type)

    def _load(self, entry: BundleEntry, wanted_device: str, progress: ProgressCallback) -> Bundle:
        progress("load", 0, 1)
        with engine_needed():
            from backend.bundle import load_bundle
        device = choose_device(wanted_device)
        # The time of writing belongs to it: training writes a model anew under the same name.
        key = (entry.folder, (entry.folder / MANIFEST_FILE).stat().st_mtime, device)
        if self._loaded is None or self._loaded[0] != key:
            # Before the next one is loaded, so that memory never holds two.
            self._loaded = None
            with memory_watched():
                self._loaded = key, load_bundle(entry.folder, device)
        progress("load", 1, 1)
        return self._loaded[1]
