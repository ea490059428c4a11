"""Reads a code module by module: from a canonical crop and an assumed version to the log-odds of its modules."""

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.models.contract import Card
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.imaging import GreyImage, normalise
from app.pipeline.inference.runners import Runner
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import QUIET_ZONE, Bits, dimension, function_patterns
from app.pipeline.qrcode.small.patterns import SMALL_QUIET_ZONE, small_patterns


@cache
def planes(version: int) -> NDArray[np.float32]:
    """A network module reader's second input, what the standard fixes for each module: (4, M + 8, M + 8), quiet zone
    included.

    The planes: 1 where the module is known (function patterns, quiet zone), else 0; its value (1 dark, -1 light,
    0 unknown); its position along x and along y, -1 to 1.
    """
    patterns = function_patterns(version)
    known = np.pad(patterns.known, QUIET_ZONE, constant_values=True)
    dark = np.pad(patterns.dark, QUIET_ZONE)
    return _planes(known, dark)


def _planes(known: Bits, dark: Bits) -> NDArray[np.float32]:
    value = np.where(known, np.where(dark, 1, -1), 0)
    y, x = np.meshgrid(*(np.linspace(-1, 1, extent) for extent in known.shape), indexing="ij")
    stacked = np.stack([known, value, x, y]).astype(np.float32)
    stacked.setflags(write=False)
    return stacked


@cache
def small_planes(version: str, columns: int | None = None) -> NDArray[np.float32]:
    """As `planes`, for "M1" to "M4" and "R7x43" to "R17x139", (4, H + 8, W + 8): their quiet zone is narrower, and
    nothing is known beyond it. ``columns``: only so many of the symbol's, from its left, and the 4 on either side."""
    patterns = small_patterns(version)
    known = np.pad(np.pad(patterns.known, SMALL_QUIET_ZONE, constant_values=True), QUIET_ZONE - SMALL_QUIET_ZONE)
    part = np.s_[:, : None if columns is None else columns + 2 * QUIET_ZONE]
    return _planes(known[part], np.pad(patterns.dark, QUIET_ZONE)[part])


class ModuleReader(Protocol):
    """What a module reader does in the pipeline: reads canonical crops of one version, each (S, S) uint8, dark on
    light; log-odds are (M, M), without the quiet zone. Crops of rMQR codes are oblong, and so are their log-odds."""

    def read(self, crops: Sequence[GreyImage], version: int) -> list[LogOdds]: ...

    def read_small(self, crops: Sequence[GreyImage], version: str, columns: int | None = None) -> list[LogOdds]: ...


class NetworkModuleReader:
    """A module reader that runs a network."""

    def __init__(self, card: Card, runner: Runner) -> None:
        self.card = card
        self.runner = runner

    def read(self, crops: Sequence[GreyImage], version: int) -> list[LogOdds]:
        """Log-odds (M, M) for each crop; those of known modules are also the network's."""
        return self._read(crops, planes(version))

    def read_small(self, crops: Sequence[GreyImage], version: str, columns: int | None = None) -> list[LogOdds]:
        """As `read`, of Micro QR and rMQR codes. The network was not trained on these, but suffices where the corners
        are right. ``columns``: the crops show so many of the symbol's, from its left, and 4 on either side."""
        return self._read(crops, small_planes(version, columns))

    def _read(self, crops: Sequence[GreyImage], known: NDArray[np.float32]) -> list[LogOdds]:
        pictures = np.stack([normalise(crop) for crop in crops])[:, None]
        batched_planes = np.repeat(known[None], len(crops), axis=0)
        log_odds = self.runner(pictures, batched_planes)[:, 0]
        inner = slice(QUIET_ZONE, -QUIET_ZONE)
        return [np.ascontiguousarray(one[inner, inner]) for one in log_odds]

    def warm_up(self) -> None:
        """Runs one inference, so that no request pays for lazy initialisation. Raises ValueError if the network's
        output does not have its promised shape."""
        side = PIXELS_PER_MODULE * (dimension(1) + 2 * QUIET_ZONE)
        shape = self.read([np.zeros((side, side), dtype=np.uint8)], 1)[0].shape
        if shape != (promised := (dimension(1),) * 2):
            raise ValueError(f"its output shows {shape} modules of version 1, not {promised}")
