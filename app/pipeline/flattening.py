"""Straightens codes by reading them: what was read says what the crop should look like. First the corners are moved to
where it does; then the optical flow from what is expected to the crop says where the paper bends, and the picture is
sampled anew along a smooth fit of it.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.blur import complete_symbol, enlarge
from app.pipeline.crops.realigning import realign
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.imaging import GreyImage, normalise
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.log_odds import LogOdds, confidence, probability
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension

_REALIGNED = 2  # rounds in which the code is still taken for flat
_DEGREES = (2, 2, 2, 4, 4, 4)  # of the fit, a round each: bottles first, crumpled paper later
_SOFTNESS = 1.2  # pixels of blur that make the expected picture comparable to a photograph
_LONGEST = 3.0  # pixels of flow believed in one round
_DAMPING = 0.8
_PATIENCE = 2  # rounds in a row that make no module surer before it is given up


def flatten(
    image: GreyImage, registration: Registration, crop: GreyImage, log_odds: LogOdds, reader: ModuleReader
) -> Iterator[tuple[GreyImage, LogOdds]]:
    """Crops of a code, straighter from round to round, and what is read from them; stop taking them when one decodes.

    Ends by itself when the reading has not become surer for ``_PATIENCE`` rounds.

    ``crop`` and ``log_odds`` are what is known before: the canonical crop, dark on light, and its reading.
    """
    size, corners = dimension(registration.version), registration.corners

    def look(displacement: NDArray[np.float32] | None = None) -> tuple[GreyImage, LogOdds]:
        cut = rectify(image, corners, size, displacement=displacement)
        cut = ~cut if registration.inverted else cut
        return cut, reader.read([cut], registration.version)[0]

    for _ in range(_REALIGNED):
        moved = realign(corners, crop, probability(log_odds), registration.version)
        if moved is None:
            break
        corners = moved
        crop, log_odds = look()
        yield crop, log_odds

    displacement = np.zeros((*crop.shape, 2), dtype=np.float32)
    best, without_gain = confidence(log_odds), 0
    for degree in _DEGREES:
        displacement += _DAMPING * _bend(crop, probability(log_odds), registration.version, degree)
        crop, log_odds = look(displacement)
        yield crop, log_odds
        now = confidence(log_odds)
        without_gain = 0 if now > best else without_gain + 1
        best = max(best, now)
        if without_gain == _PATIENCE:
            return


def _bend(crop: GreyImage, dark: NDArray[np.float32], version: int, degree: int) -> NDArray[np.float32]:
    """Smooth displacement (S, S, 2) from where the expected picture has its edges to where the crop has them."""
    dark = complete_symbol(dark, version)
    expected = cv2.GaussianBlur(enlarge(1 - dark, PIXELS_PER_MODULE), (0, 0), _SOFTNESS)
    confidence = enlarge(np.abs(2 * dark - 1), PIXELS_PER_MODULE)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    start, end = (np.rint(picture * 255).astype(np.uint8) for picture in (expected, normalise(crop)))
    field = np.asarray(flow.calc(start, end, np.zeros((*start.shape, 2), dtype=np.float32)), dtype=np.float32)
    edges = np.hypot(cv2.Sobel(expected, cv2.CV_32F, 1, 0), cv2.Sobel(expected, cv2.CV_32F, 0, 1))
    weight = edges * confidence
    margin = QUIET_ZONE * PIXELS_PER_MODULE
    weight[:margin], weight[-margin:], weight[:, :margin], weight[:, -margin:] = 0, 0, 0, 0
    return _fit(np.clip(field, -_LONGEST, _LONGEST), weight, degree)


def _fit(field: NDArray[np.float32], weight: NDArray[np.float32], degree: int) -> NDArray[np.float32]:
    """Weighted least-squares polynomial of total ``degree`` through a field (S, S, 2), clipped as the field is."""
    axis = np.linspace(-1, 1, field.shape[0], dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    terms = np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=-1)
    used = weight > 0.05 * weight.max()
    rows, weights = terms[used].astype(np.float64), weight[used].astype(np.float64)[:, None]
    normal = rows.T @ (rows * weights)
    normal[np.diag_indices(len(normal))] += 1e-6 * np.trace(normal)
    coefficients = np.linalg.solve(normal, rows.T @ (field[used] * weights))
    return np.asarray(np.clip(terms @ coefficients, -_LONGEST, _LONGEST), dtype=np.float32)
