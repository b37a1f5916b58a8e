"""Workers on a Ray cluster: Ray Data with an actor that loads the model once per GPU or processor.

Every machine needs this package and sees the sounds, the model and the output folder under the same paths. An actor
writes its outputs itself, so that nothing but results travels. When one dies, Ray starts another and repeats its
block; what the dead one had finished has its record and is not done again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from backend.batch.item import Failure, ItemResult
from backend.batch.plan import Portion
from backend.batch.processes import available_cores
from backend.batch.worker import Worker, WorkerSetup
from backend.errors import UniTalkerError

LOCAL = "local"
"""Address of a cluster that is started for the run, on this machine."""

_BLOCKS_PER_WORKER = 4
_MOST_PORTIONS_IN_BLOCK = 16


def work_on_cluster(
    portions: Sequence[Portion], setup: WorkerSetup, address: str, jobs: int | None
) -> Generator[ItemResult, None, None]:
    """Results as the blocks of portions come back.

    Args:
        portions: what to do.
        setup: of every worker; ``auto`` is a GPU each where the cluster has them.
        address: `LOCAL`, ``auto`` for the cluster that runs on this machine, or that of another, ``ray://host:10001``.
        jobs: workers; None for one per GPU, or else one per processor.

    Raises:
        UniTalkerError: ``engine.missing`` without Ray; ``batch.ray`` when the cluster fails; what a worker says when
            it cannot load the model.
    """
    ray = _import_ray()
    try:
        _connect(ray, address, jobs)
        for row in _dataset(ray, portions, setup, jobs).iter_rows():
            if isinstance(row["result"], Failure):
                failure = row["result"]
                raise UniTalkerError(failure.code, failure.message, failure.hint)
            yield row["result"]
    except (ray.exceptions.RayError, ConnectionError) as error:
        reason = str(error).strip().splitlines()[-1].rstrip(".")
        raise UniTalkerError("batch.ray", f"The Ray cluster failed: {reason}.", "What is done stays done.") from error
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    # Ray reports its use to its makers unless told not to.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # It calls normal what Ray Data does with the arguments of its actors an error.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UniTalkerError(
            "engine.missing", f"Ray cannot be loaded: {error}.", 'Install it: pip install "ray[data]"'
        ) from error
    return ray


def _connect(ray: Any, address: str, jobs: int | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        # More workers than processors are allowed, as with processes.
        processors = max(jobs or 1, available_cores())
        ray.init(address="local", num_cpus=processors, include_dashboard=False, **quiet)
    else:
        ray.init(address=address, **quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False


def _dataset(ray: Any, portions: Sequence[Portion], setup: WorkerSetup, jobs: int | None) -> Any:
    """The results, to be computed as they are asked for."""
    resources = ray.cluster_resources()
    processors, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
    on_gpu = setup.device.startswith("cuda") or (setup.device == "auto" and gpus > 0)
    workers = min(jobs or (gpus if on_gpu else processors), len(portions))
    blocks = max(workers * _BLOCKS_PER_WORKER, -(-len(portions) // _MOST_PORTIONS_IN_BLOCK))
    rows = [{"portion": portion} for portion in portions]
    return ray.data.from_items(rows, override_num_blocks=min(blocks, len(rows))).map_batches(
        _Actor,
        fn_constructor_args=(setup,),
        batch_size=None,
        compute=ray.data.ActorPoolStrategy(size=workers),
        # Ray limits a worker's threads to its processors.
        num_cpus=1 if on_gpu else max(1, processors // workers),
        num_gpus=1 if on_gpu else 0,
    )


class _Actor:
    """A worker as Ray Data calls it."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._worker: Worker | Failure
        try:
            self._worker = Worker(setup, stopped=lambda: False)
        except UniTalkerError as error:
            # Told with the first block: an actor that raises here would be started again and again.
            self._worker = Failure.of(error)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        results: list[ItemResult | Failure] = []
        for portion in batch["portion"]:
            results += [self._worker] if isinstance(self._worker, Failure) else self._worker.do(tuple(portion))
        column = np.empty(len(results), object)
        column[:] = results
        return {"result": column}
