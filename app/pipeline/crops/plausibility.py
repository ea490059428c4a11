"""Tests whether a reading explains the picture: the guard against payloads that were never there.

Noise read module by module gives modules as well, and error correction sometimes makes a payload of them. But only a
code has function patterns where the standard puts them. So the test blurs the modules that were read with the kernel
that fits the crop best; the function patterns, which had no part in the fit, must then look like the crop as well.
Unlike plain correlation with the patterns, this also works for codes so blurred that the patterns smear into their
neighbours.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.blur import SAMPLES, Comparison, Places
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, function_patterns


def explained_correlation(crop: GreyImage, dark: NDArray[np.float32], version: int) -> float:
    """How plausible a reading is: correlation, -1 to 1, of the function patterns in a canonical crop with what the
    modules that were read predict there.

    ``dark`` (M, M): probability that each module is dark; function patterns are set to what the standard fixes.
    """
    comparison = Comparison.of(crop, dark, version)
    fitted, judged = _places(version)
    return comparison.agreement(comparison.kernel(fitted), judged)


@cache
def _places(version: int) -> tuple[Places, Places]:
    """Samples of the data modules, which the kernel is fitted to, and of the function patterns, which test it."""
    patterns = function_patterns(version)
    cells = np.ones((SAMPLES, SAMPLES), dtype=np.bool_)
    data, known = (np.nonzero(np.kron(np.pad(part, QUIET_ZONE), cells)) for part in (patterns.data, patterns.known))
    return (data[0], data[1]), (known[0], known[1])
