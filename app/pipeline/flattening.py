"""Straightens bent codes by reading them: what was read predicts what the crop should look like.

First the corners move to where the picture fits that prediction best. Then the optical flow from the prediction to the
crop shows how the paper bends, and the picture is sampled again along a smooth fit of the flow.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.realigning import realign
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.imaging import GreyImage, enlarge, normalise
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.log_odds import LogOdds, confidence, probability
from app.pipeline.qrcode.patterns import QUIET_ZONE, complete_symbol, dimension

_ALIGNMENT_ROUNDS = 2  # rounds that still take the code for flat
_DEGREES = (2, 2, 2, 4, 4, 4)  # of the polynomial fit, one a round: bottles first, crumpled paper later
_SOFTNESS = 1.2  # pixels of blur that make the expected picture comparable to a photograph
_LONGEST_FLOW = 3.0  # pixels of flow believed in one round
_DAMPING = 0.8  # share of the fit applied in one round
_PATIENCE = 2  # rounds in a row without a gain in confidence after which flattening ends


def flatten(
    image: GreyImage, registration: Registration, crop: GreyImage, log_odds: LogOdds, reader: ModuleReader
) -> Iterator[tuple[GreyImage, LogOdds]]:
    """Yields crops (S, S) of a code, straighter from round to round, and their log-odds (M, M); the caller stops at one
    that decodes.

    Starts from the canonical ``crop``, dark on light, and its ``log_odds``. Ends after ``_PATIENCE`` rounds without a
    gain in confidence.
    """
    size, corners = dimension(registration.version), registration.corners

    def sample(displacement: NDArray[np.float32] | None = None) -> tuple[GreyImage, LogOdds]:
        cut = rectify(image, corners, size, displacement=displacement)
        cut = ~cut if registration.inverted else cut
        return cut, reader.read([cut], registration.version)[0]

    for _ in range(_ALIGNMENT_ROUNDS):
        moved = realign(corners, crop, probability(log_odds), registration.version)
        if moved is None:
            break
        corners = moved
        crop, log_odds = sample()
        yield crop, log_odds

    displacement = np.zeros((*crop.shape, 2), dtype=np.float32)
    best, without_gain = confidence(log_odds), 0
    for degree in _DEGREES:
        displacement += _DAMPING * _bend(crop, probability(log_odds), registration.version, degree)
        crop, log_odds = sample(displacement)
        yield crop, log_odds
        now = confidence(log_odds)
        without_gain = 0 if now > best else without_gain + 1
        best = max(best, now)
        if without_gain == _PATIENCE:
            return


def _bend(crop: GreyImage, dark: NDArray[np.float32], version: int, degree: int) -> NDArray[np.float32]:
    """Smooth displacement (S, S, 2), in pixels of the crop, from the edges of the expected picture to the crop's."""
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
    return _fit(np.clip(field, -_LONGEST_FLOW, _LONGEST_FLOW), weight, degree)


def _fit(field: NDArray[np.float32], weight: NDArray[np.float32], degree: int) -> NDArray[np.float32]:
    """Weighted least-squares polynomial of total ``degree`` through a field (S, S, 2), clipped to ``_LONGEST_FLOW``."""
    axis = np.linspace(-1, 1, field.shape[0], dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    terms = np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=-1)
    used = weight > 0.05 * weight.max()
    rows, weights = terms[used].astype(np.float64), weight[used].astype(np.float64)[:, None]
    normal = rows.T @ (rows * weights)
    normal[np.diag_indices(len(normal))] += 1e-6 * np.trace(normal)
    coefficients = np.linalg.solve(normal, rows.T @ (field[used] * weights))
    return np.asarray(np.clip(terms @ coefficients, -_LONGEST_FLOW, _LONGEST_FLOW), dtype=np.float32)
