"""Locates codes by their finder patterns: normalised correlation with a ring template at all sizes.

Correlation survives blur, noise and low resolution. Groups the finder patterns into right-angled triples, completes
the fourth corner of each, and refines the corners to where the function patterns agree best.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate, Points, candidate_of, suppress_overlapping
from app.pipeline.locating.pyramid import LEAST_AGREEMENT, TEMPLATE_PIXELS, Pyramid, agreement
from app.pipeline.qrcode.patterns import VERSIONS, dimension, version_of
from app.pipeline.quad import homography, is_sound, side_length

RINGS = 9
"""Modules a side of the template: a finder pattern with its separator."""
_TURNS = 4  # angles of the template within a quarter turn
CONTRAST_FLOOR = 6.0
"""Grey levels added to the deviation in quadrature, so that flat places do not respond."""
_LEAST_RESPONSE = 0.4  # correlation from which a peak counts as a finder pattern
# Of 20 pictures of codes in rows without gaps, in which no other locator saw any, 16 have three or more such peaks; of
# 130 photographs without a code none has.
_PLAIN_RESPONSE = 0.6
_FEWEST_PLAIN = 3
_LARGEST_GLANCED = 1_000_000  # pixels of a picture
_ALIKE = 1.6  # times larger or smaller that a finder pattern may be and still be taken for another one
_MOST_TRIPLES = 24  # for each polarity
_CROP_MODULE = 3.0  # pixels a module of a straightened candidate
_CROP_SIDE = (96, 540)  # pixels a side of the candidate in it, at least and at most
_CROP_MARGIN = 0.35  # of its side, around it
_MODULE_RANGE = 1.7  # times larger or smaller than expected that a module may be
_LEAST_ROUGH_AGREEMENT = 0.05  # below it a candidate is not refined
_SHIFTS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Search:
    """How far to search: ``turns`` of the template, the strongest ``finders`` to combine, ``refined`` candidates, and
    the expected pixels a ``module``, None if unknown."""

    turns: int = _TURNS
    finders: int = 48
    refined: int = 8
    module: float | None = None


class FinderLocator:
    """Proposes triples of finder patterns, found by correlation and completed to quads; at most `limit`."""

    def __init__(self, *, limit: int = 8) -> None:
        self._limit = limit

    def locate(self, image: GreyImage) -> list[Candidate]:
        found = _from_finders(Pyramid(image), _Search()) if image.size else ()
        return suppress_overlapping(found, limit=self._limit, least=LEAST_AGREEMENT)


def shows_finder_patterns(image: GreyImage) -> bool:
    """Whether a picture, not empty, of a megapixel at most shows the finder patterns of a code plainly, hardly turned,
    so that the slow search is worth its time. Larger ones are not looked at."""
    if image.size > _LARGEST_GLANCED:
        return False
    finders = _finders(Pyramid(image, enlarge=False), _Search(turns=1))
    return int(np.count_nonzero(np.abs(finders[:, 3]) >= _PLAIN_RESPONSE)) >= _FEWEST_PLAIN


def realign_by_finders(image: GreyImage, candidate: Candidate, *, limit: int, least: float) -> list[Candidate]:
    """Searches a candidate's surroundings, straightened by its corners, for finder patterns; returns at most ``limit``
    better candidates that agree with the picture by ``least`` or more, best first.

    Registration only moves corners uphill. This finds a code whose corners are up to 0.3 of its side away.
    """
    quad = np.array(candidate.corners)
    if cv2.contourArea(quad.astype(np.float32), oriented=True) < 0:
        quad = quad[::-1]
    if not is_sound(quad):
        return []
    modules = candidate.dimension or _CROP_SIDE[0] / _CROP_MODULE
    side = round(float(np.clip(_CROP_MODULE * modules, *_CROP_SIDE)))
    crop = rectify(image, quad, 1, pixels=side, margin=_CROP_MARGIN)
    search = _Search(turns=1, finders=16, refined=2 * limit, module=side / modules)
    matrix = homography(quad, 1.0)
    found = []
    seen = _from_finders(Pyramid(crop, enlarge=False), search)
    for one in suppress_overlapping(seen, limit=limit, least=least):
        corners = cv2.perspectiveTransform((np.asarray(one.corners) / side - _CROP_MARGIN)[None], matrix)[0]
        found.append(candidate_of(np.asarray(corners, dtype=np.float64), one.dimension, one.score))
    return found


def draw_finder(turn: float, pixels: float) -> NDArray[np.float64]:
    """A finder pattern with its separator, turned by an angle, at ``pixels`` a module: dark -1, light 1, 0 where the
    corners of the square turn out of it."""
    side, fine = round(RINGS * pixels), 8
    axis = (np.arange(side * fine) + 0.5) / (fine * pixels) - RINGS / 2
    x, y = np.meshgrid(axis, axis)
    reach = np.maximum(np.abs(x * np.cos(turn) + y * np.sin(turn)), np.abs(y * np.cos(turn) - x * np.sin(turn)))
    rings = np.where((reach < 1.5) | ((reach > 2.5) & (reach < 3.5)), -1.0, np.where(reach < 4.5, 1.0, 0.0))
    return np.asarray(cv2.resize(rings, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float64)


@cache
def finder_templates(turns: int) -> tuple[NDArray[np.float32], ...]:
    """A finder pattern with its separator, turned by several angles within a quarter turn, upright first: square, zero
    mean, unit norm."""
    templates = []
    for turn in np.linspace(0, np.pi / 2, turns, endpoint=False):
        template = draw_finder(turn, TEMPLATE_PIXELS)
        template -= template.mean()
        templates.append(np.asarray(template / np.linalg.norm(template), dtype=np.float32))
    return tuple(templates)


def each_response(picture: GreyImage, templates: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Normalised correlation, -1 to 1, with each of several templates of one size, its corner at [i, j]; 0 in flat
    places."""
    products, norm = _products(picture, templates)
    return [np.asarray(product / norm, dtype=np.float32) for product in products]


