"""Locates codes with a network: a coarse pass over the picture in windows, then closer looks at the codes found.

At every position inside a code the network votes for its corners. The coarse pass covers the picture at one size. A
closer look sees a code straightened by its current quad, so that it is large and upright whatever the perspective.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.models.contract import CORNER_UNIT, MAPS, STRIDE, Card
from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage, shrink, standardise
from app.pipeline.inference.runners import Runner
from app.pipeline.locating.candidates import Candidate, candidate_of, suppress_overlapping
from app.pipeline.nesting import painted_over
from app.pipeline.qrcode.log_odds import probability
from app.pipeline.qrcode.patterns import VERSIONS, dimension
from app.pipeline.quad import Quad, homography, is_sound, reorder, side_length, square

WINDOW: Final = 256
"""Pixels a side of what the network sees at once, as in training."""
_STEP = 224  # most pixels between windows: a code of 32 px lies whole in one of them, a larger one nearly
LEAST_SIDE = 28
"""Pixels a side from which the network sees a code."""
_SIZES = (256, 640)  # longest sides, in pixels, at which `locate` searches a picture: shows codes from 1/23 of it
LEAST_PROBABILITY: Final = 0.4
"""That a code is at a position."""
_LEAST_POSITIONS = 3  # that vote for a code: 14 px a side
_CLOSE_SIDE = 205  # pixels a side of the code in a closer look
_WORTH_ANOTHER_LOOK = 0.5  # score after the one before
_MOST_LOOKS = 2  # closer looks at a code
_SETTLED = 0.06  # of the code's side; after a look that moves no corner farther, the next moves none by a module
_BATCH = 16  # windows
_GRAIN = (5, 5)  # pixels of half the size over which texture is measured
_LEAST_DEVIATION = 3.0  # grey levels
_BLOB = (11, 11)  # pixels of half the size that texture must fill: less than a code does
_LEAST_FILLED = 0.9  # of these pixels
# Of 56 codes of photographs that the network sees at 28 pixels a side it gives 55 a chance of 0.01 at 12 pixels.
_LEAST_TRACE = 0.42  # of the scale at which a code has LEAST_SIDE pixels
_COVERED_MARGIN = 0.1  # of a read code's side: blur and quiet zone around it are no texture of another code


@dataclass(frozen=True, slots=True)
class Level:
    """A picture scaled by ``factor``."""

    factor: float
    picture: GreyImage


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The chance of a code, (H / `STRIDE`, W / `STRIDE`), that a coarse pass saw everywhere in a picture scaled by
    ``factor``; 1 where it did not look."""

    factor: float
    chances: NDArray[np.float32]

    def outside(self, covered: Iterable[Quad]) -> "Glimpse":
        """The same without what was seen of ``covered`` places."""
        chances = self.chances.copy()
        for quad in covered:
            around = _with_margin(quad) * self.factor / STRIDE - 0.5
            cv2.fillConvexPoly(chances, np.rint(around).astype(np.int32), 0)
        return Glimpse(self.factor, chances)

    def best(self, left: float, top: float, side: float) -> float:
        """The best chance in a square of the picture, given in its pixels, and right beside it."""
        scale = self.factor / STRIDE
        (first, last), (upper, lower) = (
            (max(0, int(start * scale) - 1), int((start + side) * scale) + 2) for start in (left, top)
        )
        return float(self.chances[upper:lower, first:last].max(initial=0.0))


