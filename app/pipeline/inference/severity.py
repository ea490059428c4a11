"""The blur severity-based routing (BSR) unit of ADNet (Li et al., arXiv 2510.12098, section 2.4)."""

from dataclasses import dataclass

import cv2

from app.pipeline.imaging import GreyImage

THRESHOLD_KEY = "laplacian_threshold"
"""Key among a light checkpoint's measured figures: the threshold that calibration stored."""
PAPER_THRESHOLD = 100.0
"""The threshold of the paper's published code, for a light checkpoint that was never calibrated."""


@dataclass(frozen=True, slots=True)
class Route:
    """What routing by blur severity, or the client, chose for a region: the network, and the sharpness judged by."""

    laplacian_variance: float
    threshold: float
    network: str


def laplacian_variance(crop: GreyImage) -> float:
    """The blur severity that routing judges by: variance of the Laplacian (4-neighbour kernel) of an 8-bit crop, in
    squared grey levels; low means blurred."""
    return float(cv2.Laplacian(crop, cv2.CV_64F).var())


def choose(score: float, threshold: float, *, light: str, heavy: str) -> Route:
    """Routes by blur severity: crops with a score above the threshold to the light network, all others to the heavy
    one."""
    return Route(laplacian_variance=score, threshold=threshold, network=light if score > threshold else heavy)
