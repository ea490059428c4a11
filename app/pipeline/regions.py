"""A region: one registered hypothesis of a code in a picture, its canonical crop, and the ways to read from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.pipeline.gridding import clean_symbol, with_quiet_zone
from app.pipeline.imaging import GreyImage
from app.pipeline.locating import Locator
from app.pipeline.reading import Corners, Engine, Symbol
from app.pipeline.rectifying import PIXELS_PER_MODULE, rectify, side_length, surroundings
from app.pipeline.registering import Registration, register
from app.pipeline.symbology import dimension

_CREDIBLE = 0.5  # agreement below which a read would be an invention rather than a code
_SMALL_MODULE = 3.0  # pixels a module below which super-resolution is worth its time
_LONGEST_SIDE = 32_766  # pixels that OpenCV can resample
_HYPOTHESES = 2  # registrations kept of each candidate


@dataclass(frozen=True)
class Region:
    """``crop`` is the canonical crop, dark on light, (M, M) uint8 with M = 4 (modules + 8)."""

    registration: Registration
    crop: GreyImage

    @property
    def module(self) -> float:
        """Pixels a module in the picture."""
        return side_length(self.registration.corners) / dimension(self.registration.version)

    @property
    def corners(self) -> Corners:
        """Outer corners in picture pixels, clockwise from the symbol's top-left."""
        first, second, third, fourth = ((float(x), float(y)) for x, y in self.registration.corners)
        return first, second, third, fourth

    @property
    def is_small(self) -> bool:
        return self.module < _SMALL_MODULE

    def read(self, crop: GreyImage, engines: Sequence[Engine], *, restored: bool) -> list[Symbol]:
        """What the engines read in the clean symbol redrawn from a canonical crop of this region, or in the crop.

        ``restored`` crops have even light and are redrawn at mid-grey; others against their neighbourhood. A symbol of
        another kind or version than the registered one is not believed. Corners are the registration's.
        """
        version = self.registration.version
        redrawn = clean_symbol(crop, version, local=not restored, pixels=PIXELS_PER_MODULE)
        for picture in (redrawn, with_quiet_zone(crop, version), crop):
            for engine in engines:
                for symbol in engine.read(picture):
                    if symbol.symbology == "QRCode" and symbol.version in (None, version):
                        return [replace(symbol, corners=self.corners)]
        return []

    def binarised(self, crop: GreyImage) -> GreyImage:
        """The clean symbol in a restored crop of this region, at the crop's own scale."""
        pixels = crop.shape[0] // (self.crop.shape[0] // PIXELS_PER_MODULE)
        return clean_symbol(crop, self.registration.version, local=False, pixels=pixels)

    def cut_out(self, image: GreyImage) -> tuple[GreyImage, tuple[int, int]]:
        """The upright box around the region with four modules to spare, and its offset (x, y) in the picture."""
        patch, (left, top) = surroundings(image, self.registration.corners, 4 * self.module)
        return (~patch if self.registration.inverted else patch), (int(left), int(top))


def find_regions(image: GreyImage, locator: Locator, *, limit: int) -> list[Region]:
    """The ``limit`` most credible regions of a picture, by how well the known patterns agree; may be none.

    Pictures longer than OpenCV resamples, or narrower than the smallest symbol, have none.
    """
    if max(image.shape) > _LONGEST_SIDE or min(image.shape) < dimension(1):
        return []
    registrations: list[Registration] = []
    for candidate in locator.locate(image):
        if candidate.dimension is None and registrations:
            continue  # the whole picture is the last resort
        found = register(image, candidate.corners, candidate.dimension, keep=_HYPOTHESES)
        registrations += [registration for registration in found if registration.agreement >= _CREDIBLE]
    registrations.sort(key=lambda registration: -registration.agreement)
    return [_region(image, registration) for registration in registrations[:limit]]


def _region(image: GreyImage, registration: Registration) -> Region:
    crop = rectify(image, registration.corners, dimension(registration.version))
    return Region(registration=registration, crop=~crop if registration.inverted else crop)