class Levels:
    """A picture at the sizes at which it is searched; each is made when it is first used."""

    def __init__(self, image: GreyImage) -> None:
        self._levels = [Level(1.0, image)]
        self._glimpses: list[Glimpse] = []

    def note(self, glimpse: Glimpse) -> None:
        """Keeps what a coarse pass saw."""
        self._glimpses.append(glimpse)

    def glimpses_before(self, factor: float) -> list[Glimpse]:
        """What was seen at smaller scales at which a code of ``LEAST_SIDE`` pixels at ``factor`` leaves a trace."""
        return [one for one in self._glimpses if _LEAST_TRACE * factor <= one.factor < factor]

    @property
    def image(self) -> GreyImage:
        """The picture itself."""
        return self._levels[0].picture

    def at(self, size: int) -> Level:
        """The picture reduced to a longest side of ``size`` pixels; enlarged only to fill the network's window."""
        longest = max(self.image.shape)
        factor = max(WINDOW, min(size, longest)) / longest
        found = next((one for one in self._levels if one.factor == factor), None)
        if found is None:
            larger = min((one for one in self._levels if one.factor > factor), key=_factor, default=self._levels[0])
            found = Level(factor, shrink(larger.picture, factor / larger.factor))
            self._levels.append(found)
        return found

    def showing(self, side: float) -> Level:
        """The smallest size made so far that shows ``side`` pixels of the picture as at least a closer look's code, or
        else the picture itself."""
        fine = (one for one in self._levels if one.factor * side >= _CLOSE_SIDE)
        return min(fine, key=_factor, default=self._levels[0])


