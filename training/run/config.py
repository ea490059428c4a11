"""The configuration of a run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from app.models.registry import NETWORKS
from training.objectives.adversarial import Adversary
from training.objectives.losses import Loss, module_error
from training.run.sample_sheets import restoration_sheet


class Batch(Protocol):
    """What a run needs of a batch: the network's ``inputs`` with everything that its loss needs, on one device."""

    @property
    def inputs(self) -> tuple[Tensor, ...]: ...

    def to(self, device: torch.device) -> Self: ...


MakeBatch = Callable[[Generator], Batch]
"""Makes one batch; the same generator state makes the same batch."""


@runtime_checkable
class BatchSchedule(Protocol):
    """Makes batches that change over a run, for its configuration; calling it makes the first batch."""

    def __call__(self, rng: Generator) -> Batch: ...

    def at(self, share: float) -> MakeBatch:
        """Makes the batches when ``share`` of the run, 0 or more, is over."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The configuration of a run: everything that determines it.

    ``name``: of the run's folder and its checkpoint. ``architecture`` and ``network``: a key of ``NETWORKS`` and its
    constructor's arguments. ``data``: description of the data, copied into the checkpoint's provenance.

    ``loss``, ``error`` (a figure for the log) and ``picture`` (an 8-bit image of samples, every ``picture_every``
    steps) take the network's output and the batch. ``make_batch`` may be a `BatchSchedule`.

    The learning rate warms up over ``warmup_steps`` and falls to ``final_learning_rate`` on a cosine over ``minutes``
    of training time, or over ``steps`` if these are given. Gradients are clipped to ``gradient_norm``. A gradient
    longer than ``spike`` is taken for an overflow, and its step changes no weight.

    ``ema_decay``: of the averaged weights, which the checkpoint holds. ``save_every``: seconds of training between two
    saved states. ``previous``: makes the configuration of the run whose weights this one starts from by default.
    ``adversary``: a discriminator whose loss is added to ``loss``; batches must have ``clean``.

    ``patience``: the run ends early after this number of consecutive validations, one every ``validate_every`` steps,
    without a new minimum of ``loss`` on ``validation_batches`` fixed batches. The checkpoint then holds the best
    averaged weights.
    """

    name: str
    architecture: str
    network: dict[str, Any]
    make_batch: MakeBatch | BatchSchedule
    loss: Loss
    error: Callable[[Tensor, Any], float] = module_error
    picture: Callable[[Tensor, Any], NDArray[np.uint8]] = restoration_sheet
    data: dict[str, object]
    minutes: float
    steps: int | None = None
    batch_size: int
    learning_rate: float = 1e-3
    final_learning_rate: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    gradient_norm: float = 1.0
    spike: float = 10.0
    ema_decay: float = 0.999
    adversary: Adversary | None = None
    patience: int | None = None
    validate_every: int = 250
    validation_batches: int = 4
    previous: Callable[[], "TrainConfig"] | None = None
    seed: int = 0
    save_every: float = 180.0
    picture_every: int = 500

    def with_length(self, *, minutes: float | None = None, steps: int | None = None) -> Self:
        """The same run over ``steps``, or else over ``minutes``; a shorter run has a shorter warm-up."""
        if steps is not None:
            return replace(self, steps=steps, warmup_steps=min(self.warmup_steps, -(-steps // 10)))
        if minutes is None:
            return self
        warmup = round(self.warmup_steps * min(1.0, minutes / self.minutes))
        return replace(self, minutes=minutes, steps=None, warmup_steps=warmup)

    def network_without_weights(self) -> nn.Module:
        """The run's network on torch's device ``meta``: shapes of weights without values."""
        with torch.device("meta"):
            return NETWORKS[self.architecture](**self.network)
