"""Runs networks on crops. The only place that normalises, pads, picks number formats, clamps and crops."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.models.checkpoint import Checkpoint
from app.pipeline.imaging import GreyImage, normalise, pad
from app.pipeline.inference.runners import Runner
from app.pipeline.inference.torch_runner import TorchRunner

_TILE = 192  # pixels a side of what an enlarging network sees at once
_OVERLAP = 24  # pixels that neighbouring tiles share: about the reach of SRResNet's convolutions


class Restorer(Protocol):
    """Turns degraded crops into restored ones ``scale`` times as large, both (H, W) uint8."""

    @property
    def name(self) -> str: ...

    @property
    def scale(self) -> int: ...

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]: ...


class TorchRestorer:
    """A restorer that runs a checkpoint's network with torch on one device, or with the ``runner`` given."""

    def __init__(self, card: Checkpoint, *, device: str = "cpu", runner: Runner | None = None) -> None:
        self.card = card
        self.runner = runner or TorchRunner(card.network, device=device)
        self._multiple = int(getattr(card.network, "size_multiple"))  # noqa: B009 - an attribute of every network
        self._scale = int(getattr(card.network, "scale"))  # noqa: B009

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def scale(self) -> int:
        return self._scale

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]:
        """Restores crops of one common size in one batch; the answer is clamped and has no padding left.

        Networks that enlarge see large crops in overlapping tiles, which bounds their memory.
        """
        inputs = np.stack([normalise(crop) for crop in crops])
        if self._scale == 1 or max(inputs.shape[1:]) <= _TILE:
            return list(self._run(inputs))
        height, width = inputs.shape[1:]
        whole = np.empty((len(crops), height * self._scale, width * self._scale), dtype=np.uint8)
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                above, before = min(top, _OVERLAP), min(left, _OVERLAP)
                reach = np.s_[:, top - above : top + _TILE + _OVERLAP, left - before : left + _TILE + _OVERLAP]
                tile = self._run(inputs[reach])[:, above * self._scale :, before * self._scale :]
                target = whole[:, top * self._scale :, left * self._scale :][
                    :, : _TILE * self._scale, : _TILE * self._scale
                ]
                target[:] = tile[:, : target.shape[1], : target.shape[2]]
        return list(whole)

    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(N, H, W) in [0, 1] -> (N, scale H, scale W) as 8 bits."""
        height, width = inputs.shape[1:]
        stack = np.stack([pad(picture, self._multiple) for picture in inputs])[:, None]
        whole = self.runner(stack)[:, 0, : height * self._scale, : width * self._scale]
        return np.asarray(np.rint(np.clip(whole, 0, 1) * 255), dtype=np.uint8)

    def warm_up(self) -> None:
        """Runs one inference, so that the first request does not pay for lazy initialisation."""
        self.restore([np.zeros((64, 64), dtype=np.uint8)])
