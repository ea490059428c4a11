"""Locators that show a window locator another view of the picture: stretched, or made even."""

import cv2
import numpy as np

from app.pipeline.imaging import GreyImage, shrink
from app.pipeline.inference.window_locator import LEAST_PROBABILITY, WINDOW, Levels, WindowLocator
from app.pipeline.locating.candidates import Candidate, Locator, candidate_of, suppress_overlapping
from app.pipeline.quad import is_sound

_STRETCHED_FROM = 1500  # longest side, in pixels, of a picture before it is stretched
_STRETCHES = ((2, 1), (1, 2))
_EVENED_FROM = 640  # longest side, in pixels, of a picture before it is made even
_SURROUNDINGS = 0.2  # of the longest side
_EVEN_MEAN, _EVEN_DEVIATION = 128, 50  # grey levels


class StretchedLocator:
    """Runs a window locator on the picture stretched to twice its width and to twice its height; at most ``limit``
    codes, best first.

    Codes in steep perspective, several times as high as wide, are nearly square in one of the two.
    """

    def __init__(self, locator: Locator, *, limit: int = 8) -> None:
        self._locator = locator
        self._limit = limit

    def locate(self, image: GreyImage) -> list[Candidate]:
        if image.size == 0:
            return []
        factor = min(1.0, _STRETCHED_FROM / max(image.shape))
        picture = shrink(image, factor)
        found = []
        for stretch in _STRETCHES:
            size = picture.shape[1] * stretch[0], picture.shape[0] * stretch[1]
            stretched = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
            for candidate in self._locator.locate(stretched):
                corners = np.array(candidate.corners) / np.array(stretch) / factor
                if is_sound(corners):
                    found.append(candidate_of(corners, candidate.dimension, candidate.score))
        return suppress_overlapping(found, limit=self._limit, least=LEAST_PROBABILITY)


class EvenedLocator:
    """Runs a window locator on the picture made even: without its shading, and with the same contrast everywhere; at
    most ``limit`` codes, best first.

    Codes whose contrast is less than the shading of their ground, as dots on metal, show there alone. They are taken
    for large: the picture is seen at its coarsest size only.
    """

    def __init__(self, locator: WindowLocator, *, least: float, limit: int = 4) -> None:
        """``least``: score from which a candidate is proposed."""
        self._locator = locator
        self._least = least
        self._limit = limit

    def locate(self, image: GreyImage) -> list[Candidate]:
        if image.size == 0:
            return []
        picture, factor = evened(image, _EVENED_FROM)
        levels = Levels(picture)
        rough = self._locator.glance(levels, WINDOW)[: self._limit]
        close = [one for one in self._locator.look_closer(levels, rough) if one.score >= self._least]
        return [candidate_of(np.array(one.corners) / factor, one.dimension, one.score) for one in close]


def evened(image: GreyImage, longest: int) -> tuple[GreyImage, float]:
    """A picture, not empty, reduced to a ``longest`` side in pixels and made even; and by what factor its sides were
    reduced."""
    factor = min(1.0, longest / max(image.shape))
    return even(shrink(image, factor)), factor


def even(picture: GreyImage) -> GreyImage:
    """Shifts and scales each pixel so that its surroundings have the mean 128 and a deviation of 50 grey levels;
    surroundings with less than one grey level of deviation are scaled as if they had one."""
    width = max(3, round(max(picture.shape) * _SURROUNDINGS)) | 1
    values = picture.astype(np.float32)
    values -= cv2.blur(values, (width, width))
    deviation = np.sqrt(np.maximum(cv2.blur(values * values, (width, width)), 0))
    return np.asarray(np.clip(_EVEN_MEAN + _EVEN_DEVIATION * values / np.maximum(deviation, 1), 0, 255), dtype=np.uint8)
