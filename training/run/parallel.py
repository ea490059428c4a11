"""Data-parallel training: several processes, started by torchrun, train one network on different batches.

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m training lenet

The processes communicate through gloo on CPUs and NCCL on CUDA devices, one device each. All of them read the run's
state, so several machines need a shared folder.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, kw_only=True)
class Team:
    """The parallel processes of one run, seen from one of them; by default a single process.

    ``device`` is this process's own. All ranks must call the methods that communicate in the same order; in a single
    process these return their argument.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def is_leader(self) -> bool:
        """Whether this process keeps the clock and writes the log and all files."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Copies rank 0's weights to all ranks and returns a module that averages gradients in each backward pass.

        Buffers stay separate until ``average_buffers``: DistributedDataParallel's own broadcast in each forward pass
        rules out two forward passes before one backward pass, which a discriminator needs.
        """
        if self.size == 1:
            return module
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return DistributedDataParallel(module, device_ids=devices, broadcast_buffers=False)

    @torch.no_grad()
    def average_buffers(self, module: nn.Module) -> None:
        """Sets floating-point buffers, such as the statistics of batch normalisation, to their mean over all ranks."""
        if self.size == 1:
            return
        for buffer in module.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer.div_(self.size)

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The mean of each figure over all ranks; all must pass the same names."""
        if self.size == 1:
            return dict(figures)
        values = self._tensor(list(figures.values()))
        distributed.all_reduce(values)
        return dict(zip(figures, (values / self.size).tolist(), strict=True))

    def broadcast(self, value: float) -> float:
        """Rank 0's value, for what must be exactly equal on all ranks, such as the clock."""
        if self.size == 1:
            return value
        values = self._tensor([value])
        distributed.broadcast(values, src=0)
        return float(values)

    def wait(self) -> None:
        """Blocks until all ranks have called it."""
        if self.size > 1:
            distributed.barrier()

    def _tensor(self, values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self.device)


@contextmanager
def join_team(device: str) -> Iterator[Team]:
    """The team of parallel processes that torchrun started this one in, or this one alone, on ``device`` ("cuda": one
    GPU per rank)."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield Team(device=device)
        return
    if device == "cuda":
        device = f"cuda:{distributed.get_node_local_rank()}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Team(rank=distributed.get_rank(), size=distributed.get_world_size(), device=device)
    finally:
        distributed.destroy_process_group()
