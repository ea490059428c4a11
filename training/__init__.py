"""Trains, measures, compares and releases the networks that the service loads.

Training itself needs only a checkout with torch, numpy, OpenCV and safetensors; other commands need the extra
``training``. The service never imports this package.
"""

import app  # noqa: F401 - before other packages, of which it keeps some from reporting that they are used
