"""Rates with confidence intervals, in which every measuring command states its results."""

from dataclasses import dataclass
from math import sqrt

Z95 = 1.959964
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Rate:
    """A measured rate, ``hits`` out of ``n``; its text is a percentage with the 95 % interval."""

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
