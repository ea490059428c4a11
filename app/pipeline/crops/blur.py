"""Estimates the blur kernel of a crop from its decoded modules: the kernel that makes them look most like the crop."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage, correlation, enlarge
from app.pipeline.qrcode.patterns import QUIET_ZONE, complete_symbol, dimension

SAMPLES = 2
"""Samples per module and side at which crop and modules are compared."""
REACH = 7
"""Samples that a kernel extends to each side: 3.5 modules."""
_RIDGE = 0.02  # of the mean variance, so that the kernel does not fit noise
_MOST_FITTED = 6000  # samples, roughly, that a kernel is fitted to
_SHADING = 12  # modules: the window whose mean counts as the light
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of samples."""


@dataclass(frozen=True)
class Comparison:
    """What a blur kernel is estimated from: a crop and the modules read in it, both at ``SAMPLES`` a module.

    ``seen``: the crop (S, S) without slow changes of light, zero mean and unit deviation. ``around``: (S, S, K, K), the
    modules around each sample, light 1 and dark -1, with K = 2 ``REACH`` + 1.
    """

    seen: NDArray[np.float32]
    around: NDArray[np.float32]

    @classmethod
    def of(cls, crop: GreyImage, dark: NDArray[np.float32], version: int) -> "Comparison":
        """Compares a canonical crop, dark on light, with the probabilities (M, M) that its modules are dark."""
        drawn = enlarge(1 - 2 * complete_symbol(dark, version), SAMPLES)
        side = (dimension(version) + 2 * QUIET_ZONE) * SAMPLES
        seen = _even_light(cv2.resize(crop.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA))
        padded = np.pad(drawn, REACH, constant_values=1)
        return cls(seen, np.lib.stride_tricks.sliding_window_view(padded, (2 * REACH + 1,) * 2))

    def kernel(self, places: Places) -> NDArray[np.float32]:
        """The kernel (K, K) that brings ``around`` closest to ``seen`` at these places: ridge-regularised least
        squares."""
        step = max(1, len(places[0]) // _MOST_FITTED)
        rows, values = self._rows((places[0][::step], places[1][::step]))
        normal = rows.T @ rows
        normal[np.diag_indices(len(normal))] += _RIDGE * len(rows)
        return np.asarray(np.linalg.solve(normal, rows.T @ values), dtype=np.float32).reshape(self.around.shape[2:])

    def agreement(self, kernel: NDArray[np.float32], places: Places) -> float:
        """Correlation, -1 to 1, of what the kernel predicts at these places with what is seen there."""
        rows, values = self._rows(places)
        return correlation(rows @ kernel.ravel(), values)

    def _rows(self, places: Places) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # Select before copying: the whole view would take 225 times the memory of the picture.
        return self.around[places].reshape(len(places[0]), -1), self.seen[places]


def _even_light(values: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Subtracts the local mean, then scales to zero mean and unit deviation."""
    window = (_SHADING * SAMPLES | 1,) * 2
    even = np.asarray(values - cv2.blur(values, window), dtype=np.float32)
    return np.asarray((even - even.mean()) / max(float(even.std()), 1e-6), dtype=np.float32)
