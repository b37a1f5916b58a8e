"""Several processes that train one model, through Accelerate; a single one is the case of one.

They are started by ``accelerate launch`` or ``torchrun``, on one machine or several that see the same folders. Every
process works on the same step, so all of them use the same head: with different heads, averaging over processes
would divide the gradient of each head by their number.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs
from torch import nn

_PATIENCE = timedelta(days=2)
"""How long the others wait for the first process, which fits the PCA and encodes the sounds alone."""


class Processes:
    """The processes of a training.

    Args:
        device: that a single process computes on. Of several, each takes its own when this is a GPU.

    Attributes:
        number: which one this is, from 0.
        count: how many there are.
        device: of this process.
    """

    def __init__(self, device: torch.device) -> None:
        kwargs: list[Any] = [
            # Each step uses one head, so the parameters of the others get no gradient. No buffer is ever changed.
            DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False),
            InitProcessGroupKwargs(timeout=_PATIENCE),
        ]
        self._accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no", kwargs_handlers=kwargs)
        self.number = int(self._accelerator.process_index)
        self.count = int(self._accelerator.num_processes)
        self.device = device if self.count == 1 else self._accelerator.device

    @property
    def is_first(self) -> bool:
        """Only the first process writes files and tells people anything."""
        return self.number == 0

    def wait(self) -> None:
        """Until every process has come here."""
        self._accelerator.wait_for_everyone()

    def share(self, module: nn.Module) -> nn.Module:
        """The module with gradients that are averaged over the processes; itself when there is one."""
        return module if self.count == 1 else cast(nn.Module, self._accelerator.prepare_model(module))

    def keep_to_itself(self, module: nn.Module) -> AbstractContextManager[None]:
        """Gradients of a `share`-d module are only added up inside; those after it are averaged with them."""
        return nullcontext() if self.count == 1 else self._accelerator.no_sync(module)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the processes, element by element; the same on each of them."""
        if self.count == 1:
            return values
        return cast(torch.Tensor, self._accelerator.reduce(values.to(self.device), reduction="sum")).to(values.device)
