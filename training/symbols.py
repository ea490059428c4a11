"""Symbols to train and to measure on."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.symbology import dimension, function_patterns


def random_symbol(rng: Generator, version: int) -> NDArray[np.bool_]:
    """Modules (True is dark) of a symbol with all its function patterns and fair random bits everywhere else.

    Masked codewords look like fair bits, so this teaches what a corpus of encoded texts would, without repeating.
    It does not decode.
    """
    patterns = function_patterns(version)
    size = dimension(version)
    return np.where(patterns.known, patterns.dark, rng.random((size, size)) < 0.5)
