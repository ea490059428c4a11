"""What decides a run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from training.data.crops import Batch
from training.data.pictures import restoration_picture
from training.objectives.adversarial import Adversary
from training.objectives.losses import Loss, module_error

MakeBatch = Callable[[Generator], Batch]


@runtime_checkable
class Scheduled(Protocol):
    """Makes batches that change over the run, as `training.data.patches` does; calling it makes the first batch."""

    def __call__(self, rng: Generator) -> Batch: ...

    def at(self, share: float) -> MakeBatch:
        """What makes the batches when this share of the run, 0 or more, is over."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides a run. ``data`` goes into the checkpoint's provenance as it is.

    ``loss`` takes the network's output and the batch; so do ``error``, the figure that the log follows, and
    ``picture``, which draws samples as an 8-bit image. The learning rate warms up over ``warmup_steps`` and falls to
    ``final_learning_rate`` on a cosine over ``minutes`` of training time, or over ``steps`` if these are given.
    Gradients are clipped to ``gradient_norm``; a step whose gradient is longer than ``spike`` says nothing but that
    something overflowed, and moves no weight. ``make_batch`` may be ``Scheduled``.

    ``first``: the run with whose weights this one begins, where no others are given.
    ``adversary``: a discriminator, whose loss is added to ``loss``; batches must have ``clean``. ``patience``: the run
    ends early after so many validations, one every ``validate_every`` steps, none of which had a lower ``loss`` on
    ``validation_batches`` fixed batches than the best so far; the best averaged weights are then what is served.
    """

    name: str
    architecture: str
    network: dict[str, Any]
    make_batch: MakeBatch | Scheduled
    loss: Loss
    error: Callable[[Tensor, Any], float] = module_error
    picture: Callable[[Tensor, Any], NDArray[np.uint8]] = restoration_picture
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
    first: Callable[[], "TrainConfig"] | None = None
    seed: int = 0
    save_every: float = 180.0
    picture_every: int = 500

    def fitted(self, *, minutes: float | None = None, steps: int | None = None) -> Self:
        """The same run over another time, or over a number of steps; a shorter one warms up shorter."""
        if steps is not None:
            return replace(self, steps=steps, warmup_steps=min(self.warmup_steps, -(-steps // 10)))
        if minutes is None:
            return self
        warmup = round(self.warmup_steps * min(1.0, minutes / self.minutes))
        return replace(self, minutes=minutes, steps=None, warmup_steps=warmup)
