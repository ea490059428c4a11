"""Where in a picture the QR codes are: quads of outer corners, found without decoding them.

Two searches are merged. zxing-cpp tells the positions of codes whose checksum fails, asked over several picture sizes,
smoothings and binarizers. The second search looks for finder patterns by normalised correlation with a ring template at
all sizes, which survives blur, noise and low resolution, groups them into right-angled triples and completes the fourth
corner. Every quad is scored by how well the picture, sampled at its module centres, agrees with the function patterns
of the supposed version.

Positions follow `reading`: pixels from the picture's outer edge, corners clockwise as seen in the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import homography, side_length
from app.pipeline.engines.zxing import ZXing, ZXingOptions
from app.pipeline.imaging import GreyImage, resize
from app.pipeline.qrcode.patterns import VERSIONS, dimension, function_patterns, version_of
from app.pipeline.quad import Quad

Points = NDArray[np.float64]
"""(N, 2) positions, x before y."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a code may be. `dimension`: modules a side, None if unknown. `score`: how sure the locator is, 0 to
    1; for those that compare with the known function patterns their correlation, whichever the polarity."""

    corners: Quad
    dimension: int | None
    score: float


class Locator(Protocol):
    """Proposes places of codes, best first; may find none."""

    def locate(self, image: GreyImage) -> list[Candidate]: ...


class SightingLocator:
    """Codes that zxing-cpp sees without being able to read them, at several picture sizes; at most `limit`."""

    def __init__(self, *, limit: int = 8) -> None:
        self._limit = limit

    def locate(self, image: GreyImage) -> list[Candidate]:
        found = _from_zxing(image, Pyramid(image)) if image.size else ()
        return best_of_overlapping(found, limit=self._limit, least=_LEAST_AGREEMENT)


class FinderLocator:
    """Triples of finder patterns found by correlation, completed to quads; at most `limit`."""

    def __init__(self, *, limit: int = 8) -> None:
        self._limit = limit

    def locate(self, image: GreyImage) -> list[Candidate]:
        found = _from_finders(Pyramid(image)) if image.size else ()
        return best_of_overlapping(found, limit=self._limit, least=_LEAST_AGREEMENT)


class WholePicture:
    """A small picture as one code, with and without quiet zone: the `limit` versions that agree best, then any."""

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
        fits.sort(key=lambda candidate: -candidate.score)
        return [*fits[: self._limit], candidate_of(frame, None, 0.0)]


# --- sizes of the picture -------------------------------------------------------------------------------------------

_TOP_PIXELS = 1_000_000
_ENLARGED_BELOW = 300_000
_STEP = 2 ** (-1 / 3)
_SMALLEST_SIDE = 48
_FINEST_MODULE = 0.8  # pixels a module below which a version is not supposed
_LARGEST_CROP = 320  # pixels a side up to which a picture may be a crop that shows a code and nothing else
_MARGINS = (4, 2, 1, 0)  # widths of quiet zone, in modules, that a whole picture may have


class Pyramid:
    """The picture at sizes a third of an octave apart, the largest of at most about a megapixel; each made when it is
    first looked at."""

    def __init__(self, image: GreyImage) -> None:
        top = min(2.0 if image.size < _ENLARGED_BELOW else 1.0, (_TOP_PIXELS / image.size) ** 0.5)
        longest = max(1.0, top * max(image.shape))
        steps = max(1, int(np.log(_SMALLEST_SIDE / longest) / np.log(_STEP)) + 1)
        self.factors = [top * _STEP**i for i in range(steps)]
        self._image = image
        self._pictures: dict[int, GreyImage] = {}

    def picture(self, level: int) -> GreyImage:
        """The picture at ``factors[level]``."""
        if level not in self._pictures:
            largest = self.picture(0) if level else self._image
            made = resize(largest, _STEP**level) if level else shrunk(largest, self.factors[0])
            self._pictures[level] = made
        return self._pictures[level]

    def sample(self, positions: NDArray[np.float32], module: float) -> NDArray[np.float32]:
        """Grey values around (N, 1, 2) `positions` of the original picture, averaged over about half a `module`."""
        level = round(np.log(_TEMPLATE_PIXELS / module / self.factors[0]) / np.log(_STEP))
        level = min(max(level, 0), len(self.factors) - 1)
        at = positions * np.float32(self.factors[level]) - np.float32(0.5)
        picture = self.picture(level)
        values = cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(values, dtype=np.float32).ravel()


def shrunk(image: GreyImage, factor: float) -> GreyImage:
    """`resize` that halves first where it can, which is several times faster."""
    while factor <= 0.5 and min(image.shape) > 1:
        height, width = (side // 2 * 2 for side in image.shape)
        image, factor = resize(image[:height, :width], 0.5), factor * 2
    return resize(image, factor)


_LEAST_AGREEMENT = 0.25

# --- how well a quad fits -------------------------------------------------------------------------------------------


@cache
def _known_modules(version: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N, 1, 2) centres of the modules that the version fixes, in modules, and (N,) how light they are: zero mean,
    unit norm."""
    patterns = function_patterns(version)
    rows, columns = np.nonzero(patterns.known)
    light = np.where(patterns.dark[rows, columns], -1.0, 1.0)
    light -= light.mean()
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1)[:, None, :]
    return centres.astype(np.float32), (light / np.linalg.norm(light)).astype(np.float32)


