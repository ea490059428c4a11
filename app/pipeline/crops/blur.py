"""The blur of a picture as a reading tells: the kernel that makes of the modules read most nearly what is seen."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, function_patterns

SAMPLES = 2
"""Samples a module and side of what is compared."""
REACH = 7
"""Samples that a kernel spans to each side: 3.5 modules."""
_RIDGE = 0.02  # of the mean variance, against kernels that fit noise
_MOST_FITTED = 6000  # samples, roughly, that a kernel is fitted on
_SHADING = 12  # modules over which light may vary
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of samples."""


def complete_symbol(dark: NDArray[np.float32], version: int) -> NDArray[np.float32]:
    """Probabilities (M, M) that modules are dark with function patterns as the standard says, and a quiet zone."""
    patterns = function_patterns(version)
    return np.pad(np.where(patterns.known, patterns.dark, dark), QUIET_ZONE).astype(np.float32)


def enlarge(cells: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Each value as a square of ``factor`` x ``factor``."""
    return np.kron(cells, np.ones((factor, factor), dtype=np.float32))


@dataclass(frozen=True)
class Comparison:
    """A crop beside the modules read in it, both with ``SAMPLES`` a module; neither is changed.

    ``seen``: (S, S), freed of slow changes of light, zero mean and unit deviation. ``around``: (S, S, K, K), the
    modules read around each sample, light 1 and dark -1, K = 2 ``REACH`` + 1.
    """

    seen: NDArray[np.float32]
    around: NDArray[np.float32]

    @classmethod
    def of(cls, crop: GreyImage, dark: NDArray[np.float32], version: int) -> "Comparison":
        """Of a canonical crop, dark on light, and the probabilities (M, M) that its modules are dark."""
        drawn = enlarge(1 - 2 * complete_symbol(dark, version), SAMPLES)
        side = (dimension(version) + 2 * QUIET_ZONE) * SAMPLES
        seen = _evened(cv2.resize(crop.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA))
        padded = np.pad(drawn, REACH, constant_values=1)
        return cls(seen, np.lib.stride_tricks.sliding_window_view(padded, (2 * REACH + 1,) * 2))

    def kernel(self, places: Places) -> NDArray[np.float32]:
        """(K, K) weights with which ``around`` comes closest to ``seen`` there, least squares, ridge-regularised."""
        step = max(1, len(places[0]) // _MOST_FITTED)
        rows, values = self._rows((places[0][::step], places[1][::step]))
        normal = rows.T @ rows
        normal[np.diag_indices(len(normal))] += _RIDGE * len(rows)
        return np.asarray(np.linalg.solve(normal, rows.T @ values), dtype=np.float32).reshape(self.around.shape[2:])

    def agreement(self, kernel: NDArray[np.float32], places: Places) -> float:
        """Correlation, at most 1, of what the kernel predicts with what is seen there."""
        rows, values = self._rows(places)
        return correlation(rows @ kernel.ravel(), values)

    def _rows(self, places: Places) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # The view is thinned out before it is copied: whole, it would take 225 times the picture's memory.
        return self.around[places].reshape(len(places[0]), -1), self.seen[places]


def _evened(values: cv2.typing.MatLike) -> NDArray[np.float32]:
    window = (_SHADING * SAMPLES | 1,) * 2
    even = np.asarray(values - cv2.blur(values, window), dtype=np.float32)
    return np.asarray((even - even.mean()) / max(float(even.std()), 1e-6), dtype=np.float32)


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Of two vectors (N,), -1 to 1; 0 where one of them does not vary."""
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm > 1e-6 else 0.0
