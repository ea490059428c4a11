"""The blur severity-based routing (BSR) unit of ADNet (Li et al., arXiv 2510.12098, section 2.4)."""

from dataclasses import dataclass

import cv2

from app.pipeline.imaging import GreyImage

THRESHOLD_KEY = "laplacian_threshold"
"""Under which calibration stores the threshold among a light checkpoint's measured figures."""
PAPER_THRESHOLD = 100.0
"""The threshold of the paper's published code, for a light checkpoint that was never calibrated."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one region was judged, and the network that this, or the client, chose for it."""

    laplacian_variance: float
    threshold: float
    network: str


def laplacian_variance(crop: GreyImage) -> float:
    """Variance of the Laplacian (4-neighbour kernel) of an 8-bit crop, in grey levels squared: low means blurred."""
    return float(cv2.Laplacian(crop, cv2.CV_64F).var())


def choose(score: float, threshold: float, *, light: str, heavy: str) -> Route:
    """Above the threshold to the light network, at or below it to the heavy one."""
    return Route(laplacian_variance=score, threshold=threshold, network=light if score > threshold else heavy)
