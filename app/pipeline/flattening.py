"""Straightens bent codes by reading them: what was read predicts what the crop should look like.

First the corners move to where the picture fits that prediction best. Then the optical flow from the prediction to the
crop shows how the paper bends, and the picture is sampled again along a smooth fit of the flow.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.bending import fit_locally, fit_polynomial, flow, resemblance
from app.pipeline.crops.realigning import realign
from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.log_odds import LogOdds, confidence, probability
from app.pipeline.qrcode.patterns import dimension

_ALIGNMENT_ROUNDS = 2  # rounds that still take the code for flat
_DAMPING = 0.8  # share of the fit applied in one round
_PATIENCE = 2  # rounds in a row without a gain in confidence after which flattening ends


@dataclass(frozen=True, slots=True)
class _Step:
    """One round: fits a polynomial of total ``degree``, or planes within ``reach`` modules."""

    degree: int | None = None
    reach: float = 0.0


_ROUND, _WAVY = _Step(degree=2), _Step(degree=4)
_STEPS = (_ROUND, _ROUND, _ROUND, _WAVY, _WAVY, _WAVY, *(_Step(reach=reach) for reach in (4.0, 3.0, 2.5, 2.0, 2.0)))
"""Bottles first, then waves, then creases."""


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
    for step in _STEPS:
        displacement += _DAMPING * _bend(crop, probability(log_odds), registration.version, step)
        crop, log_odds = sample(displacement)
        yield crop, log_odds
        now = confidence(log_odds)
        without_gain = 0 if now > best else without_gain + 1
        best = max(best, now)
        if without_gain == _PATIENCE:
            return


def _bend(crop: GreyImage, dark: NDArray[np.float32], version: int, step: _Step) -> NDArray[np.float32]:
    """Smooth displacement (S, S, 2), in pixels of the crop, from the edges of the expected picture to the crop's."""
    field, weight = flow(crop, dark, version)
    if step.degree is not None:
        return fit_polynomial(field, weight, step.degree)
    return fit_locally(field, weight * resemblance(crop, dark, version) ** 2, step.reach)
