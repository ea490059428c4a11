"""Log-odds that modules are dark: what a module reader gives and soft decoding takes."""

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import function_patterns

LogOdds = NDArray[np.float32]
"""Natural logarithm of the odds that each module is dark, (M, M): positive is dark, 0 says nothing."""


def probability(log_odds: LogOdds) -> NDArray[np.float32]:
    """Probability that each module is dark."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))), dtype=np.float32)


def confidence(log_odds: LogOdds) -> float:
    """How far the modules are from even odds on average, 0 to 1."""
    return float(np.tanh(np.abs(log_odds) / 2).mean())


def rebuild_modules(log_odds: LogOdds, version: int) -> NDArray[np.bool_]:
    """The modules (True is dark) as read, function patterns as the standard says, (M, M)."""
    patterns = function_patterns(version)
    return np.where(patterns.known, patterns.dark, log_odds > 0)
