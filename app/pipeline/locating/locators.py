"""Locators that need no network: codes that zxing-cpp saw but could not read, and the whole picture as one code.

The score of a quad is the agreement of the picture, sampled at its module centres, with the function patterns of the
assumed version. Corners are clockwise as seen in the picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import zxingcpp

from app.pipeline.engines.zxing import ZXing, ZXingOptions
from app.pipeline.imaging import GreyImage, shrink
from app.pipeline.locating.candidates import Candidate, candidate_of, suppress_overlapping
from app.pipeline.locating.pyramid import ENLARGED_BELOW, LEAST_AGREEMENT, Pyramid, agreement
from app.pipeline.qrcode.patterns import VERSIONS, dimension, version_of
from app.pipeline.quad import is_sound

_FINEST_MODULE = 0.8  # pixels a module below which a version is not tried
_LARGEST_CROP = 320  # pixels a side up to which a picture may be a crop of a code and nothing else
_MARGINS = (4, 2, 1, 0)  # widths of quiet zone, in modules, that a whole picture may have
_SIGHTING_PIXELS = (3_000_000, 1_000_000, 300_000, 80_000)
_BINARIZERS = (zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram)


class SightingLocator:
    """Proposes codes that zxing-cpp sees but cannot read, at several picture sizes; at most `limit`."""

    def __init__(self, *, limit: int = 8) -> None:
        self._limit = limit

    def locate(self, image: GreyImage) -> list[Candidate]:
        found = _from_zxing(image, Pyramid(image)) if image.size else ()
        return suppress_overlapping(found, limit=self._limit, least=LEAST_AGREEMENT)


class WholePicture:
    """Proposes a small picture as one code, with and without quiet zone: the `limit` best hypotheses on version and
    margin, then the whole frame without a version. Proposes nothing where no hypothesis agrees with the picture."""

    def __init__(self, *, limit: int = 3) -> None:
        self._limit = limit

    def locate(self, image: GreyImage) -> list[Candidate]:
        if image.size == 0 or max(image.shape) > _LARGEST_CROP:
            return []
        pyramid = Pyramid(image)
        height, width = (float(side) for side in image.shape)
        frame = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (width, height)
        fits = []
        for version in VERSIONS:
            size = dimension(version)
            for margin in _MARGINS:
                quad = frame.mean(axis=0) + (frame - frame.mean(axis=0)) * (size / (size + 2 * margin))
                if is_sound(quad) and min(height, width) >= _FINEST_MODULE * (size + 2 * margin):
                    fits.append(candidate_of(quad, size, abs(agreement(pyramid, quad, version))))
        fits = [fit for fit in sorted(fits, key=lambda fit: -fit.score) if fit.score >= LEAST_AGREEMENT]
        return [*fits[: self._limit], candidate_of(frame, None, 0.0)] if fits else []


def _from_zxing(image: GreyImage, pyramid: Pyramid) -> Iterator[Candidate]:
    engine = ZXing()
    for factor, picture in _sighting_pictures(image):
        for binarizer in _BINARIZERS:
            options = ZXingOptions(small_symbols=False, binarizer=binarizer, try_downscale=False)
            symbols, sightings = engine.look(picture, options)
            known = [(symbol.corners, symbol.version) for symbol in symbols]
            known += [(seen.corners, version_of(seen.dimension or 0)) for seen in sightings]
            for corners, version in known:
                quad = np.array(corners) / factor
                if version is not None and is_sound(quad):
                    yield candidate_of(quad, dimension(version), abs(agreement(pyramid, quad, version)))


def _sighting_pictures(image: GreyImage) -> Iterator[tuple[float, GreyImage]]:
    """Yields the picture at several sizes, plain and smoothed, each with its scale; a very large one untouched as
    well."""
    if image.size > _SIGHTING_PIXELS[0]:
        yield 1.0, image
    most = 2.0 if image.size < ENLARGED_BELOW else 1.0
    factors = dict.fromkeys(min(most, (pixels / image.size) ** 0.5) for pixels in _SIGHTING_PIXELS)
    picture, scale = image, 1.0
    for factor in factors:
        picture, scale = shrink(picture, factor / scale), factor
        yield factor, picture
        yield factor, np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), dtype=np.uint8)
