"""The service and its crews as workers of a Ray cluster (the extra `ray`): `serve` is the application on Ray Serve.

May import everything below `app.cli`. Importing this package tells Ray to send no usage statistics.
"""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