def agreement(pyramid: Pyramid, corners: Points, version: int) -> float:
    """Correlation of the picture with the version's function patterns under the quad, -1 to 1; negative if inverted."""
    centres, light = _known_modules(version)
    size = dimension(version)
    matrix = homography(corners, size)
    positions = np.asarray(cv2.perspectiveTransform(centres, matrix), dtype=np.float32)
    module = float(cv2.contourArea(corners.astype(np.float32))) ** 0.5 / size
    values = pyramid.sample(positions, module)
    values -= values.mean()
    norm = float(np.linalg.norm(values))
    return float(values @ light) / norm if norm > 0 else 0.0


# --- what zxing-cpp sees --------------------------------------------------------------------------------------------

_SIGHTING_PIXELS = (3_000_000, 1_000_000, 300_000, 80_000)
_BINARIZERS = (zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram)


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
    """The picture at several sizes, plain and smoothed, with its scale; a very large one untouched as well."""
    if image.size > _SIGHTING_PIXELS[0]:
        yield 1.0, image
    most = 2.0 if image.size < _ENLARGED_BELOW else 1.0
    factors = dict.fromkeys(min(most, (pixels / image.size) ** 0.5) for pixels in _SIGHTING_PIXELS)
    picture, scale = image, 1.0
    for factor in factors:
        picture, scale = shrunk(picture, factor / scale), factor
        yield factor, picture
        yield factor, np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), dtype=np.uint8)


# --- finder patterns ------------------------------------------------------------------------------------------------

_TEMPLATE_PIXELS = 2.0
_RINGS = 9
_TURNS = 4
_CONTRAST_FLOOR = 6.0
_LEAST_RESPONSE = 0.4
_MOST_FINDERS = 48


@cache
def _finder_templates() -> tuple[NDArray[np.float32], ...]:
    """A finder pattern with its separator at several turns: square, zero mean, unit norm."""
    side = round(_RINGS * _TEMPLATE_PIXELS)
    fine = 8
    axis = (np.arange(side * fine) + 0.5) / (fine * _TEMPLATE_PIXELS) - _RINGS / 2
    x, y = np.meshgrid(axis, axis)
    templates = []
    for turn in np.linspace(0, np.pi / 2, _TURNS, endpoint=False):
        reach = np.maximum(np.abs(x * np.cos(turn) + y * np.sin(turn)), np.abs(y * np.cos(turn) - x * np.sin(turn)))
        rings = np.where((reach < 1.5) | ((reach > 2.5) & (reach < 3.5)), -1.0, np.where(reach < 4.5, 1.0, 0.0))
        template = cv2.resize(rings, (side, side), interpolation=cv2.INTER_AREA)
        template -= template.mean()
        templates.append(np.asarray(template / np.linalg.norm(template), dtype=np.float32))
    return tuple(templates)


