"""Pictures of symbols whose place is known exactly, networks of a few lines, and tiny ones of the real kinds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import segno
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from app.models.contract import PLANES
from app.pipeline.crops.grid import module_means
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.locating.candidates import Candidate
from app.pipeline.qrcode.patterns import QUIET_ZONE, function_patterns
from app.pipeline.quad import Quad

Modules = NDArray[np.bool_]
_SUBSAMPLES = 4

RESTORERS: dict[str, dict[str, object]] = {
    "LENet": {"channels": 1, "base": 4, "blocks": (1, 1, 1, 1), "residual_init": 0.1},
    "EGRestormer": {"channels": 1, "width": 8, "blocks": (1, 1, 1, 1), "refinement": 1},
    "Restormer": {"channels": 1, "width": 8, "blocks": (1, 1, 1, 1), "refinement": 1},
    "NAFNet": {"channels": 1, "width": 4, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1), "residual_init": 0.1},
    "SRResNet": {"channels": 1, "width": 4, "blocks": 1},
    "PaperGen": {"channels": 1, "width": 4, "blocks": 1},
    "AdvancedSimpleQR": {"channels": 1, "width": 4, "groups": 1, "blocks": 1},
    "SRGANGenerator": {"channels": 1, "width": 4, "blocks": 1},
    "RRDBNet": {"channels": 1, "width": 4, "blocks": 1, "growth": 4},
}
"""Networks that turn a picture (N, C, H, W) into one (N, C, sH, sW), in tiny configurations."""
TINY: dict[str, dict[str, object]] = {
    **RESTORERS,
    "ModuleReader": {"pixels": 4, "width": 8, "blocks": 1},
    "QuadLocator": {"widths": (4, 4, 8, 8), "blocks": (1, 1, 1, 1)},
}
"""Every network in a tiny configuration."""


def random_inputs(architecture: str, *, count: int = 1) -> tuple[Tensor, ...]:
    """What a network of ``TINY`` takes, at random: ``count`` samples, the same ones for the same torch seed."""
    if architecture == "ModuleReader":
        return torch.rand(count, 1, 24, 24), torch.rand(count, PLANES, 6, 6)
    side = 64 if architecture == "QuadLocator" else 16
    return (torch.rand(count, 1, side, side),)


def encode(content: str, *, version: int | None = None, error: str = "m", mask: int | None = None) -> Modules:
    """The modules of a symbol that decodes to ``content``; True is dark."""
    code = segno.make(content, version=version, error=error, mask=mask, micro=False, boost_error=False)
    return np.array([list(row) for row in code.matrix], dtype=np.bool_)


def scrambled(modules: Modules, *, seed: int = 0) -> Modules:
    """A symbol that is found and registered like ``modules`` but never decodes: every codeword module is redrawn."""
    data = function_patterns((modules.shape[0] - 17) // 4).data
    return np.where(data, np.random.default_rng(seed).random(modules.shape) < 0.5, modules)


def square_at(left: float, top: float, side: float) -> NDArray[np.float64]:
    return np.array([[left, top], [left + side, top], [left + side, top + side], [left, top + side]])


def photograph(
    modules: Modules,
    corners: ArrayLike,
    shape: tuple[int, int],
    *,
    dark: int = 30,
    light: int = 220,
    paper: GreyImage | None = None,
) -> GreyImage:
    """A picture of (H, W) with the symbol's outer corners exactly at ``corners`` (x, y from the picture's outer edge).

    Each pixel is the mean of a grid of points, each looked up in the symbol: nothing of the code under test is used.
    Outside the quiet zone lies ``paper``, or else ``light``.
    """
    size = modules.shape[0]
    whole = np.array([[0, 0], [size, 0], [size, size], [0, size]], dtype=np.float32)
    inverse = cv2.getPerspectiveTransform(np.asarray(corners, dtype=np.float32), whole)
    height, width = shape
    y, x = ((np.arange(n * _SUBSAMPLES) + 0.5) / _SUBSAMPLES for n in (height, width))
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(1, -1, 2)
    column, row = np.moveaxis(np.floor(cv2.perspectiveTransform(points, inverse)[0]).astype(int), 1, 0)
    symbol = np.pad(modules, QUIET_ZONE)
    inside = (np.minimum(column, row) >= -QUIET_ZONE) & (np.maximum(column, row) < size + QUIET_ZONE)
    values = np.where(
        symbol[np.where(inside, row + QUIET_ZONE, 0), np.where(inside, column + QUIET_ZONE, 0)], dark, light
    )
    under = np.full(shape, light, np.uint8) if paper is None else paper
    behind = under.repeat(_SUBSAMPLES, axis=0).repeat(_SUBSAMPLES, axis=1).ravel()
    fine = np.where(inside, values, behind).reshape(height, _SUBSAMPLES, width, _SUBSAMPLES)
    return np.rint(fine.mean(axis=(1, 3))).astype(np.uint8)


@dataclass
class FakeRestorer:
    """Restores by ``answer``; ``calls`` remembers the shape of every crop."""

    name: str
    answer: Callable[[GreyImage], GreyImage] = field(default=lambda crop: crop)
    scale: int = 1
    calls: list[tuple[int, ...]] = field(default_factory=list)

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]:
        self.calls += [crop.shape for crop in crops]
        return [self.answer(crop) for crop in crops]


def mean_reading(crop: GreyImage, version: int) -> LogOdds:
    """What a reader of a few lines makes of a crop: each module's mean against mid-grey, -10 to 10."""
    means = module_means(crop, version)[QUIET_ZONE:-QUIET_ZONE, QUIET_ZONE:-QUIET_ZONE]
    return np.asarray(10 - means / np.float32(12.75), dtype=np.float32)


@dataclass
class FakeReader:
    """Reads modules by ``answer``; ``calls`` remembers the version and the shape of every crop."""

    answer: Callable[[GreyImage, int], LogOdds] = mean_reading
    calls: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)

    def read(self, crops: Sequence[GreyImage], version: int) -> list[LogOdds]:
        self.calls += [(version, crop.shape) for crop in crops]
        return [self.answer(crop, version) for crop in crops]


@dataclass
class FakeLocator:
    """Knows its quads, each of ``modules`` a side, and counts how often it is asked."""

    quads: Sequence[NDArray[np.float64]] = ()
    modules: int | None = 25
    asked: int = 0

    def locate(self, image: GreyImage) -> list[Candidate]:
        self.asked += 1
        return [Candidate(Quad.of(quad), self.modules, 1.0) for quad in self.quads]
