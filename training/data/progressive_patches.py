"""Progressive learning: patches grow and batches shrink along the schedule (Restormer, section 3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from numpy.random import Generator

from training.data.crops import CropBatch


class MakePatches(Protocol):
    """Makes a batch for progressive learning: ``size`` patches of ``side`` x ``side`` pixels."""

    def __call__(self, rng: Generator, *, size: int, side: int) -> CropBatch: ...


@dataclass(frozen=True, kw_only=True)
class ProgressivePatches:
    """A batch schedule in stages: stage i makes ``sizes[i]`` patches of ``sides[i]`` pixels a side, until the share
    ``until[i]`` of the run is over.

    The defaults are those of Restormer and of ADNet's EG-Restormer: 128 to 384 pixels, changing after 92, 156, 204, 240
    and 276 of 300 thousand iterations. ``sizes`` are per device; Restormer trained on eight devices (64 to 8 patches in
    all), EG-Restormer on six. Calling the schedule makes a batch of the first stage.

    Raises ValueError if the three tuples do not describe the same stages in order up to the end of the run.
    """

    make: MakePatches
    sides: tuple[int, ...] = (128, 160, 192, 256, 320, 384)
    sizes: tuple[int, ...] = (8, 5, 4, 2, 1, 1)
    until: tuple[float, ...] = (92 / 300, 156 / 300, 204 / 300, 240 / 300, 276 / 300, 1.0)

    def __post_init__(self) -> None:
        if not len(self.sides) == len(self.sizes) == len(self.until) > 0:
            raise ValueError("sides, sizes and until must have the same length, at least 1")
        if list(self.until) != sorted(set(self.until)) or self.until[0] <= 0 or self.until[-1] != 1:
            raise ValueError("until must increase from above 0 to 1")

    def stage(self, share: float) -> int:
        """Index of the stage at ``share`` of the run, 0 or more; a share beyond 1 is in the last stage."""
        return sum(share >= end for end in self.until[:-1])

    def at(self, share: float) -> Callable[[Generator], CropBatch]:
        """Makes the batches at ``share`` of the run."""
        stage = self.stage(share)
        return partial(self.make, size=self.sizes[stage], side=self.sides[stage])

    def __call__(self, rng: Generator) -> CropBatch:
        return self.at(0.0)(rng)
