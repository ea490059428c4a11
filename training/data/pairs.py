"""Training pairs for super-resolution: low-resolution pictures of whole codes and the larger clean pictures.

One generator serves every published system, so their data differ only in the published sizes and degradations, and in
the versions that remain legible at these.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline import imaging
from app.pipeline.qrcode.patterns import QUIET_ZONE
from training.data.crops import CropBatch
from training.data.degrade import Image, to_uint8
from training.data.published_degradations import BLUR_SHARE, BlurOrNoise, PublishedDegradation, add_noise, blur
from training.data.symbols import random_symbol

_HALO = 8  # low-resolution pixels around a crop that are degraded and cut off, so that blurs see beyond its edges
_MAX_VERSION = 4  # version 4 has 1.6 px per module at 64 px, quiet zone included
_BLUR, _NOISE = (
    "gaussian kernel 3-11, sigma 1.1-1.6 at 256 px, then 64 px by area",
    "64 px by area, then gaussian noise of (0.7-1.2) x 64 grey levels",
)
_BLUR_OR_NOISE = f"3 of 13 samples: {_BLUR}; 10 of 13: {_NOISE} (published: 3 epochs of blur, then 10 of noise)"
_BLUR_THEN_NOISE = f"the first 3 of 13 parts of the run: {_BLUR}; the other 10: {_NOISE} (as published)"


def code_picture(
    modules: NDArray[np.bool_], side: int, *, quiet: float = QUIET_ZONE, shift: tuple[float, float] = (0.0, 0.0)
) -> Image:
    """The clean picture of a training pair: a symbol with a quiet zone of ``quiet`` modules that fills (side, side).

    Black on white in [0, 1]. ``shift`` (down, right) is in modules. Each pixel is the mean over its area, so pixels on
    edges are grey.
    """
    count = modules.shape[0]
    pitch = side / (count + 2 * quiet)

    def shares(offset: float) -> NDArray[np.float64]:
        """The share of each pixel that each module covers along one axis, (side, modules)."""
        start = (np.arange(count) + quiet + offset) * pitch
        pixel = np.arange(side)[:, None]
        covered: NDArray[np.float64] = np.minimum(pixel + 1, start + pitch) - np.maximum(pixel, start)
        return covered.clip(0)

    down, right = shift
    return np.asarray(np.clip(1 - shares(down) @ modules @ shares(right).T, 0, 1), dtype=np.float32)


def _draw_code(rng: Generator, version: int, side: int) -> Image:
    """Half of the codes as in the synthetic sets, with a quiet zone of 4 modules; half with 2-4 modules and moved by up
    to half a module, so that modules begin at every phase of the pixel grid."""
    modules = random_symbol(rng, version)
    if rng.random() < 0.5:
        return code_picture(modules, side)
    shift = rng.uniform(-0.5, 0.5, 2)
    return code_picture(modules, side, quiet=rng.uniform(2, QUIET_ZONE), shift=(float(shift[0]), float(shift[1])))


def pair(
    rng: Generator, *, version: int, low: int, scale: int, degradation: PublishedDegradation, crop: int | None = None
) -> tuple[Image, Image]:
    """A training pair: a degraded picture (low, low) as the service hands it to a network, and its target (scale low,
    scale low).

    With ``crop``, both are a random part of the picture, ``crop`` low-resolution pixels a side.
    """
    clean = _draw_code(rng, version, scale * low)
    if crop is None:
        degraded, target = degradation(clean, rng, low=low)
        return _network_input(degraded), target
    reach = min(low, crop + 2 * _HALO)
    place = rng.integers(0, low - crop + 1, 2)
    start = np.clip(place - _HALO, 0, low - reach)
    degraded, target = degradation(_crop(clean, scale * start, scale * reach), rng, low=reach)
    inside = place - start
    return _crop(_network_input(degraded), inside, crop), _crop(target, scale * inside, scale * crop)


def _crop(picture: Image, start: NDArray[np.int64], side: int) -> Image:
    row, column = start
    return np.ascontiguousarray(picture[row : row + side, column : column + side])


def _network_input(degraded: Image) -> Image:
    """Rounds to 8 bits and normalises, as the service does."""
    return imaging.normalise(to_uint8(degraded))


def pair_batch(
    rng: Generator,
    *,
    size: int,
    low: int,
    scale: int,
    degradation: PublishedDegradation,
    max_version: int = 2,
    crop: int | None = None,
) -> CropBatch:
    """A batch of ``size`` pairs of ``degraded`` (N, 1, low, low) and ``clean`` (N, 1, scale low, scale low); ``dark``
    is None.

    With ``crop``, parts of ``crop`` instead of ``low`` low-resolution pixels a side. Versions are 1 to ``max_version``,
    small ones more often. Raises ValueError for a crop larger than the picture.
    """
    if crop is not None and crop > low:
        raise ValueError(f"a crop of {crop} px does not fit in a picture of {low} px")
    versions = np.arange(1, max_version + 1)
    weights = 1 / (versions + 4.0)
    drawn = rng.choice(versions, size, p=weights / weights.sum())
    pairs = [
        pair(rng, version=int(version), low=low, scale=scale, degradation=degradation, crop=crop) for version in drawn
    ]
    degraded, clean = (torch.from_numpy(np.stack(side))[:, None] for side in zip(*pairs, strict=True))
    return CropBatch(degraded=degraded, clean=clean, dark=None)


def pair_provenance(*, low: int, max_version: int, degradation: str, crop: int | None = None) -> dict[str, object]:
    """Describes the samples of `pair_batch` at scale 4 for a checkpoint's provenance."""
    part = "" if crop is None else f"; random parts of {crop} -> {4 * crop} px of these"
    return {
        "sample": f"whole codes {low} -> {4 * low} px, quiet zone 4 modules (50 %) or 2-4 and any phase{part}",
        "symbols": f"function patterns of versions 1-{max_version} (weight 1 / (version + 4)), fair random bits",
        "degradation": degradation,
    }


WHOLE_CODES = pair_provenance(low=64, max_version=_MAX_VERSION, degradation=_BLUR_OR_NOISE)


STAGED_CODES = pair_provenance(low=64, max_version=_MAX_VERSION, degradation=_BLUR_THEN_NOISE)


def whole_codes(size: int, degradation: PublishedDegradation | None = None) -> partial[CropBatch]:
    """Makes batches of ``size`` training pairs of whole codes, 64 -> 256 px, with PaperGen's blur or noise if no other
    ``degradation`` is given."""
    chosen = degradation or BlurOrNoise()
    return partial(pair_batch, size=size, low=64, scale=4, degradation=chosen, max_version=_MAX_VERSION)


@dataclass(frozen=True)
class BlurThenNoise:
    """PaperGen's batch schedule as published: ``size`` pairs of `blur` for ``BLUR_SHARE`` of the run, then of
    `add_noise`."""

    size: int

    def at(self, share: float) -> partial[CropBatch]:
        """Makes the batches at ``share`` of the run."""
        return whole_codes(self.size, blur if share < BLUR_SHARE else add_noise)

    def __call__(self, rng: Generator) -> CropBatch:
        return self.at(0.0)(rng)
