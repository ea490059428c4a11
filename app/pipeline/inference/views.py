"""Locators that show a window locator another view of the picture: stretched, or made even."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage, shrink
from app.pipeline.inference.window_locator import LEAST_PROBABILITY, WINDOW, Levels, WindowLocator
from app.pipeline.locating.candidates import Candidate, Locator, candidate_of, suppress_overlapping
from app.pipeline.quad import Quad, is_sound

_STRETCHED_FROM = 1500  # longest side, in pixels, of a picture before it is stretched
_STRETCHES = ((3, 1), (1, 3))
_EVENED_FROM = 640  # longest side, in pixels, of a picture before it is made even
# Of 100 faint codes none deviates by more than 14 grey levels, pages of text deviate by 20 to 45.
_FAINT = 17  # grey levels that what is faint deviates by at most
_NEAR = 17  # pixels of the reduced picture around each that it is compared with
_SURROUNDINGS = 0.2  # of the longest side
# Of 200 pictures of the set faint a mean of the surroundings left 25 unread, most for a shadow's edge; a median at this
# size, with streaks taken out and little contrast not raised, reads 24 of them.
_GROUND_SIDE = 200  # longest side, in pixels, at which the tone of the ground is estimated
_GROUND_WINDOW = 0.1  # of the longest side
_SAMPLES = 96  # pixels of a row or column, about, of which the median is taken
_STREAKED = 0.05  # of the variance, from which streaks are taken out
_SPARSE = 8  # every such row and column is enough for the usual deviation
_EVEN_MEAN, _EVEN_DEVIATION = 128, 50  # grey levels


class StretchedLocator:
    """Runs a window locator on the picture stretched to three times its width, and to three times its height; at most
    ``limit`` codes, best first.

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
    """Runs a window locator on the picture made even: without shading and streaks, and with the same contrast
    everywhere; at most ``limit`` codes, best first.

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


def is_faint(image: GreyImage, corners: Quad) -> bool:
    """Whether what lies in a quad of a picture, not empty, hardly differs from its surroundings, so that only the
    picture made even may show it."""
    factor = min(1.0, _EVENED_FROM / max(image.shape))
    values = shrink(image, factor).astype(np.float32)
    values -= cv2.blur(values, (_NEAR, _NEAR))
    inside = np.zeros(values.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.rint(np.asarray(corners) * factor).astype(np.int32), 1)
    return not inside.any() or float(values[inside > 0].std()) <= _FAINT


def evened(image: GreyImage, longest: int) -> tuple[GreyImage, float]:
    """A picture, not empty, reduced to a ``longest`` side in pixels and made even; and by what factor its sides were
    reduced."""
    factor = min(1.0, longest / max(image.shape))
    return even(shrink(image, factor)), factor


def even(picture: GreyImage) -> GreyImage:
    """Takes the ground's tone and streaks out of a picture (H, W), then scales each pixel so that its surroundings have
    a deviation of 50 grey levels around 128. Surroundings that deviate less than is usual in the picture, or by less
    than one grey level, are scaled as if they deviated so much: else the noise around a code would look like a part
    of it."""
    values = picture.astype(np.float32) - _ground(picture)
    _take_out_streaks(values)
    width = max(3, round(max(picture.shape) * _SURROUNDINGS)) | 1
    deviation = np.sqrt(np.maximum(cv2.blur(values * values, (width, width)), 0))
    usual = float(np.median(deviation[::_SPARSE, ::_SPARSE]))
    scaled = _EVEN_MEAN + _EVEN_DEVIATION * values / np.maximum(deviation, max(1, usual))
    return np.asarray(np.clip(scaled, 0, 255), dtype=np.uint8)


def _ground(picture: GreyImage) -> NDArray[np.float32]:
    """The tone (H, W) of what a picture's marks are on, in grey levels: a median, which neither dots nor the edge of a
    shadow changes."""
    small = shrink(picture, min(1.0, _GROUND_SIDE / max(picture.shape)))
    width = max(3, round(max(small.shape) * _GROUND_WINDOW)) | 1
    ground = cv2.resize(cv2.medianBlur(small, width), picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(ground, dtype=np.float32)


def _take_out_streaks(values: NDArray[np.float32]) -> None:
    """Takes out, in place, what the rows of a picture (H, W) have in common, or its columns, whichever is more; nothing
    where neither makes up a `_STREAKED` part of the variance."""
    strides = [max(1, side // _SAMPLES) for side in values.shape]
    rows = np.median(values[:, :: strides[1]], axis=1, keepdims=True)
    columns = np.median(values[:: strides[0]], axis=0, keepdims=True)
    streaks = rows if rows.var() >= columns.var() else columns
    if streaks.var() >= _STREAKED * values.var():
        values -= streaks
