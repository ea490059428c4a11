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

from app.pipeline.crops.rectifying import rectify
from app.pipeline.crops.strips import Strip
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.fields import BLURS, SHADING, Field, Template, agreements
from app.pipeline.locating.lone_finders import LoneFinder
from app.pipeline.qrcode.small.patterns import SMALL_QUIET_ZONE, small_patterns, timing_columns
from app.pipeline.qrcode.small.versions import RECTANGULAR_VERSIONS, modules_of
from app.pipeline.quad import Quad, bilinear_weights, homography, oblong, square

LEFT: Final = 18
"""Columns of a left end: in these no version has anything of its own."""
_HEIGHTS: Final = tuple(sorted({(modules_of(version) or (0, 0))[0] for version in RECTANGULAR_VERSIONS}))
_SIDE: Final = 7  # modules a side of a finder pattern
_REACH: Final = 17  # modules to all sides of that of its centre, in which a left end lies
_WINDOW: Final = range(-SMALL_QUIET_ZONE, LEFT)  # rows and columns of a left end and its quiet zone
_START: Final = 1  # of the blurs, at which left ends are compared as the finder pattern lies
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
_PAGE: Final = 10  # modules of the page around the symbol in templates
_SOFT, _SHARP = 0.65, 0.2  # sigmas in modules of a picture's blur; whichever agrees better ends a fit
_MODULE_BLUR: Final = 12**-0.5  # sigma of the mean over a module
_LAST: Final = len(BLURS) - 1  # the least of the blurs, at which fits end


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


# --- templates --------------------------------------------------------------------------------------------------------


@cache
def _drawing(version: str, layer: int, blur: float) -> NDArray[np.float32]:
    """A version with ``_PAGE`` modules of the page around it, as a field shows it, see `_blurred`: dark -1, light 1,
    data in mid-grey."""
    patterns = small_patterns(version)
    values = np.where(patterns.dark, -1.0, np.where(patterns.known, 1.0, 0.0))
    return _blurred(np.pad(values, _PAGE, constant_values=1.0).astype(np.float32), layer, blur)


def _blurred(values: NDArray[np.float32], layer: int, blur: float) -> NDArray[np.float32]:
    """Values at a point a module as a ``layer`` of a field shows them, if the picture is blurred by ``blur``."""
    values = values - cv2.blur(values, (SHADING + 1,) * 2)
    sigma = float(np.hypot(np.hypot(BLURS[layer], blur), _MODULE_BLUR))
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), dtype=np.float32)


@cache
def _known(version: str) -> NDArray[np.bool_]:
    """The modules that a version fixes, with its quiet zone."""
    return np.pad(small_patterns(version).known, SMALL_QUIET_ZONE, constant_values=True)


@cache
def _part(version: str, begin: int, end: int, layer: int, blur: float) -> Template:
    """What is known of the columns ``begin`` to ``end`` of a version, with the quiet zone beside them, as a ``layer``
    of a field shows it; centres in shares of the sides of these columns."""
    height, width = modules_of(version) or (0, 0)
    rows, columns = np.nonzero(_known(version))
    rows, columns = rows - SMALL_QUIET_ZONE, columns - SMALL_QUIET_ZONE
    first = begin - SMALL_QUIET_ZONE * (begin == 0)
    last = end + SMALL_QUIET_ZONE * (end == width)
    inside = (columns >= first) & (columns < last)
    rows, columns = rows[inside], columns[inside]
    centres = np.stack([(columns + 0.5 - begin) / (end - begin), (rows + 0.5) / height], axis=1)
    return _template(centres, _drawing(version, layer, blur)[rows + _PAGE, columns + _PAGE])


def _template(centres: NDArray[np.float64], values: NDArray[np.float32]) -> Template:
    values = values - values.mean()
    parts = (centres, values / np.linalg.norm(values), bilinear_weights(*centres.T))
    return Template(*(part.astype(np.float32) for part in parts))


