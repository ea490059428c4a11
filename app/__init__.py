"""qrestore: reads QR codes that stock decoders cannot, over HTTP and from the command line."""

import sys

__version__ = "0.1.0"

# Without this `import openvino` sends a report to www.google-analytics.com and writes an id into the home folder. It
# does neither where this package cannot be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
