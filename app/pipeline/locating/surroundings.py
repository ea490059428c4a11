"""Compares the surroundings of a lone finder pattern, a value a module, with what small symbols fix there: which of
them begins at it, in which direction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.fields import BLURS, SHADING
from app.pipeline.locating.lone_finders import LoneFinder
from app.pipeline.locating.small_fits import FINDER, PAGE, SOFT, START, drawing, known_modules, straighten
from app.pipeline.qrcode.small.patterns import SMALL_QUIET_ZONE
from app.pipeline.quad import Quad, oblong

TURNS: Final = 4
"""Directions in which a symbol may lie that is its own mirror image; for others each has its mirror image."""
_WINDOW: Final = range(-SMALL_QUIET_ZONE, 19)  # rows and columns, of a symbol, that are compared: M4 with quiet zone
_REACH: Final = 17  # modules to all sides of the centre of a finder pattern, in which the window lies
_LEAST_NORM: Final = 1e-3  # grey levels; less is flat


@dataclass(frozen=True, slots=True)
class Beginnings:
    """What several symbols show in the window: ``values`` (N, W²), zero mean and unit norm over the modules that the
    ``masks`` (N, W²) call known, else 0."""

    values: NDArray[np.float32]
    masks: NDArray[np.float32]

    @classmethod
    def of(cls, parts: Sequence[tuple[str, int | None]]) -> "Beginnings":
        """Of versions, each with the number of its columns that are compared, None for all and the quiet zone."""
        made = [_beginning(version, columns) for version, columns in parts]
        return cls(*(np.array(each, dtype=np.float32) for each in zip(*made, strict=True)))


def _beginning(version: str, columns: int | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mask, seen = np.zeros((2, len(_WINDOW), len(_WINDOW)), dtype=np.float32)
    known = known_modules(version)[:, : None if columns is None else columns + SMALL_QUIET_ZONE]
    known = known[: len(_WINDOW), : len(_WINDOW)]
    part, low = np.s_[: known.shape[0], : known.shape[1]], PAGE - SMALL_QUIET_ZONE
    mask[part] = known
    seen[part] = drawing(version, START, SOFT)[low:, low:][part]
    seen = np.where(mask > 0, seen - seen[mask > 0].mean(), 0)
    return seen.ravel() / np.linalg.norm(seen), mask.ravel()


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
    """(8, W²): where the modules of the window lie in the surroundings of a finder pattern, in each direction."""
    rows, columns = (each.ravel() - FINDER // 2 for each in np.meshgrid(_WINDOW, _WINDOW, indexing="ij"))
    along, down = _directions()[:, 0, :, None], _directions()[:, 1, :, None]
    x, y = np.moveaxis(along * columns + down * rows, 1, 0) + _REACH
    return np.asarray(y * (2 * _REACH + 1) + x, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The surroundings of a finder pattern whose corners are the ``frame`` (4, 2), straightened by it: ``values``
    (8, W²) of the window in each direction; ``sign`` is -1 where light and dark are exchanged."""

    frame: NDArray[np.float64]
    values: NDArray[np.float32]
    sign: float

    @classmethod
    def of(cls, image: GreyImage, finder: LoneFinder) -> "Surroundings | None":
        """None if the finder pattern turns out to be none."""
        frame = straighten(image, finder)
        if not Quad.of(frame).is_sound:
            return None
        side = 2 * _REACH + 1
        outline = frame.mean(axis=0) + (frame - frame.mean(axis=0)) * (side / FINDER)
        fine = rectify(image, outline, side, margin=0)
        grey = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        grey -= cv2.blur(grey, (SHADING + 1,) * 2)
        seen = np.asarray(cv2.GaussianBlur(grey, (0, 0), BLURS[START]), dtype=np.float32).ravel()
        return cls(frame, seen[_window_index()], -1.0 if finder.inverted else 1.0)

    def agreements(self, beginnings: Beginnings) -> NDArray[np.float64]:
        """Correlation, -1 to 1, with each of several symbols in each of the directions, (8, N); those from ``TURNS`` on
        are mirrored."""
        values, masks = beginnings.values, beginnings.masks
        sums, squares = self.values @ masks.T, (self.values * self.values) @ masks.T
        norms = np.sqrt(np.maximum(squares - sums * sums / masks.sum(axis=1), _LEAST_NORM**2))
        return np.asarray(self.sign * (self.values @ values.T) / norms, dtype=np.float64)

    @staticmethod
    def promising(
        agreements: NDArray[np.float64], *, least: float, rival: float, most: int
    ) -> Iterator[tuple[int, int]]:
        """Direction and number of the symbols that agree best, at most ``most``, best first: by ``least`` or more, and
        by at most ``rival`` less than the best."""
        least = max(least, agreements.max() - rival)
        for place in np.argsort(-agreements, axis=None)[:most]:
            direction, number = divmod(int(place), agreements.shape[1])
            if agreements[direction, number] >= least:
                yield direction, number

    def corners(self, direction: int, columns: int, rows: int) -> NDArray[np.float64]:
        """The corners (4, 2) of a symbol of so many columns and rows that lies in a direction, in its own order."""
        steps = np.stack([self.frame[1] - self.frame[0], self.frame[3] - self.frame[0]]) / FINDER
        outline = oblong(columns, rows) - FINDER / 2
        return np.asarray(self.frame.mean(axis=0) + outline @ _directions()[direction] @ steps, dtype=np.float64)
