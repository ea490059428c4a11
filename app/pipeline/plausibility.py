"""Whether a reading explains the picture: the guard against payloads that were never there.

Noise, read module by module, gives modules too, and error correction now and then makes a payload of them. What such a
reading cannot have is function patterns: they lie where the standard wants them only in a code. So the modules read are
blurred until they look most like the crop, with the kernel that fits best, and the function patterns, which had no part
in the fit, must then look like the crop as well. Unlike plain correlation with the patterns this holds for codes so
blurred, too, that their patterns are smeared over their neighbours.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.symbology import QUIET_ZONE, dimension, function_patterns

_SAMPLES = 2  # a module and side
_REACH = 7  # samples that the kernel spans to each side: 3.5 modules
_RIDGE = 0.02  # of the mean variance, against kernels that fit noise
_MOST_FITTED = 6000  # samples, roughly, that the kernel is fitted on
_SHADING = 12  # modules over which light may vary


def explained(crop: GreyImage, dark: NDArray[np.float32], version: int) -> float:
    """Correlation, at most 1, of the function patterns in a canonical crop with what the modules read predict there.

    ``dark``: probability that each module is dark, (M, M); function patterns are set to what the standard says.
    """
    size = dimension(version)
    patterns = function_patterns(version)
    symbol = np.pad(np.where(patterns.known, patterns.dark, dark), QUIET_ZONE)
    drawn = np.kron(1 - 2 * symbol, np.ones((_SAMPLES, _SAMPLES))).astype(np.float32)
    side = (size + 2 * QUIET_ZONE) * _SAMPLES
    seen = _evened(cv2.resize(crop.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA))
    shifted = np.lib.stride_tricks.sliding_window_view(np.pad(drawn, _REACH, constant_values=1), (2 * _REACH + 1,) * 2)
    # The view is thinned out before it is copied: whole, it would take 225 times the picture's memory.
    fitted, judged = (np.nonzero(mask) for mask in _masks(version))
    step = max(1, len(fitted[0]) // _MOST_FITTED)
    fitted = fitted[0][::step], fitted[1][::step]
    kernel = _fit(shifted[fitted].reshape(len(fitted[0]), -1), seen[fitted])
    return correlation(shifted[judged].reshape(len(judged[0]), -1) @ kernel, seen[judged])


@cache
def _masks(version: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Samples of the data modules, to fit on, and of the function patterns, to judge by."""
    patterns = function_patterns(version)
    cells = np.ones((_SAMPLES, _SAMPLES), dtype=np.bool_)
    pad = ((QUIET_ZONE, QUIET_ZONE),) * 2
    data, known = (np.kron(np.pad(part, pad), cells) for part in (patterns.data, patterns.known))
    return data, known


def _evened(values: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Freed of slow changes of light, zero mean and unit deviation."""
    window = (_SHADING * _SAMPLES | 1,) * 2
    even = np.asarray(values - cv2.blur(values, window), dtype=np.float32)
    return np.asarray((even - even.mean()) / max(float(even.std()), 1e-6), dtype=np.float32)


def _fit(rows: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The kernel that makes ``values`` (N,) of ``rows`` (N, K) with the least square error, ridge-regularised."""
    normal = rows.T @ rows
    normal[np.diag_indices(len(normal))] += _RIDGE * len(rows)
    return np.asarray(np.linalg.solve(normal, rows.T @ values), dtype=np.float32)


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Of two vectors (N,), -1 to 1; 0 where one of them does not vary."""
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm > 1e-6 else 0.0