def _responses(picture: GreyImage, templates: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """As `each_response`, with the template that fits best."""
    products, norm = _products(picture, templates)
    best = products[0]
    if len(products) > 1:
        dark, light = reduce(cv2.max, products), reduce(cv2.min, products)
        best = np.where(dark > -light, dark, light)
    return np.asarray(best / norm, dtype=np.float32)


def _products(
    picture: GreyImage, templates: Sequence[NDArray[np.float32]]
) -> tuple[list[cv2.typing.MatLike], NDArray[np.float32]]:
    """The correlation with each template, and the norm of what it is compared with."""
    side = templates[0].shape[0]
    pixels = picture.astype(np.float32)
    products = [cv2.matchTemplate(pixels, template, cv2.TM_CCORR) for template in templates]
    height, width = products[0].shape
    inner = np.s_[side // 2 : side // 2 + height, side // 2 : side // 2 + width]
    mean = cv2.boxFilter(pixels, -1, (side, side))[inner]
    square = cv2.sqrBoxFilter(pixels, -1, (side, side))[inner]
    spread = np.sqrt(np.maximum(square - mean * mean, 0) + CONTRAST_FLOOR**2)
    return products, np.asarray(spread * side, dtype=np.float32)


def _finders(pyramid: Pyramid, search: _Search) -> NDArray[np.float64]:
    """Finder patterns (N, 4), strongest first: x, y, module size (original pixels), response (negative if inverted)."""
    side = finder_templates(1)[0].shape[0]
    rows: list[NDArray[np.float64]] = []
    for level, factor in enumerate(pyramid.factors):
        if search.module and not 1 / _MODULE_RANGE <= TEMPLATE_PIXELS / factor / search.module <= _MODULE_RANGE:
            continue
        picture = pyramid.picture(level)
        if min(picture.shape) <= side:
            break
        response = _responses(picture, finder_templates(search.turns))
        strength = np.abs(response)
        peaks = (strength >= _LEAST_RESPONSE) & (strength == cv2.dilate(strength, np.ones((5, 5), np.uint8)))
        y, x = np.nonzero(peaks)
        at = np.stack([x + side / 2, y + side / 2, np.full(x.shape, TEMPLATE_PIXELS)], axis=1) / factor
        rows.append(np.column_stack([at, response[y, x]]))
    return strongest(rows, most=search.finders)


def strongest(peaks: Iterable[NDArray[np.float64]], most: int, *, alike: float = _ALIKE) -> NDArray[np.float64]:
    """The strongest finder patterns (N, 4) of arrays of peaks (M, 4), at ``most`` so many; each pattern once, unless
    it is seen in sizes that differ by a factor of ``alike`` or more.

    A row holds x, y, module size and response; its strength is the response's size, whatever its sign.
    """
    found = np.concatenate([np.empty((0, 4)), *peaks])
    found = found[np.argsort(-np.abs(found[:, 3]), kind="stable")]
    kept: list[NDArray[np.float64]] = []
    while len(found) and len(kept) < most:
        kept.append(found[0])
        found = found[~_same_finder(found[0], found, alike)]
    return np.array(kept).reshape(-1, 4)


def _same_finder(one: NDArray[np.float64], others: NDArray[np.float64], alike: float) -> NDArray[np.bool_]:
    """Which of the ``others`` (N, 4) are ``one`` (4,), a stronger finder pattern, nearly there, and less than ``alike``
    times as large or small."""
    apart = np.hypot(*(others[:, :2] - one[:2]).T)
    smaller, larger = np.minimum(one[2], others[:, 2]), np.maximum(one[2], others[:, 2])
    return np.asarray((apart < 3 * smaller) & (larger < alike * smaller))


def _from_finders(pyramid: Pyramid, search: _Search) -> Iterator[Candidate]:
    finders = _finders(pyramid, search)
    rough: list[Candidate] = []
    for polarity in (1, -1):
        for triple in _triples(finders[np.sign(finders[:, 3]) == polarity]):
            quads = [(_quad(triple[:, :2], version), version) for version in _likely_versions(triple)]
            fits = [candidate_of(quad, dimension(v), polarity * agreement(pyramid, quad, v)) for quad, v in quads]
            rough.append(max(fits, key=lambda fit: fit.score))
    for candidate in suppress_overlapping(rough, limit=search.refined, least=_LEAST_ROUGH_AGREEMENT):
        yield _refine(pyramid, candidate)


def _triples(finders: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Triples (3, 4) of finder patterns that may belong to one code, its own top-left one first, then clockwise; best
    triple first."""
    count = len(finders)
    if count < 3:
        return []
    a, b, c = np.indices((count, count, count)).reshape(3, -1)
    a, b, c = np.stack([a, b, c])[:, (a != b) & (b != c) & (c != a)]
    at, module, response = finders[:, :2], np.log(finders[:, 2]), np.abs(finders[:, 3])
    right, down = at[b] - at[a], at[c] - at[a]
    length_right, length_down = np.hypot(*right.T), np.hypot(*down.T)
    sine = (right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0]) / (length_right * length_down)
    cosine = (right * down).sum(axis=1) / (length_right * length_down)
    sizes = np.stack([module[a], module[b], module[c]])
    uneven_module = np.ptp(sizes, axis=0)
    uneven_side = np.abs(np.log(length_right / length_down))
    span = np.log(np.sqrt(length_right * length_down)) - sizes.mean(axis=0)
    score = (
        (response[a] + response[b] + response[c]) / 3 - 0.25 * uneven_module - 0.2 * uneven_side - 0.25 * np.abs(cosine)
    )
    possible = (sine > 0.6) & (uneven_module < 0.75) & (uneven_side < 0.8) & (span > np.log(10)) & (span < np.log(190))
    order = np.nonzero(possible)[0]
    order = order[np.argsort(-score[order], kind="stable")][:_MOST_TRIPLES]
    return [finders[[a[i], b[i], c[i]]] for i in order]


def _likely_versions(triple: NDArray[np.float64]) -> list[int]:
    """Versions that the distance between the finder patterns allows, given their module size."""
    at, module = triple[:, :2], np.exp(np.log(triple[:, 2]).mean())
    span = np.sqrt(np.hypot(*(at[1] - at[0])) * np.hypot(*(at[2] - at[0])))
    guess = (span / module + 7 - 17) / 4
    near = [version for version in VERSIONS if abs(version - guess) <= 1 + 0.15 * guess]
    return near or [min(VERSIONS, key=lambda version: abs(version - guess))]


def _quad(centres: Points, version: int) -> Points:
    """Outer corners (4, 2), symbol's own top left first, of the parallelogram whose finder patterns have these
    centres."""
    start, right, down = centres[0], centres[1] - centres[0], centres[2] - centres[0]
    low = -3.5 / (dimension(version) - 7)
    ends = np.array([[low, low], [1 - low, low], [1 - low, 1 - low], [low, 1 - low]])
    return np.asarray(start + ends @ np.stack([right, down]), dtype=np.float64)


def _refine(pyramid: Pyramid, rough: Candidate) -> Candidate:
    """Moves the corners, most of all the one without a finder pattern, and changes the version, to where the function
    patterns agree best."""
    quad, best, version = np.array(rough.corners), rough.score, version_of(rough.dimension or 0)
    if version is None:
        return rough
    sign = float(np.sign(agreement(pyramid, quad, version)))
    size = dimension(version)
    module = side_length(quad) / size
    for step, movable in ((0.12 * size, (2,)), (0.06 * size, (2,)), (1.0, (2, 1, 3, 0))):
        for corner in movable:
            for shift in _SHIFTS:
                moved = quad.copy()
                moved[corner] += shift * (step * module)
                if is_sound(moved):
                    score = sign * agreement(pyramid, moved, version)
                    if score > best:
                        quad, best = moved, score
        for other in (version - 2, version - 1, version + 1, version + 2):
            if other in VERSIONS and (score := sign * agreement(pyramid, quad, other)) > best:
                best, version = score, other
    return candidate_of(quad, dimension(version), best)
