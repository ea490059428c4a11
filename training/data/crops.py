"""Training samples without end: degraded crops, rectified as the service rectifies them, with their clean symbols."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from app.pipeline import imaging
from app.pipeline.crops import rectifying
from app.pipeline.inference.module_reader import planes
from app.pipeline.qrcode.patterns import QUIET_ZONE, VERSIONS, dimension, render
from app.pipeline.quad import square
from training.data import degrade
from training.data.symbols import PIXELS_DRAWN, SURROUND, draw_dots, draw_symbol, draw_symbol_on_label, random_symbol

_READING_ODDS = (0.33, 0.06, 0.42, 0.05, 0.07, 0.07)  # of the outcomes of `degrade.blur`, for the module reader
ALIGNED_DATA = {
    "sample": "canonical crop at 4 px a module, rectified as in service from corners off by up to 0.35 module",
    "symbols": "function patterns of versions 1-10 (weight 1 / (version + 4)), fair random bits elsewhere",
    "blur": "modules: motion 6.5 (55 %), shake 4.5 (10), defocus 2 (11), gaussian 1.15 (8), two (6); if coarse 0.4x",
    "resolution": "1.0-2.6 px a module (35 %, coarse), else 2.6-8",
    "sensor": "noise 0.1 u^2.5 (coarse 0.3) for 75 %, JPEG 10-95 for 67 %",
    "light": "contrast, gradients, shadows, glare 20 %, occlusion 20 %, bends of up to 1.2 modules 40 %",
}
"""Describes the aligned crops in checkpoints' provenance."""


@dataclass(frozen=True)
class CropBatch:
    """A batch of crops with their clean symbols.

    ``degraded``: (N, 1, H, W) in [0, 1]. ``clean``: (N, 1, sH, sW) in [0, 1], where s is the network's scale.
    ``dark``: (N, 1, M, M) in {0, 1}, the modules of ``clean`` if these lie on a grid, else None. ``planes``:
    (N, 4, M, M), the second input of a module reader, see `app.pipeline.inference.module_reader`, else None.
    """

    degraded: Tensor
    clean: Tensor
    dark: Tensor | None
    planes: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return (self.degraded,) if self.planes is None else (self.degraded, self.planes)

    def to(self, device: torch.device) -> Self:
        dark, planes = (None if part is None else part.to(device) for part in (self.dark, self.planes))
        return replace(self, degraded=self.degraded.to(device), clean=self.clean.to(device), dark=dark, planes=planes)