@cache
def _finder(layer: int) -> Template:
    """A finder pattern and the ring of light modules around it."""
    side = _SIDE + 2
    rows, columns = np.indices((side, side)).reshape(2, -1)
    reach = np.maximum(abs(rows - side // 2), abs(columns - side // 2))
    values = np.where(np.isin(reach, (2, 4)), 1.0, -1.0).reshape(side, side).astype(np.float32)
    page = np.pad(values, _PAGE)
    centres = (np.stack([columns, rows], axis=1) - 0.5) / _SIDE
    return _template(centres, _blurred(page, layer, _SOFT)[rows + _PAGE, columns + _PAGE])


# --- the left end -----------------------------------------------------------------------------------------------------


@cache
def _directions() -> NDArray[np.int_]:
    """(8, 2, 2): how a symbol may lie by its finder pattern: along its rows and along its columns, as steps (x, y)."""
    turns = [
        np.array([[1, 0], [0, 1]]),
        np.array([[0, 1], [-1, 0]]),
        np.array([[-1, 0], [0, -1]]),
        np.array([[0, -1], [1, 0]]),
    ]
    return np.array([*turns, *(turn[::-1] for turn in turns)])


@cache
def _window_index() -> NDArray[np.intp]:
    """(8, N): where the modules of the window lie in the surroundings of a finder pattern, in each direction."""
    rows, columns = (each.ravel() - _SIDE // 2 for each in np.meshgrid(_WINDOW, _WINDOW, indexing="ij"))
    along, down = _directions()[:, 0, :, None], _directions()[:, 1, :, None]
    x, y = np.moveaxis(along * columns + down * rows, 1, 0) + _REACH
    return np.asarray(y * (2 * _REACH + 1) + x, dtype=np.intp)


@cache
def _window_templates() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Values, zero mean and unit norm, and mask, (6, N) each, of the window at each of the heights."""
    values, masks = [], []
    for height in _HEIGHTS:
        version = f"R{height}x139"
        mask, seen = np.zeros((2, len(_WINDOW), len(_WINDOW)), dtype=np.float32)
        rows = min(height + 2 * SMALL_QUIET_ZONE, len(_WINDOW))
        mask[:rows] = _known(version)[:rows, : len(_WINDOW)]
        low = _PAGE - SMALL_QUIET_ZONE
        seen[:rows] = _drawing(version, _START, _SOFT)[low : low + rows, low : low + len(_WINDOW)]
        seen = np.where(mask > 0, seen - seen[mask > 0].mean(), 0)
        values.append(seen.ravel() / np.linalg.norm(seen))
        masks.append(mask.ravel())
    return np.array(values, dtype=np.float32), np.array(masks, dtype=np.float32)


def find_left_ends(image: GreyImage, finder: LoneFinder) -> list[LeftEnd]:
    """The left ends, at most ``_KEPT``, that agree best with the picture around a finder pattern; best first, perhaps
    none."""
    sign = -1.0 if finder.inverted else 1.0
    frame = _straighten(image, finder, sign)
    if not Quad.of(frame).is_sound:
        return []
    scores = sign * _window_agreements(image, frame)
    if scores.max() < _LEAST_START:
        return []
    centre = frame.mean(axis=0)
    steps = np.stack([frame[1] - frame[0], frame[3] - frame[0]]) / _SIDE
    found: list[LeftEnd] = []
    for number in np.argsort(-scores, axis=None)[:_STARTS]:
        direction, height = divmod(int(number), len(_HEIGHTS))
        if scores[direction, height] < max(_LEAST_START, scores.max() - _RIVAL_START):
            break
        rows = _HEIGHTS[height]
        corners = centre + (oblong(LEFT, rows) - _SIDE / 2) @ _directions()[direction] @ steps
        found.append(_refine_left_end(image, corners, rows, sign))
    found = sorted((one for one in found if one.agreement >= _LEAST_LEFT), key=lambda one: -one.agreement)
    return found[:_KEPT]


def _straighten(image: GreyImage, finder: LoneFinder, sign: float) -> NDArray[np.float64]:
    """The corners (4, 2) of a finder pattern, a parallelogram: it says how large and how slanted modules are."""
    turn = np.array([[np.cos(finder.angle), np.sin(finder.angle)], [-np.sin(finder.angle), np.cos(finder.angle)]])
    corners = finder.centre + finder.module * (square(_SIDE) - _SIDE / 2) @ turn
    field = Field(image, corners, _SIDE)
    for layer in range(_START, len(BLURS)):
        corners = field.refine(corners, _finder(layer), layer, sign, affine=True)
    return np.asarray(corners, dtype=np.float64)


def _window_agreements(image: GreyImage, frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation, -1 to 1, of the surroundings of a finder pattern with the left ends of all heights in all
    directions, (8, 6)."""
    side = 2 * _REACH + 1
    outline = frame.mean(axis=0) + (frame - frame.mean(axis=0)) * (side / _SIDE)
    fine = rectify(image, outline, side, margin=0)
    grey = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    grey -= cv2.blur(grey, (SHADING + 1,) * 2)
    seen = cv2.GaussianBlur(grey, (0, 0), BLURS[_START]).ravel()[_window_index()]
    values, masks = _window_templates()
    sums, squares = seen @ masks.T, (seen * seen) @ masks.T
    norms = np.sqrt(np.maximum(squares - sums * sums / masks.sum(axis=1), 1e-6))
    return np.asarray((seen @ values.T) / norms, dtype=np.float64)


def _refine_left_end(image: GreyImage, corners: NDArray[np.float64], rows: int, sign: float) -> LeftEnd:
    fit = _fit(image, corners, f"R{rows}x139", (0, LEFT), sign)
    return LeftEnd(fit.corners, rows, fit.agreement, sign < 0)


@dataclass(frozen=True, slots=True)
class _Fit:
    """The ``corners`` (4, 2) of the columns ``begin`` to ``end`` where they agree best, and their ``agreement``."""

    begin: int
    end: int
    corners: NDArray[np.float64]
    agreement: float


def _fit(
    image: GreyImage,
    corners: NDArray[np.float64],
    version: str,
    columns: tuple[int, int],
    sign: float,
) -> _Fit:
    """Moves the corners of some columns; they remain a parallelogram until the last round."""
    begin, end = columns
    field = Field(image, corners, end - begin, (modules_of(version) or (0, 0))[0])
    for layer in range(_START, _LAST):
        template = _part(version, begin, end, layer, _SOFT)
        corners = field.refine(corners, template, layer, sign, affine=True)
    templates = [_part(version, begin, end, _LAST, blur) for blur in (_SOFT, _SHARP)]
    best: Template | None = None
    for _ in templates:
        template = max(templates, key=lambda one: _agreement(field, corners, one, sign))
        if template is best:
            break
        best = template
        corners = field.refine(corners, best, _LAST, sign)
    return _Fit(begin, end, corners, max(_agreement(field, corners, one, sign) for one in templates))


def _agreement(field: Field, corners: NDArray[np.float64], template: Template, sign: float) -> float:
    """At the least blur, -1 to 1."""
    return sign * float(agreements(field.values(corners, template)[:, _LAST:], template)[0])


# --- along the symbol -------------------------------------------------------------------------------------------------


def follow(image: GreyImage, left_end: LeftEnd, version: str) -> RectangularPlace | None:
    """Where a code of a version with this left end lies; None if the picture shows none.

    Raises ValueError for a version of another height.
    """
    height, width = modules_of(version) or (0, 0)
    if height != left_end.height:
        raise ValueError(f"{version} has no left end of {left_end.height} rows")
    sign = -1.0 if left_end.inverted else 1.0
    fits: list[_Fit] = []
    last = _Fit(0, LEFT, left_end.corners, left_end.agreement)
    for columns in _sections(version):
        fit = _fit_next(image, last, version, columns, sign)
        if fit is None or fit.agreement < _LEAST_SECTION:
            return None
        fits.append(fit)
        last = fit
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


def _fit_next(image: GreyImage, before: _Fit, version: str, columns: tuple[int, int], sign: float) -> _Fit | None:
    """The fit of a section, begun where the one before leads to: as a parallelogram and, unless that agrees as well as
    sections that are found do, in perspective. None if both are too small or not convex."""
    fits: list[_Fit] = []
    for start in (_extend(before, columns), _extend_in_perspective(before, columns)):
        if Quad.of(start).is_sound:
            fits.append(_fit(image, start, version, columns, sign))
            if fits[-1].agreement >= _SURE_SECTION:
                break
    return max(fits, key=lambda one: one.agreement, default=None)


def _extend(before: _Fit, columns: tuple[int, int]) -> NDArray[np.float64]:
    """The corners of some columns as those of others, which begin with or before them, lead there: from the right edge
    of these on."""
    top_left, top, bottom, bottom_left = before.corners
    step = (top - top_left + bottom - bottom_left) / 2 / (before.end - before.begin)
    near, far = ((column - before.end) * step for column in columns)
    if before.begin == columns[0]:
        return np.array([top_left, top + far, bottom + far, bottom_left])
    return np.array([top + near, top + far, bottom + far, bottom + near])


def _extend_in_perspective(before: _Fit, columns: tuple[int, int]) -> NDArray[np.float64]:
    """As `_extend`, as the homography of the other columns leads there."""
    first, last = columns
    place = oblong(last - first, 1) + np.array([first - before.begin, 0])
    matrix = homography(before.corners, before.end - before.begin, 1)
    return np.asarray(cv2.perspectiveTransform(place[None], matrix)[0], dtype=np.float64)


def _edge(fits: Sequence[_Fit], station: float, height: int) -> NDArray[np.float64]:
    """The upper and lower end (2, 2) of a column: the mean of what the sections say that hold it."""
    seen = []
    for fit in fits:
        if fit.begin <= station <= fit.end:
            ends = np.array([[[station - fit.begin, 0], [station - fit.begin, height]]], dtype=np.float64)
            seen.append(cv2.perspectiveTransform(ends, homography(fit.corners, fit.end - fit.begin, height))[0])
    return np.asarray(np.mean(seen, axis=0), dtype=np.float64)
