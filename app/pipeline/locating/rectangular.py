"""Registers rMQR codes: first the left end, which all versions of a height share, around a finder pattern; then, for a
version, one section after another along the symbol, from one vertical timing pattern to the next.

Each section begins where the one before it leads to, and finds its own corners. So a slight perspective or bend of the
paper is followed, and no error grows with the length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.strips import Strip
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.small_fits import Fit, fit
from app.pipeline.locating.surroundings import Beginnings, Surroundings
from app.pipeline.qrcode.small.patterns import timing_columns
from app.pipeline.qrcode.small.versions import RECTANGULAR_VERSIONS, modules_of
from app.pipeline.quad import Quad, homography, oblong

LEFT: Final = 18
"""Columns of a left end: in these no version has anything of its own."""
_HEIGHTS: Final = tuple(sorted({(modules_of(version) or (0, 0))[0] for version in RECTANGULAR_VERSIONS}))
# Of 288 codes, blurred or sharp, a third of them in strong perspective or bent, the left end starts with 0.90 or more,
# and ends with 0.91 or more; that of 67 finder patterns in photographs without a code starts with 0.85 or more at 17,
# and ends with 0.9 or more at 4.
_LEAST_START: Final = 0.85  # agreement of the best left end as the finder pattern lies
_RIVAL_START: Final = 0.08  # below the best, from which others are not tried
_STARTS: Final = 4  # left ends around a finder pattern that are refined
_LEAST_LEFT: Final = 0.9  # agreement of a left end
_KEPT: Final = 2  # left ends of a finder pattern
_SURE_SECTION: Final = 0.96  # agreement of a section that need not be tried from another start
_LEAST_SECTION: Final = 0.5  # agreement of each section
LEAST_AGREEMENT: Final = 0.8
"""Mean agreement of the sections below which there is no rMQR code."""


@dataclass(frozen=True, slots=True)
class LeftEnd:
    """Where the first ``LEFT`` columns of an rMQR code of ``height`` may be: ``corners`` (4, 2) in picture pixels, in
    the symbol's own order, which is clockwise as seen unless it is ``mirrored``; ``agreement`` is the correlation,
    0 to 1, of known modules and quiet zone with the picture; ``inverted``: light and dark are exchanged."""

    corners: NDArray[np.float64]
    height: int
    agreement: float
    inverted: bool

    @property
    def is_mirrored(self) -> bool:
        return cv2.contourArea(self.corners.astype(np.float32), oriented=True) < 0

    @property
    def quad(self) -> Quad:
        return Quad.of(self.corners)

    @property
    def version(self) -> str:
        """A version that has this left end, the longest one."""
        return f"R{self.height}x139"


@dataclass(frozen=True, slots=True)
class RectangularPlace:
    """Where an rMQR code of ``version`` may be: the ``strip`` of its modules; ``agreement`` is the mean over its
    sections of the correlation, 0 to 1, of known modules and quiet zone with the picture; ``mirrored``, ``inverted``:
    as of `LeftEnd`."""

    strip: Strip
    version: str
    agreement: float
    mirrored: bool
    inverted: bool

    @property
    def quad(self) -> Quad:
        """The outline, clockwise as seen, from the symbol's own top left."""
        order = [0, 3, 2, 1] if self.mirrored else [0, 1, 2, 3]
        return Quad.of(self.strip.corners[order])


# --- the left end -----------------------------------------------------------------------------------------------------


@cache
def _beginnings() -> Beginnings:
    return Beginnings.of([(f"R{height}x139", LEFT) for height in _HEIGHTS])


def find_left_ends(image: GreyImage, around: Surroundings) -> list[LeftEnd]:
    """The left ends, at most ``_KEPT``, that agree best with the picture around a finder pattern; best first, perhaps
    none."""
    scores = around.agreements(_beginnings())
    starts = around.promising(scores, least=_LEAST_START, rival=_RIVAL_START, most=_STARTS)
    found = [_refine_left_end(image, around, direction, _HEIGHTS[number]) for direction, number in starts]
    found = sorted((one for one in found if one.agreement >= _LEAST_LEFT), key=lambda one: -one.agreement)
    return found[:_KEPT]


