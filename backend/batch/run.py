"""A whole batch: what is done already is skipped, the rest goes to the workers, and every item has one result."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from backend.batch.item import Failure, Item, ItemResult
from backend.batch.plan import Portion, make_portions
from backend.batch.processes import ProcessPool
from backend.batch.ray_cluster import work_on_cluster
from backend.batch.record import content_key, done_before, file_hash, model_hash, sweep
from backend.batch.worker import Worker, WorkerSetup
from backend.bundle_manifest import BundleEntry, Manifest
from backend.engine import EngineChoice, EngineName, choose_engine, find_devices
from backend.errors import UniTalkerError
from backend.export import check_format

_SOUNDS_ON_GPU = 32
"""In a portion, where windows of several sounds are computed together."""


@dataclass(frozen=True)
class Batch:
    """What to run.

    Attributes:
        items: each with its own output.
        model: the model, not loaded.
        devices: where to compute; workers are spread over them.
        engine: what computes.
        jobs: worker processes; 1 works in this one, None is one per device, or on a cluster what there is.
        ray: address of a Ray cluster; None for none.
    """

    items: Sequence[Item]
    model: BundleEntry
    devices: tuple[str, ...]
    engine: EngineChoice = "auto"
    jobs: int | None = None
    ray: str | None = None


def run_batch(batch: Batch) -> Generator[ItemResult, None, None]:
    """The result of every item, in the order in which they come; to be closed (`contextlib.closing`).

    Raises:
        UniTalkerError: nothing can be done at all: the model or the device cannot be used.
    """
    run = f"run-{secrets.token_hex(8)}"
    keys = _KeyMaker(batch.model, choose_engine(batch.engine))
    todo = []
    for item in batch.items:
        prepared = keys.prepare(item)
        if isinstance(prepared, ItemResult):
            yield prepared
        elif made := done_before(prepared):
            yield made
        else:
            todo.append(prepared)
    if not todo:
        return
    folders = {item.output.parent for item in todo}
    try:
        with closing(_work(batch, todo, run)) as results:
            yield from results
    finally:
        sweep(folders, run)


class _KeyMaker:
    """Finds out what an item depends on; every sound is read once."""

    def __init__(self, model: BundleEntry, engine: EngineName) -> None:
        self._engine = engine
        self._manifest = model.manifest
        self._model_hash = model_hash(model.folder)
        self._sounds: dict[Path, str] = {}

    def prepare(self, item: Item) -> Item | ItemResult:
        """The item with its key, or why it cannot be done."""
        try:
            checked = _check_options(item, self._manifest)
            key = content_key(checked, self._sound_hash(item.audio), self._model_hash, self._engine)
            _make_folder(item.output.parent)
            return replace(checked, key=key)
        except UniTalkerError as error:
            return ItemResult.failed(item, Failure.of(error))

    def _sound_hash(self, path: Path) -> str:
        if path not in self._sounds:
            try:
                self._sounds[path] = file_hash(path)
            except FileNotFoundError as error:
                raise UniTalkerError("audio.not_found", f"There is no file {path}.", "Check the manifest.") from error
            except OSError as error:
                raise UniTalkerError("audio.unreadable", f"Cannot read {path}: {error.strerror}.") from error
        return self._sounds[path]


def _check_options(item: Item, manifest: Manifest) -> Item:
    """The item with head and identity named; UniTalkerError when the model or the format does not have them."""
    head = manifest.head_name(item.options.head)
    identity = manifest.identity_name(item.options.identity)
    check_format(item.output, manifest.spec.head(head).annotation)
    return replace(item, options=replace(item.options, head=head, identity=identity))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UniTalkerError(
            "output.unwritable", f"Cannot make the folder {folder}: {error.strerror}.", "Choose another --out."
        ) from error


def _work(batch: Batch, items: Sequence[Item], run: str) -> Generator[ItemResult, None, None]:
    setups = [WorkerSetup(batch.model.folder, device, batch.engine, run) for device in batch.devices]
    portions = make_portions(items, _SOUNDS_ON_GPU if _on_gpu(setups[0].device) else 1)
    if batch.ray is not None:
        return work_on_cluster(portions, setups[0], batch.ray, batch.jobs)
    jobs = batch.jobs or len(setups)
    if jobs == 1:
        return _work_here(portions, setups[0])
    return _work_in_processes(portions, [setups[job % len(setups)] for job in range(jobs)])


def _on_gpu(device: str) -> bool:
    return device.startswith("cuda") or (device == "auto" and "cuda" in find_devices())


def _work_here(portions: Sequence[Portion], setup: WorkerSetup) -> Generator[ItemResult, None, None]:
    worker = Worker(setup, stopped=lambda: False)
    for portion in portions:
        yield from worker.do(portion)


def _work_in_processes(portions: Sequence[Portion], setups: Sequence[WorkerSetup]) -> Generator[ItemResult, None, None]:
    pool = ProcessPool(setups)
    try:
        yield from pool.run(portions)
    finally:
        pool.close()
