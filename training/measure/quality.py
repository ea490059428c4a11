"""Figures of merit: confidence intervals of rates, and fidelity of restored pictures."""

from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage

Z95 = 1.959964
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Rate:
    """``hits`` out of ``n``; its text is a percentage with the 95 % interval."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """In [0, 1]; NaN for n = 0."""
        return self.hits / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson score interval (Wilson 1927), in [0, 1]."""
        if not self.n:
            return 0.0, 1.0
        p, z2 = self.value, Z95 * Z95 / self.n
        centre, reach = (p + z2 / 2) / (1 + z2), Z95 * sqrt(p * (1 - p) / self.n + z2 / (4 * self.n)) / (1 + z2)
        return max(0.0, centre - reach), min(1.0, centre + reach)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:5.1f} [{100 * low:.0f}-{100 * high:.0f}]"


def psnr(restored: GreyImage, clean: GreyImage) -> float:
    """Peak signal-to-noise ratio in dB, at most 100, which equal pictures have."""
    error = float(np.mean((restored.astype(np.float64) - clean) ** 2))
    return min(100.0, 10 * np.log10(255**2 / error)) if error else 100.0


def ssim(restored: GreyImage, clean: GreyImage) -> float:
    """Mean structural similarity, in [-1, 1], with an 11-pixel gaussian window of sigma 1.5 (Wang et al., TIP 2004)."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), dtype=np.float64)

    x, y = restored.astype(np.float64), clean.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))
