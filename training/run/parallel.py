"""Several processes that train one network: started by torchrun, each on batches of its own.

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m training lenet

The processes talk by gloo on CPUs and by NCCL on CUDA devices, one device each. All of them read the run's state, so
several machines need a folder in common.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes of one run, seen from one of them; alone unless said otherwise.

    ``device`` is this process's own. Every method that takes part in an exchange must be called by all ranks in the
    same order; alone it returns what it is given.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this process keeps the clock, the log and the files."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module that gives rank 0's weights to all at once, and in each backward pass the mean of all gradients.

        Buffers stay each rank's own, see ``share_buffers``: passing them on in each forward pass, as
        DistributedDataParallel does by itself, forbids two passes before one backward, which a discriminator needs.
        """
        if self.size == 1:
            return module
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return DistributedDataParallel(module, device_ids=devices, broadcast_buffers=False)

    @torch.no_grad()
    def share_buffers(self, module: nn.Module) -> None:
        """Gives all ranks the mean of their buffers (the statistics of batch normalisation)."""
        if self.size == 1:
            return
        for buffer in module.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer.div_(self.size)

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The means over all ranks, which give the same names."""
        if self.size == 1:
            return dict(figures)
        values = self._tensor(list(figures.values()))
        distributed.all_reduce(values)
        return dict(zip(figures, (values / self.size).tolist(), strict=True))

    def first(self, value: float) -> float:
        """Rank 0's value, for what all must agree on to the last bit: the clock, a measured time."""
        if self.size == 1:
            return value
        values = self._tensor([value])
        distributed.broadcast(values, src=0)
        return float(values)

    def wait(self) -> None:
        """Returns when all ranks have come here."""
        if self.size > 1:
            distributed.barrier()

    def _tensor(self, values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self.device)


@contextmanager
def gather(device: str) -> Iterator[Team]:
    """The team that torchrun started this process into, on ``device`` ("cuda": one GPU each), or this process alone."""
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
