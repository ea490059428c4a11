"""From image bytes to decoded codes: synchronous, free of HTTP, handed plain values."""

import os
from typing import Final

PIXEL_CEILING: Final = 1 << 28
"""Most pixels that OpenCV may ever decode, whatever the settings say.

OpenCV reads its own limit once, when its library is loaded, so it is set here, before any
room of the pipeline imports it.
"""

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(PIXEL_CEILING))

# The products of matrices here are small: a second thread of BLAS costs them more than it brings. Read when numpy's
# library is loaded, so it holds for processes that are started from this one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
