"""Whether a reading explains the picture: the guard against payloads that were never there.

Noise, read module by module, gives modules too, and error correction now and then makes a payload of them. What such a
reading cannot have is function patterns: they lie where the standard wants them only in a code. So the modules read are
blurred until they look most like the crop, with the kernel that fits best, and the function patterns, which had no part
in the fit, must then look like the crop as well. Unlike plain correlation with the patterns this holds for codes so
blurred, too, that their patterns are smeared over their neighbours.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.blur import SAMPLES, Comparison, Places
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, function_patterns


def explained_correlation(crop: GreyImage, dark: NDArray[np.float32], version: int) -> float:
    """Correlation, at most 1, of the function patterns in a canonical crop with what the modules read predict there.

    ``dark``: probability that each module is dark, (M, M); function patterns are set to what the standard says.
    """
    comparison = Comparison.of(crop, dark, version)
    fitted, judged = _places(version)
    return comparison.agreement(comparison.kernel(fitted), judged)


@cache
def _places(version: int) -> tuple[Places, Places]:
    """Samples of the data modules, to fit on, and of the function patterns, to judge by."""
    patterns = function_patterns(version)
    cells = np.ones((SAMPLES, SAMPLES), dtype=np.bool_)
    data, known = (np.nonzero(np.kron(np.pad(part, QUIET_ZONE), cells)) for part in (patterns.data, patterns.known))
    return (data[0], data[1]), (known[0], known[1])
