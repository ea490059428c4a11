"""Decodes and restores QR codes, from image bytes to payloads.

Synchronous. Knows neither HTTP nor settings: callers pass plain values.
"""

import os
from typing import Final

PIXEL_CEILING: Final = 1 << 28
"""Most pixels that OpenCV decodes, whatever the settings say.

OpenCV reads this limit once, when its library is loaded, so it is set here, before any module of the pipeline imports
cv2.
"""

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(PIXEL_CEILING))

# OpenCV writes to stderr what it finds wrong with a file, which would let clients fill the log. It reads the variable
# when it is loaded.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

# Matrix products here are small: a second BLAS thread costs more than it gains. OpenBLAS reads the variable when numpy
# is loaded, so it applies to processes that are started from this one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