class WindowLocator:
    """Proposes codes found by a quad locator network, best first; scores are the network's, 0 to 1.

    `locate` searches a picture at ``sizes``, the longest sides in pixels, and proposes at most ``limit`` codes. Its two
    steps are `glance` and `look_closer`.
    """

    def __init__(self, card: Card, runner: Runner, *, sizes: Sequence[int] = _SIZES, limit: int = 8) -> None:
        self.card = card
        self.runner = runner
        self._sizes = tuple(sizes)
        self._limit = limit

    def warm_up(self) -> None:
        """Runs one inference, so that no request pays for lazy initialisation. Raises ValueError if the network's
        output does not have its promised shape."""
        shape = self._run([np.zeros((WINDOW, WINDOW), dtype=np.float32)]).shape
        if shape != (promised := (1, MAPS, WINDOW // STRIDE, WINDOW // STRIDE)):
            raise ValueError(f"its output has shape {shape}, not {promised}")

    def locate(self, image: GreyImage) -> list[Candidate]:
        """Candidates with the network's estimate of the modules a side. Pictures narrower than the smallest symbol have
        none."""
        levels = Levels(image)
        rough = [candidate for size in sorted(self._sizes, reverse=True) for candidate in self.glance(levels, size)]
        rough = suppress_overlapping(rough, limit=self._limit, least=LEAST_PROBABILITY)
        return self.look_closer(levels, rough)[: self._limit]

    def glance(
        self,
        levels: Levels,
        size: int,
        *,
        covered: Sequence[Quad] = (),
        inverted: bool = False,
        suspicion: float = 0.0,
    ) -> list[Candidate]:
        """The coarse pass over a picture at a longest side of ``size`` pixels; best candidates first.

        Leaves out windows that have no texture, or texture on ``covered`` places only, and those where a pass before,
        at a size not much smaller, looked and gave no place a chance of ``suspicion``. ``inverted``: looks for light
        codes on dark ground, of which the network sees half in the picture itself, and leaves out none of the latter.
        """
        if min(levels.image.shape) < dimension(1):
            return []
        level = levels.at(size)
        read = [quad.scaled(level.factor) for quad in covered]
        textured = texture(level.picture, read)
        picture = painted_over(level.picture, read)  # beside sharp codes the network does not see blurred ones
        before = levels.glimpses_before(level.factor) if suspicion and not inverted else []
        before = [one.outside(covered) for one in before]
        places = [
            (top, left)
            for top, left in product(*(_starts(side) for side in level.picture.shape))
            if textured[top : top + WINDOW, left : left + WINDOW].any()
            and all(one.best(*np.array([left, top, WINDOW]) / level.factor) >= suspicion for one in before)
        ]
        windows = [_pad(standardise(picture[top : top + WINDOW, left : left + WINDOW])) for top, left in places]
        seen = self._run(windows, inverted=inverted)
        presence = probability(seen[:, 0])
        if not inverted:
            levels.note(_glimpse(level, places, presence))
        found: list[Candidate] = []
        for (top, left), maps, chances in zip(places, seen, presence, strict=True):
            for candidate in _votes(maps, chances):
                corners = (np.array(candidate.corners) + np.array([left, top])) / level.factor
                found.append(candidate_of(corners, candidate.dimension, candidate.score))
        return suppress_overlapping(found, limit=len(found), least=LEAST_PROBABILITY)

    def look_closer(
        self, levels: Levels, candidates: Sequence[Candidate], *, inverted: bool = False
    ) -> list[Candidate]:
        """Those candidates that still look like codes at a closer look, with better corners, best first."""
        found: list[Candidate] = []
        moving = list(candidates)
        for _ in range(_MOST_LOOKS):
            settled, moved = self._look_closer(levels, moving, inverted=inverted)
            found += settled
            moving = [one for one in moved if one.score >= _WORTH_ANOTHER_LOOK]
        return suppress_overlapping([*found, *moving], limit=len(candidates), least=LEAST_PROBABILITY)

    def _look_closer(
        self, levels: Levels, candidates: list[Candidate], *, inverted: bool
    ) -> tuple[list[Candidate], list[Candidate]]:
        """Looks at each candidate again in a window straightened by its quad.

        Returns the candidates whose corners hardly moved, and those whose corners moved; drops those that no longer
        look like a code. Cuts each window from the smallest level that is not coarser than the window.
        """
        margin = (WINDOW / _CLOSE_SIDE - 1) / 2
        quads = [np.array(candidate.corners) for candidate in candidates]
        windows = []
        for quad in quads:
            level = levels.showing(side_length(quad))
            window = rectify(level.picture, quad * level.factor, 1, pixels=_CLOSE_SIDE, margin=margin)
            windows.append(standardise(window))
        settled: list[Candidate] = []
        moved: list[Candidate] = []
        for quad, maps in zip(quads, self._run(windows, inverted=inverted), strict=True):
            middle = _vote_of_middle(maps)
            if middle is None:
                continue
            inside = (np.array(middle.corners) / _CLOSE_SIDE - margin).reshape(1, 4, 2)
            corners = cv2.perspectiveTransform(inside, homography(quad, 1.0))[0]
            if is_sound(corners):
                found = candidate_of(np.asarray(corners, dtype=np.float64), middle.dimension, middle.score)
                before = reorder(square(1)[None], inside[0])[0]
                (settled if np.abs(inside[0] - before).max() < _SETTLED else moved).append(found)
        return settled, moved

    def _run(self, windows: Sequence[NDArray[np.float32]], *, inverted: bool = False) -> NDArray[np.float32]:
        """Maps (N, ``MAPS``, 32, 32) of N windows or, if ``inverted``, of their negatives."""
        windows = [-window for window in windows] if inverted else windows
        none = np.empty((0, MAPS, WINDOW // STRIDE, WINDOW // STRIDE), dtype=np.float32)
        batches = (windows[start : start + _BATCH] for start in range(0, len(windows), _BATCH))
        return np.concatenate([none, *(self.runner(np.stack(batch)[:, None]) for batch in batches)])


def texture(picture: GreyImage, covered: Iterable[Quad] = ()) -> NDArray[np.bool_]:
    """(H, W): where a picture has enough texture around for a code of ``LEAST_SIDE`` pixels, ``covered`` places left
    out.

    Texture is measured at half the size. In photographs all 254 codes of 28 to 90 pixels a side have such pixels, even
    with a least deviation of 3.5 grey levels.
    """
    height, width = picture.shape
    half = cv2.resize(picture, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
    mean = cv2.boxFilter(half, cv2.CV_32F, _GRAIN)
    variance = cv2.sqrBoxFilter(half, cv2.CV_32F, _GRAIN) - mean * mean
    varied = (variance > _LEAST_DEVIATION**2).astype(np.uint8)
    for quad in covered:
        cv2.fillConvexPoly(varied, np.rint(_with_margin(quad) / 2).astype(np.int32), 0)
    filled = (cv2.boxFilter(varied, cv2.CV_32F, _BLOB) >= _LEAST_FILLED).astype(np.uint8)
    whole = cv2.resize(filled, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(whole, dtype=np.bool_)


def _with_margin(quad: Quad) -> NDArray[np.float64]:
    """Corners (4, 2) of what a read code covers."""
    corners, centre = np.asarray(quad), np.array(quad.centre)
    return np.asarray(centre + (corners - centre) * (1 + 2 * _COVERED_MARGIN))


def _factor(level: Level) -> float:
    return level.factor


def _starts(length: int) -> list[int]:
    """Where windows begin along a side: evenly spaced, at most ``_STEP`` apart; the last one ends with the side."""
    last = max(0, length - WINDOW)
    return [round(start) for start in np.linspace(0, last, 1 + -(-last // _STEP))]


def _pad(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pads a window with zeros, right and below, to its full size."""
    height, width = window.shape
    return np.pad(window, ((0, WINDOW - height), (0, WINDOW - width)))


def _glimpse(level: Level, places: Sequence[tuple[int, int]], presence: NDArray[np.float32]) -> Glimpse:
    """The chances of a code, (N, 32, 32), put together of windows of a level whose tops and lefts are given."""
    shape = tuple(max(1, side // STRIDE) for side in level.picture.shape)
    chances, looked = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_)
    for place, chance in zip(places, presence, strict=True):
        top, left = (round(start / STRIDE) for start in place)
        window = np.s_[top : top + WINDOW // STRIDE, left : left + WINDOW // STRIDE]
        height, width = chances[window].shape
        chances[window] = np.maximum(chances[window], chance[:height, :width])
        looked[window] = True
    chances[~looked] = 1
    return Glimpse(level.factor, chances)


def _votes(maps: NDArray[np.float32], presence: NDArray[np.float32]) -> Iterable[Candidate]:
    """Yields a candidate, in window pixels, for each connected set of positions that see a code."""
    count, labels = cv2.connectedComponents((presence > LEAST_PROBABILITY).astype(np.uint8), connectivity=4)
    for label in range(1, count):
        candidate = _vote(maps, presence, labels == label)
        if candidate:
            yield candidate


def _vote_of_middle(maps: NDArray[np.float32]) -> Candidate | None:
    """The candidate that the positions around the window's middle vote for."""
    presence = probability(maps[0])
    at = np.abs(np.arange(WINDOW // STRIDE) + 0.5 - WINDOW / STRIDE / 2) < 0.3 * WINDOW / STRIDE
    return _vote(maps, presence, np.outer(at, at) & (presence > LEAST_PROBABILITY))


def _vote(maps: NDArray[np.float32], presence: NDArray[np.float32], where: NDArray[np.bool_]) -> Candidate | None:
    """The median vote of the positions with the highest probability of a code.

    The score is their mean probability, lowered by the disagreement of their votes.
    """
    rows, columns = np.nonzero(where)
    if len(rows) < _LEAST_POSITIONS:
        return None
    weights = presence[rows, columns]
    at = np.stack([columns, rows], axis=1) * STRIDE + STRIDE / 2
    quads = maps[1:9, rows, columns].T.reshape(-1, 4, 2) * CORNER_UNIT + at[:, None]
    quads = reorder(quads, quads[int(weights.argmax())])
    kept = weights >= 0.7 * weights.max()
    quad = np.median(quads[kept], axis=0)
    side = max(1.0, float(cv2.contourArea(quad.astype(np.float32))) ** 0.5)
    spread = float(np.abs(quads[kept] - quad).mean()) / side
    if not is_sound(quad):
        return None
    modules = 32 * 2 ** float(np.median(maps[9, rows, columns][kept]))
    size = dimension(int(np.clip(round((modules - 17) / 4), VERSIONS[0], VERSIONS[-1])))
    return candidate_of(quad, size, float(weights[kept].mean()) * float(np.exp(-4 * spread)))
