"""Progressive learning: patches that grow, and batches that shrink, along the schedule (Restormer, section 3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from numpy.random import Generator

from training.data.crops import CropBatch


class MakePatches(Protocol):
    """``size`` patches of ``side`` pixels a side."""

    def __call__(self, rng: Generator, *, size: int, side: int) -> CropBatch: ...


@dataclass(frozen=True, kw_only=True)
class ProgressivePatches:
    """Batches whose patches are ``sides`` pixels, ``sizes`` of them, until the share ``until`` of the schedule is over.

    The defaults are those of Restormer and of ADNet's EG-Restormer: 128 to 384 pixels, changed after 92, 156, 204, 240
    and 276 of 300 thousand iterations. ``sizes`` are the batches of one device; Restormer trained on eight (64 to 8
    patches in all), EG-Restormer on six. Called as it is, it makes the first stage's batches.

    Raises ValueError where the three do not describe the same stages in order up to the schedule's end.
    """

    make: MakePatches
    sides: tuple[int, ...] = (128, 160, 192, 256, 320, 384)
    sizes: tuple[int, ...] = (8, 5, 4, 2, 1, 1)
    until: tuple[float, ...] = (92 / 300, 156 / 300, 204 / 300, 240 / 300, 276 / 300, 1.0)

    def __post_init__(self) -> None:
        if not len(self.sides) == len(self.sizes) == len(self.until) > 0:
            raise ValueError("sides, sizes and until must be equally many, and at least one")
        if list(self.until) != sorted(set(self.until)) or self.until[0] <= 0 or self.until[-1] != 1:
            raise ValueError("until must rise from above 0 to 1")

    def stage(self, share: float) -> int:
        """Index of the stage at a share of the schedule in [0, 1]; a share beyond the end is the last stage."""
        return sum(share >= end for end in self.until[:-1])

    def at(self, share: float) -> Callable[[Generator], CropBatch]:
        """What makes the batches at a share of the schedule."""
        stage = self.stage(share)
        return partial(self.make, size=self.sizes[stage], side=self.sides[stage])

    def __call__(self, rng: Generator) -> CropBatch:
        return self.at(0.0)(rng)
