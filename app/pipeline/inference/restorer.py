"""Restores crops with networks. The only place that normalises and pads their input and clamps and crops the output."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.models.contract import Card
from app.pipeline.imaging import GreyImage, normalise, pad
from app.pipeline.inference.runners import Runner

_TILE = 128  # pixels a side that an enlarging network sees at once: the slowest takes a second for it
_SAMPLE = 64  # pixels a side of the picture that warms a network up
_OVERLAP = 24  # pixels by which neighbouring tiles overlap: about the reach of SRResNet's convolutions


class Restorer(Protocol):
    """Restores degraded crops: (H, W) uint8 to (``scale`` H, ``scale`` W) uint8."""

    @property
    def name(self) -> str: ...

    @property
    def scale(self) -> int: ...

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]: ...


class NetworkRestorer:
    """A restorer that is a network."""

    def __init__(self, card: Card, runner: Runner) -> None:
        self.card = card
        self.runner = runner

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def scale(self) -> int:
        return self.card.scale

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]:
        """Restores crops of one common size in one batch.

        Networks that enlarge see large crops in overlapping tiles, which bounds their memory.
        """
        inputs = np.stack([normalise(crop) for crop in crops])
        if self.scale == 1 or max(inputs.shape[1:]) <= _TILE:
            return list(self._run(inputs))
        height, width = inputs.shape[1:]
        whole = np.empty((len(crops), height * self.scale, width * self.scale), dtype=np.uint8)
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                above, before = min(top, _OVERLAP), min(left, _OVERLAP)
                reach = np.s_[:, top - above : top + _TILE + _OVERLAP, left - before : left + _TILE + _OVERLAP]
                tile = self._run(inputs[reach])[:, above * self.scale :, before * self.scale :]
                target = whole[:, top * self.scale :, left * self.scale :][
                    :, : _TILE * self.scale, : _TILE * self.scale
                ]
                target[:] = tile[:, : target.shape[1], : target.shape[2]]
        return list(whole)

    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Runs the network: (N, H, W) in [0, 1] -> (N, scale H, scale W) uint8, clamped, without padding."""
        height, width = inputs.shape[1:]
        stack = np.stack([pad(picture, self.card.size_multiple) for picture in inputs])[:, None]
        whole = self.runner(stack)[:, 0, : height * self.scale, : width * self.scale]
        return np.asarray(np.rint(np.clip(whole, 0, 1) * 255), dtype=np.uint8)

    def warm_up(self) -> None:
        """Runs one inference, so that no request pays for lazy initialisation. Raises ValueError if the network's
        output does not have its promised shape."""
        shape = self.restore([np.zeros((_SAMPLE, _SAMPLE), dtype=np.uint8)])[0].shape
        if shape != (promised := (_SAMPLE * self.scale,) * 2):
            raise ValueError(f"its output has shape {shape}, not {promised}")
