"""The curves of a run for TensorBoard: ``tensorboard --logdir RUN/tensorboard``, or of many runs ``--logdir runs``."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from training.observer import EpochReport, History, Observer, StepReport
from training.run_log import STEPS_BETWEEN_LINES, read_log

TENSORBOARD_FOLDER = "tensorboard"


class TensorBoard(Observer):
    """Writes scalars; each stage, whose steps are counted from 0, is a run of its own in TensorBoard.

    Args:
        folder: for the event files.
        log: the run's log, which is up to date when a training begins: from it the files are written anew, so that
            no moment is in them twice.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self._writers: dict[str, SummaryWriter] = {}

    def begin(self, history: History) -> None:
        for file in self._folder.glob("*/events.out.tfevents.*"):
            file.unlink()
        logged = read_log(self._log)
        for step in logged.steps:
            self.step(step)
        for epoch in logged.epochs:
            self.epoch(epoch)

    def step(self, report: StepReport) -> None:
        if report.done % STEPS_BETWEEN_LINES:
            return
        writer = self._writer(report.stage)
        writer.add_scalar(f"loss of a step/{report.head}", report.loss, report.done)
        writer.add_scalar("learning rate", report.learning_rate, report.done)

    def epoch(self, report: EpochReport) -> None:
        writer = self._writer(report.stage)
        for name, losses in (("training", report.training), ("validation", report.validation)):
            for head, loss in losses.items():
                writer.add_scalar(f"loss of an epoch/{head}/{name}", loss, report.steps)
        writer.add_scalar("speed/steps per second", report.steps_per_second, report.steps)
        writer.add_scalar("speed/share of loading", report.loading_share, report.steps)
        writer.flush()

    def close(self) -> None:
        """Writes what is still held back."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, stage: str) -> SummaryWriter:
        if stage not in self._writers:
            # Step 0 tells a TensorBoard that is open already to forget what it read of this stage.
            self._writers[stage] = SummaryWriter(str(self._folder / stage), purge_step=0)
        return self._writers[stage]
