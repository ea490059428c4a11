"""Log-odds that modules are dark: the output of a module reader and the input of soft decoding."""

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import function_patterns

LogOdds = NDArray[np.float32]
"""Natural logarithm of the odds that each module is dark, (M, M): positive is dark, 0 says nothing."""


def probability(log_odds: LogOdds) -> NDArray[np.float32]:
    """Probability, 0 to 1, that each module is dark."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))), dtype=np.float32)


def confidence(log_odds: LogOdds) -> float:
    """Mean distance of the modules from even odds, 0 to 1."""
    return float(np.tanh(np.abs(log_odds) / 2).mean())


def rebuild_modules(log_odds: LogOdds, version: int) -> NDArray[np.bool_]:
    """Modules (M, M), True is dark, by the signs of the log-odds; function patterns as the standard fixes them."""
    patterns = function_patterns(version)
    return np.where(patterns.known, patterns.dark, log_odds > 0)