def photograph(
    label: degrade.Image, rng: Generator, *, modules: int, module: float
) -> tuple[degrade.Image, NDArray[np.float64], float]:
    """Warps the label into a camera picture with ``module`` pixels per module on average, rotated by up to 45 degrees.

    Returns the picture, the symbol's true corners in it (4, 2), and the scale from label to picture.
    """
    scale = module / PIXELS_DRAWN
    side = label.shape[0]
    out = int(np.ceil(side * scale * 1.25)) + 8
    centre = np.array([side / 2, side / 2])
    angle = rng.uniform(-np.pi / 4, np.pi / 4) if rng.random() < 0.7 else rng.normal(0, 0.02)
    turn = degrade.rotation(angle)
    paper = square(side)
    tilt = rng.uniform(-0.1, 0.1, (4, 2)) * side if rng.random() < 0.5 else 0.0
    target = ((paper + tilt - centre) @ turn.T) * scale + out / 2
    matrix = cv2.getPerspectiveTransform(paper.astype(np.float32), target.astype(np.float32))
    if scale < 1:  # area sampling: the box of a camera pixel, as a gaussian of about the same width
        label = degrade.gaussian(label, sigma=0.45 / scale)
    sampling = degrade.pixel_centre_homography(matrix)
    picture = cv2.warpPerspective(label, sampling, (out, out), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    margin = (side - modules * PIXELS_DRAWN) / 2
    corners = np.array(
        [[margin, margin], [side - margin, margin], [side - margin, side - margin], [margin, side - margin]]
    )
    projected = cv2.perspectiveTransform(corners[None], matrix)[0]
    return np.asarray(picture, dtype=np.float32), projected, scale


def aligned_sample(
    rng: Generator, version: int, *, corner_error: float = 0.35
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A training crop for restorers: a canonical crop (H, W) in [0, 1] of a synthetic photograph, and the symbol's
    modules.

    The service's own ``rectify`` makes the crop from corners with a normal error of up to ``corner_error`` modules, so
    alignment is as imperfect as in service.
    """
    modules = random_symbol(rng, version)
    label = _wear(draw_symbol_on_label(rng, draw_symbol(modules)), rng)
    coarse = rng.random() < 0.35
    module = rng.uniform(1.0, 2.6) if coarse else rng.uniform(2.6, 8.0)
    # A picture that is coarse, blurred and noisy at once holds nothing to learn from.
    label = degrade.blur(label, rng, module=PIXELS_DRAWN, reach=0.4 if coarse else 1.0)
    picture, corners, _ = photograph(label, rng, modules=dimension(version), module=module)
    picture = degrade.sensor(picture, rng, worst_noise=0.3 if coarse else 0.1)
    crop = rectify_crop(picture, corners + corner_errors(rng, corner_error) * module, dimension(version), QUIET_ZONE)
    return crop, modules


def _wear(label: degrade.Image, rng: Generator) -> degrade.Image:
    """Ink spread, bends, occlusion and uneven light."""
    label = degrade.ink(label, rng, module=PIXELS_DRAWN)
    if rng.random() < 0.4:
        label = degrade.bend(label, rng, amplitude=rng.uniform(0.1, 1.2) * PIXELS_DRAWN)
    if rng.random() < 0.2:
        label = degrade.occlude(label, rng, module=PIXELS_DRAWN)
    if rng.random() < 0.6:
        label = degrade.shade(label, rng)
    if rng.random() < 0.2:
        label = degrade.glare(label, rng)
    return label


def corner_errors(rng: Generator, limit: float) -> NDArray[np.float64]:
    """Normal errors of corners, (4, 2), clipped at two standard deviations, which are ``limit``."""
    return np.clip(rng.normal(0, limit / 2, (4, 2)), -limit, limit)


def rectify_crop(
    picture: degrade.Image, corners: NDArray[np.float64], modules: int, margin: int
) -> NDArray[np.float32]:
    """The crop that the service would cut out and normalise, (4 S, 4 S) in [0, 1], S = ``modules`` + 2 ``margin``."""
    return imaging.normalise(rectifying.rectify(degrade.to_uint8(picture), corners, modules, margin=margin))


@dataclass(frozen=True)
class ReadingSample:
    """A training crop for the module reader, M x M modules: ``crop`` (4 M, 4 M) in [0, 1], the modules ``dark`` (M, M),
    and ``planes`` (4, M, M) as `app.pipeline.inference.module_reader` makes them. ``hidden`` (M, M): the modules of
    which nothing shows, where that is known."""

    crop: NDArray[np.float32]
    dark: NDArray[np.bool_]
    planes: NDArray[np.float32]
    hidden: NDArray[np.bool_] | None = None


def reading_sample(rng: Generator, version: int, *, window: int, corner_error: float = 0.5) -> ReadingSample:
    """A training crop for the module reader; of symbols with more than ``window`` modules a side, quiet zone included,
    a part.

    ``corner_error`` is in modules, as for `aligned_sample`.
    """
    modules = random_symbol(rng, version)
    drawn = draw_dots(rng, modules) if rng.random() < 0.07 else draw_symbol(modules)
    label = draw_symbol_on_label(rng, drawn)
    whole = dimension(version) + 2 * QUIET_ZONE
    side = min(window, whole)
    row, column = rng.integers(0, whole - side + 1, 2)
    reach = (side + 2 * SURROUND) * PIXELS_DRAWN
    label = label[
        row * PIXELS_DRAWN : row * PIXELS_DRAWN + reach, column * PIXELS_DRAWN : column * PIXELS_DRAWN + reach
    ]
    label = _wear(np.ascontiguousarray(label), rng)
    kind = rng.random()
    coarse, grainy = kind < 0.35, 0.2 < kind < 0.42
    module = rng.uniform(0.95, 2.6) if coarse else rng.uniform(2.2 if grainy else 2.6, 8.0)
    # A part without finder patterns and quiet zone does not show which way a long motion went.
    longest = 1.0 if side == whole else 0.5
    blur_reach = 0.15 if grainy else 0.35 if coarse else longest
    label = degrade.blur(label, rng, module=PIXELS_DRAWN, reach=blur_reach, odds=_READING_ODDS)
    margin = QUIET_ZONE if side == whole else 0
    picture, corners, _ = photograph(label, rng, modules=side - 2 * margin, module=module)
    if grainy:
        contrast = float(np.ptp(picture))
        picture = degrade.noise(picture, rng, sigma=contrast * rng.uniform(0.05, 0.32))
    picture = degrade.sensor(picture, rng, worst_noise=0.0 if grainy else 0.1)
    crop = rectify_crop(picture, corners + corner_errors(rng, corner_error) * module, side - 2 * margin, margin)
    part = np.s_[row : row + side, column : column + side]
    return ReadingSample(crop, np.pad(modules, QUIET_ZONE)[part], planes(version)[:, part[0], part[1]])


def draw_reading_version(rng: Generator) -> int:
    """The version of a batch for the module reader: small ones more often."""
    weights = (np.array(VERSIONS) + 2.0) ** -1.6
    return int(rng.choice(VERSIONS, p=weights / weights.sum()))


def stack_readings(drawn: Sequence[ReadingSample]) -> CropBatch:
    """A batch of crops for the module reader, all of one size."""
    dark = torch.from_numpy(np.stack([sample.dark for sample in drawn]).astype(np.float32))[:, None]
    return CropBatch(
        degraded=torch.from_numpy(np.stack([sample.crop for sample in drawn]))[:, None],
        clean=1 - dark,
        dark=dark,
        planes=torch.from_numpy(np.stack([sample.planes for sample in drawn])),
    )


def aligned_batch(rng: Generator, *, size: int, max_version: int, size_multiple: int) -> CropBatch:
    """A batch of ``size`` aligned crops of one version, small versions more often, padded as the service pads."""
    versions = np.arange(1, max_version + 1)
    weights = 1 / (versions + 4.0)
    version = int(rng.choice(versions, p=weights / weights.sum()))
    degraded, clean, dark = [], [], []
    for _ in range(size):
        crop, modules = aligned_sample(rng, version)
        degraded.append(imaging.pad(crop, size_multiple))
        sharp = degrade.to_float(render(modules, pixels=rectifying.PIXELS_PER_MODULE))
        clean.append(imaging.pad(sharp, size_multiple))
        dark.append(np.pad(modules, QUIET_ZONE))
    return CropBatch(
        degraded=torch.from_numpy(np.stack(degraded))[:, None],
        clean=torch.from_numpy(np.stack(clean))[:, None],
        dark=torch.from_numpy(np.stack(dark).astype(np.float32))[:, None],
    )


def upscaling_batch(rng: Generator, *, size: int, patch: int) -> CropBatch:
    """A batch of crops for upscalers: ``patch`` pixels a side, 1-3.2 per module, with clean crops four times as large.

    ``dark`` is None.
    """
    pairs = [_upscaling_pair(rng, patch) for _ in range(size)]
    degraded, clean = (torch.from_numpy(np.stack(side))[:, None] for side in zip(*pairs, strict=True))
    return CropBatch(degraded=degraded, clean=clean, dark=None)


def _upscaling_pair(rng: Generator, patch: int) -> tuple[degrade.Image, degrade.Image]:
    module = float(rng.uniform(1.0, 3.2))
    version = int(rng.integers(1, 9))
    label = draw_symbol_on_label(rng, draw_symbol(random_symbol(rng, version)))
    fine = 4 * module / PIXELS_DRAWN
    side = 4 * patch
    angle = rng.uniform(-180, 180) if rng.random() < 0.4 else float(rng.integers(0, 4) * 90)
    middle = label.shape[1] / 2, label.shape[0] / 2
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, angle, fine), dtype=np.float64)
    reach = max(0.0, dimension(version) * module * 2 - side / 2 + 2 * module)
    matrix[:, 2] += side / 2 - np.array(middle) + rng.uniform(-reach, reach, 2)
    if fine < 1:
        label = degrade.gaussian(label, sigma=0.3 / fine)
    warped = cv2.warpAffine(label, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    clean = np.asarray(warped, dtype=np.float32)
    photo = degrade.ink(clean, rng, module=4 * module)
    if rng.random() < 0.5:
        photo = degrade.gaussian(photo, sigma=rng.uniform(0.2, 0.8) * 4 * module)
    photo = degrade.resize(photo, patch)
    photo = degrade.noise(photo, rng, sigma=0.25 * rng.random() ** 2)
    if rng.random() < 0.5:
        photo = degrade.jpeg(photo, quality=int(rng.integers(10, 96)))
    return imaging.normalise(degrade.to_uint8(photo)), clean
