"""Estimates how a crop is bent: the optical flow from what was read to what is seen, fitted by something smooth.

A polynomial fits bottles and waves. Creased paper has edges, which a polynomial of a low degree rounds off and one of a
high degree follows everywhere. So a local fit takes, around every module, the plane through the flow nearby (moving
least squares, Lancaster and Salkauskas 1981), weighted by how surely the modules there were read. From what is read it
reaches a few modules into what is not, and grows outward as that becomes readable.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.imaging import GreyImage, enlarge, normalise
from app.pipeline.qrcode.patterns import QUIET_ZONE, complete_symbol

LONGEST_FLOW = 3.0
"""Pixels of flow believed in one round."""
_SOFTNESS = 1.2  # pixels of blur that make the expected picture comparable to a photograph
_TRUST_WINDOW = 5  # modules a side over which expected and seen picture are compared
_LEAST_DEVIATION = 0.05  # of the crop's range: flatter windows tell nothing
_STIFFNESS = 4.0  # square modules: evidence for a slope must spread farther than its root
_LEAST_WEIGHT = 0.01  # share of the mean weight that pulls the fit to zero where nothing is known
Field = NDArray[np.float32]
"""Displacements (S, S, 2), x and y, in pixels of a crop."""


def flow(crop: GreyImage, dark: NDArray[np.float32], version: int) -> tuple[Field, NDArray[np.float32]]:
    """Where the edges of the expected picture lie in a canonical crop, and the weight (S, S) of each pixel's answer.

    ``dark`` (M, M): probability that each module is dark. Weights are high at edges between modules that are surely
    read, in windows where the two pictures resemble each other; 0 in the quiet zone.
    """
    dark = complete_symbol(dark, version)
    expected = _expected(dark)
    confidence = enlarge(np.abs(2 * dark - 1), PIXELS_PER_MODULE)
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    engine.setFinestScale(0)
    seen = normalise(crop)
    start, end = (np.rint(picture * 255).astype(np.uint8) for picture in (expected, seen))
    field = np.asarray(engine.calc(start, end, np.zeros((*start.shape, 2), dtype=np.float32)), dtype=np.float32)
    edges = np.hypot(cv2.Sobel(expected, cv2.CV_32F, 1, 0), cv2.Sobel(expected, cv2.CV_32F, 0, 1))
    weight = np.asarray(edges * confidence, dtype=np.float32)
    margin = QUIET_ZONE * PIXELS_PER_MODULE
    weight[:margin], weight[-margin:], weight[:, :margin], weight[:, -margin:] = 0, 0, 0, 0
    return np.clip(field, -LONGEST_FLOW, LONGEST_FLOW), weight


def _expected(complete: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture (S, S), 0 to 1, of a complete symbol, as soft as a photograph."""
    drawn = enlarge(1 - complete, PIXELS_PER_MODULE)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), _SOFTNESS), dtype=np.float32)


def resemblance(crop: GreyImage, dark: NDArray[np.float32], version: int) -> NDArray[np.float32]:
    """Correlation (S, S), 0 to 1, of a crop with the expected picture in the window around each pixel."""
    expected = _expected(complete_symbol(dark, version))
    seen = normalise(crop)
    window = (_TRUST_WINDOW * PIXELS_PER_MODULE,) * 2
    means = [cv2.blur(one, window) for one in (expected, seen)]
    shared = cv2.blur(expected * seen, window) - means[0] * means[1]
    spreads = [
        np.maximum(cv2.blur(one * one, window) - mean * mean, _LEAST_DEVIATION**2)
        for one, mean in zip((expected, seen), means, strict=True)
    ]
    return np.asarray(np.clip(shared / np.sqrt(spreads[0] * spreads[1]), 0, 1), dtype=np.float32)


def fit_polynomial(field: Field, weight: NDArray[np.float32], degree: int) -> Field:
    """Weighted least-squares polynomial of total ``degree`` through a field, clipped to ``LONGEST_FLOW``."""
    axis = np.linspace(-1, 1, field.shape[0], dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    terms = np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=-1)
    used = weight > 0.05 * weight.max()
    rows, weights = terms[used].astype(np.float64), weight[used].astype(np.float64)[:, None]
    normal = rows.T @ (rows * weights)
    normal[np.diag_indices(len(normal))] += 1e-6 * np.trace(normal)
    coefficients = np.linalg.solve(normal, rows.T @ (field[used] * weights))
    return np.asarray(np.clip(terms @ coefficients, -LONGEST_FLOW, LONGEST_FLOW), dtype=np.float32)


def fit_locally(field: Field, weight: NDArray[np.float32], reach: float) -> Field:
    """Planes through a field around every module, weighted by a gaussian of ``reach`` modules; clipped to
    ``LONGEST_FLOW``."""
    side = field.shape[0]
    cells = side // PIXELS_PER_MODULE
    y, x = np.mgrid[0:cells, 0:cells].astype(np.float64)

    def around(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), reach, borderType=cv2.BORDER_CONSTANT), dtype=np.float64)

    def per_module(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(cv2.resize(values, (cells, cells), interpolation=cv2.INTER_AREA), dtype=np.float64)

    mass = per_module(weight)
    total, at_x, at_y = around(mass), around(mass * x), around(mass * y)
    xx, xy, yy = around(mass * x * x), around(mass * x * y), around(mass * y * y)
    offset_x, offset_y = at_x - x * total, at_y - y * total  # moments about each module
    normal = np.empty((cells, cells, 3, 3))
    stiff = _STIFFNESS * total
    least = _LEAST_WEIGHT * mass.mean() + 1e-9
    normal[..., 0, 0] = total + least
    normal[..., 0, 1] = normal[..., 1, 0] = offset_x
    normal[..., 0, 2] = normal[..., 2, 0] = offset_y
    normal[..., 1, 1] = xx - 2 * x * at_x + x * x * total + stiff + least
    normal[..., 2, 2] = yy - 2 * y * at_y + y * y * total + stiff + least
    normal[..., 1, 2] = normal[..., 2, 1] = xy - x * at_y - y * at_x + x * y * total
    fitted = np.empty((cells, cells, 2), dtype=np.float32)
    for axis in range(2):
        value = per_module(np.ascontiguousarray(field[..., axis] * weight))
        target = around(value)
        slopes = around(value * x) - x * target, around(value * y) - y * target
        fitted[..., axis] = np.linalg.solve(normal, np.stack([target, *slopes], axis=-1)[..., None])[..., 0, 0]
    whole = cv2.resize(fitted, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(whole, -LONGEST_FLOW, LONGEST_FLOW), dtype=np.float32)