def _refine_left_end(image: GreyImage, around: Surroundings, direction: int, rows: int) -> LeftEnd:
    start = around.corners(direction, LEFT, rows)
    best = fit(image, start, f"R{rows}x139", (0, LEFT), around.sign)
    return LeftEnd(best.corners, rows, best.agreement, around.sign < 0)


# --- along the symbol -------------------------------------------------------------------------------------------------


def follow(image: GreyImage, left_end: LeftEnd, version: str) -> RectangularPlace | None:
    """Where a code of a version with this left end lies; None if the picture shows none.

    Raises ValueError for a version of another height.
    """
    height, width = modules_of(version) or (0, 0)
    if height != left_end.height:
        raise ValueError(f"{version} has no left end of {left_end.height} rows")
    sign = -1.0 if left_end.inverted else 1.0
    fits: list[Fit] = []
    last = Fit(0, LEFT, left_end.corners, left_end.agreement)
    for columns in _sections(version):
        section = _fit_next(image, last, version, columns, sign)
        if section is None or section.agreement < _LEAST_SECTION:
            return None
        fits.append(section)
        last = section
    agreement = float(np.average([one.agreement for one in fits], weights=[one.end - one.begin for one in fits]))
    if agreement < LEAST_AGREEMENT:
        return None
    stations = np.array([0, *(column + 0.5 for column in timing_columns(version)), width], dtype=np.float64)
    strip = Strip(stations, np.stack([_edge(fits, station, height) for station in stations]), height)
    if not Quad.of(strip.corners).is_sound:
        return None
    return RectangularPlace(strip, version, agreement, left_end.is_mirrored, left_end.inverted)


@cache
def _sections(version: str) -> tuple[tuple[int, int], ...]:
    """First column and that after the last one, of each section: from one vertical timing pattern to the next, both
    with their alignment patterns."""
    _, width = modules_of(version) or (0, 0)
    bounds = [1, *timing_columns(version), width - 2]
    return tuple((before - 1, after + 2) for before, after in pairwise(bounds))


def _fit_next(image: GreyImage, before: Fit, version: str, columns: tuple[int, int], sign: float) -> Fit | None:
    """The fit of a section, begun where the one before leads to: as a parallelogram and, unless that agrees as well as
    sections that are found do, in perspective. None if both are too small or not convex."""
    fits: list[Fit] = []
    for start in (_extend(before, columns), _extend_in_perspective(before, columns)):
        if Quad.of(start).is_sound:
            fits.append(fit(image, start, version, columns, sign))
            if fits[-1].agreement >= _SURE_SECTION:
                break
    return max(fits, key=lambda one: one.agreement, default=None)


def _extend(before: Fit, columns: tuple[int, int]) -> NDArray[np.float64]:
    """The corners of some columns as those of others, which begin with or before them, lead there: from the right edge
    of these on."""
    top_left, top, bottom, bottom_left = before.corners
    step = (top - top_left + bottom - bottom_left) / 2 / (before.end - before.begin)
    near, far = ((column - before.end) * step for column in columns)
    if before.begin == columns[0]:
        return np.array([top_left, top + far, bottom + far, bottom_left])
    return np.array([top + near, top + far, bottom + far, bottom + near])


def _extend_in_perspective(before: Fit, columns: tuple[int, int]) -> NDArray[np.float64]:
    """As `_extend`, as the homography of the other columns leads there."""
    first, last = columns
    place = oblong(last - first, 1) + np.array([first - before.begin, 0])
    matrix = homography(before.corners, before.end - before.begin, 1)
    return np.asarray(cv2.perspectiveTransform(place[None], matrix)[0], dtype=np.float64)


def _edge(fits: Sequence[Fit], station: float, height: int) -> NDArray[np.float64]:
    """The upper and lower end (2, 2) of a column: the mean of what the sections say that hold it."""
    seen = []
    for one in fits:
        if one.begin <= station <= one.end:
            ends = np.array([[[station - one.begin, 0], [station - one.begin, height]]], dtype=np.float64)
            seen.append(cv2.perspectiveTransform(ends, homography(one.corners, one.end - one.begin, height))[0])
    return np.asarray(np.mean(seen, axis=0), dtype=np.float64)
