"""A region: one registered hypothesis of a code in a picture, its canonical crop, and the ways to read from it."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.grid import clean_symbol, module_means, repaint_quiet_zone
from app.pipeline.crops.plausibility import explained_correlation
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify, side_length, surroundings
from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.registering import Registration, register
from app.pipeline.qrcode.log_odds import LogOdds, probability, rebuild_modules
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from app.pipeline.quad import Quad

_CREDIBLE = 0.5  # agreement from which a read is believed as it is
_HOPEFUL = 0.4  # agreement from which a region is worth several inferences
_EXPLAINED = 0.7  # correlation that a read must reach where the agreement is lower
_HOPELESS = 0.3  # agreement below which nothing is tried
_SMALL_MODULE = 3.0  # pixels a module below which super-resolution is worth its time
_LONGEST_SIDE = 32_766  # pixels that OpenCV can resample
_HYPOTHESES = 2  # registrations kept of each candidate
_INNER = slice(QUIET_ZONE, -QUIET_ZONE)


@dataclass(frozen=True, eq=False)
class Region:
    """``crop`` is the canonical crop, dark on light, (M, M) uint8 with M = 4 (modules + 8)."""

    registration: Registration
    crop: GreyImage

    @property
    def version(self) -> int:
        return self.registration.version

    @property
    def module(self) -> float:
        """Pixels a module in the picture."""
        return side_length(self.registration.corners) / dimension(self.version)

    @cached_property
    def corners(self) -> Quad:
        """Outer corners in picture pixels, clockwise from the symbol's top-left."""
        return Quad.of(self.registration.corners)

    @property
    def is_promising(self) -> bool:
        """Whether what takes long is worth trying on it."""
        return self.registration.agreement >= _HOPEFUL

    @property
    def is_small(self) -> bool:
        return self.module < _SMALL_MODULE

    def resembles(self, other: "Region") -> bool:
        """Whether both suppose the same version in nearly the same place."""
        apart = np.abs(self.registration.corners - other.registration.corners).max()
        return self.version == other.version and bool(apart < 0.5 * self.module)

    def read(self, crop: GreyImage, engines: Sequence[Engine], *, restored: bool) -> list[Symbol]:
        """What the engines read in the clean symbol redrawn from a canonical crop of this region, or in the crop.

        ``restored`` crops have even light and are redrawn at mid-grey; others against their neighbourhood.
        """
        redrawn = clean_symbol(crop, self.version, local=not restored, pixels=PIXELS_PER_MODULE)
        dark = 1 - module_means(crop if restored else redrawn, self.version)[_INNER, _INNER] / np.float32(255)
        return self._first((redrawn, repaint_quiet_zone(crop, self.version), crop), engines, self.crop, dark)

    def read_modules(self, crop: GreyImage, log_odds: LogOdds, engines: Sequence[Engine]) -> list[Symbol]:
        """What the engines read in the symbol rebuilt from a reading of ``crop``, which may be straighter than ours."""
        clean = render(rebuild_modules(log_odds, self.version), pixels=PIXELS_PER_MODULE)
        return self._first((clean,), engines, crop, probability(log_odds))

    def read_symbol(self, modules: NDArray[np.bool_], engines: Sequence[Engine], crop: GreyImage) -> list[Symbol]:
        """What the engines read in ``modules`` (True is dark), which error correction made of a reading of ``crop``."""
        clean = render(modules, pixels=PIXELS_PER_MODULE)
        return self._first((clean,), engines, crop, modules.astype(np.float32))

    def _first(
        self, pictures: Iterable[GreyImage], engines: Sequence[Engine], crop: GreyImage, dark: NDArray[np.float32]
    ) -> list[Symbol]:
        """The first believable read, its corners the registration's.

        A symbol of another kind or version than the registered one is not believed, and none where neither the known
        patterns agree with the picture nor the modules read, blurred as the picture is, explain them.
        """
        for picture in pictures:
            for engine in engines:
                for symbol in engine.read(picture):
                    if symbol.symbology == "QRCode" and symbol.version in (None, self.version):
                        return [symbol.at(self.corners)] if self._believable(crop, dark) else []
        return []

    def _believable(self, crop: GreyImage, dark: NDArray[np.float32]) -> bool:
        return self.registration.agreement >= _CREDIBLE or explained_correlation(crop, dark, self.version) >= _EXPLAINED

    def binarised(self, crop: GreyImage) -> GreyImage:
        """The clean symbol in a restored crop of this region, at the crop's own scale."""
        pixels = crop.shape[0] // (self.crop.shape[0] // PIXELS_PER_MODULE)
        return clean_symbol(crop, self.version, local=False, pixels=pixels)

    def cut_out(self, image: GreyImage) -> tuple[GreyImage, tuple[int, int]]:
        """The upright box around the region with four modules to spare, and its offset (x, y) in the picture."""
        patch, (left, top) = surroundings(image, self.registration.corners, 4 * self.module)
        return (~patch if self.registration.inverted else patch), (int(left), int(top))


def find_regions(image: GreyImage, candidates: Iterable[Candidate], *, limit: int) -> list[Region]:
    """The ``limit`` most credible regions at the first ``limit`` candidates' places, by how well the known patterns
    agree; may be none.

    Pictures longer than OpenCV resamples, or narrower than the smallest symbol, have none.
    """
    if max(image.shape) > _LONGEST_SIDE or min(image.shape) < dimension(1):
        return []
    registrations: list[Registration] = []
    for candidate in itertools.islice(candidates, limit):
        registrations += register(image, candidate.corners, candidate.dimension, keep=_HYPOTHESES)
    hopeful = [registration for registration in registrations if registration.agreement >= _HOPELESS]
    hopeful.sort(key=lambda registration: -registration.agreement)
    return [_region(image, registration) for registration in hopeful[:limit]]


def _region(image: GreyImage, registration: Registration) -> Region:
    crop = rectify(image, registration.corners, dimension(registration.version))
    return Region(registration=registration, crop=~crop if registration.inverted else crop)