def _responses(picture: GreyImage) -> NDArray[np.float32]:
    """Normalised correlation with the best turn of the template that begins at [i, j], -1 to 1; flat places give 0."""
    templates = _finder_templates()
    side = templates[0].shape[0]
    pixels = picture.astype(np.float32)
    products = np.stack([cv2.matchTemplate(pixels, template, cv2.TM_CCORR) for template in templates])
    dark, light = products.max(axis=0), products.min(axis=0)
    best = np.where(dark > -light, dark, light)
    height, width = best.shape
    inner = np.s_[side // 2 : side // 2 + height, side // 2 : side // 2 + width]
    mean = cv2.boxFilter(pixels, -1, (side, side))[inner]
    square = cv2.sqrBoxFilter(pixels, -1, (side, side))[inner]
    spread = np.sqrt(np.maximum(square - mean * mean, 0) + _CONTRAST_FLOOR**2)
    return np.asarray(best / (spread * side), dtype=np.float32)


def _finders(pyramid: Pyramid) -> NDArray[np.float64]:
    """Finder patterns as rows x, y, module (original pixels), response (negative if inverted), strongest first."""
    side = _finder_templates()[0].shape[0]
    rows: list[NDArray[np.float64]] = []
    for level, factor in enumerate(pyramid.factors):
        picture = pyramid.picture(level)
        if min(picture.shape) <= side:
            break
        response = _responses(picture)
        strength = np.abs(response)
        peaks = (strength >= _LEAST_RESPONSE) & (strength == cv2.dilate(strength, np.ones((5, 5), np.uint8)))
        y, x = np.nonzero(peaks)
        at = np.stack([x + side / 2, y + side / 2, np.full(x.shape, _TEMPLATE_PIXELS)], axis=1) / factor
        rows.append(np.column_stack([at, response[y, x]]))
    if not rows:
        return np.empty((0, 4))
    found = np.concatenate(rows)
    found = found[np.argsort(-np.abs(found[:, 3]), kind="stable")]
    kept: list[NDArray[np.float64]] = []
    while len(found) and len(kept) < _MOST_FINDERS:
        kept.append(found[0])
        found = found[~_same_finder(found[0], found)]
    return np.array(kept).reshape(-1, 4)


def _same_finder(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    apart = np.hypot(*(others[:, :2] - one[:2]).T)
    smaller, larger = np.minimum(one[2], others[:, 2]), np.maximum(one[2], others[:, 2])
    return np.asarray((apart < 3 * smaller) & (larger < 1.6 * smaller))


_MOST_TRIPLES = 24
_REFINED = 8
_LEAST_ROUGH_AGREEMENT = 0.05
_SHIFTS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)], dtype=np.float64)


def _from_finders(pyramid: Pyramid) -> Iterator[Candidate]:
    finders = _finders(pyramid)
    rough: list[Candidate] = []
    for polarity in (1, -1):
        for triple in _triples(finders[np.sign(finders[:, 3]) == polarity]):
            quads = [(_quad(triple[:, :2], version), version) for version in _likely_versions(triple)]
            fits = [candidate_of(quad, dimension(v), polarity * agreement(pyramid, quad, v)) for quad, v in quads]
            rough.append(max(fits, key=lambda fit: fit.score))
    for candidate in best_of_overlapping(rough, limit=_REFINED, least=_LEAST_ROUGH_AGREEMENT):
        yield _refined(pyramid, candidate)


def _triples(finders: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Rows of three finder patterns that may belong to one code: its own top-left, then clockwise; best first."""
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
    """Versions that the distance between finder patterns allows for at the module size they were found at."""
    at, module = triple[:, :2], np.exp(np.log(triple[:, 2]).mean())
    span = np.sqrt(np.hypot(*(at[1] - at[0])) * np.hypot(*(at[2] - at[0])))
    guess = (span / module + 7 - 17) / 4
    near = [version for version in VERSIONS if abs(version - guess) <= 1 + 0.15 * guess]
    return near or [min(VERSIONS, key=lambda version: abs(version - guess))]


def _quad(centres: Points, version: int) -> Points:
    """Outer corners of the parallelogram whose finder patterns have these centres, the symbol's own top-left first."""
    start, right, down = centres[0], centres[1] - centres[0], centres[2] - centres[0]
    low = -3.5 / (dimension(version) - 7)
    ends = np.array([[low, low], [1 - low, low], [1 - low, 1 - low], [low, 1 - low]])
    return np.asarray(start + ends @ np.stack([right, down]), dtype=np.float64)


def _refined(pyramid: Pyramid, rough: Candidate) -> Candidate:
    """Move the corners, most of all the one without a finder pattern, and reconsider the version, to where the function
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


# --- quads ----------------------------------------------------------------------------------------------------------


_NEXT = [1, 2, 3, 0]


def candidate_of(quad: Points, modules: int | None, score: float) -> Candidate:
    """A candidate from its corners as an array, (4, 2)."""
    return Candidate(Quad.of(quad), modules, score)


def is_sound(quad: Points) -> bool:
    """Whether the quad is convex, clockwise as seen, and large enough to hold a code."""
    edges = quad[_NEXT] - quad
    turns = edges[:, 0] * edges[_NEXT, 1] - edges[:, 1] * edges[_NEXT, 0]
    return bool((turns > 0).all() and np.hypot(*edges.T).min() >= 10)


def best_of_overlapping(candidates: Iterable[Candidate], *, limit: int, least: float) -> list[Candidate]:
    """At most `limit` candidates with a score of `least` or more, best first, none much over another."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate.score):
        if len(kept) == limit or candidate.score < least:
            break
        if all(candidate.corners.overlap(other.corners) < 0.5 for other in kept):
            kept.append(candidate)
    return kept
