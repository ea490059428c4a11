"""qrestore: reads QR codes that stock decoders cannot, over HTTP and from the command line."""

import os
import sys

__version__ = "0.1.0"

# Without this `import openvino` sends a report to www.google-analytics.com and writes an id into the home folder. It
# does neither where this package cannot be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

# Without this `import onnxruntime`, from 1.29 on, sends reports to events.data.microsoft.com and writes an id into the
# home folder.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # noqa: TID251 - set, not read
