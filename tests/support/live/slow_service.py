"""A service whose children take uploads for numbers of seconds to sleep: ``python -m tests.support.live.slow_service``.

Children import this module again, so it imports no more than they have anyway.
"""

import time
from typing import Any

from app.pipeline.results import Outcome
from app.workers.process import Handler, Infer


def factory(_: Infer) -> Handler:
    """What the service builds in each child."""
    return _sleep


def _sleep(job: Any) -> Outcome:
    time.sleep(float(job.data))
    return Outcome(codes=(), width=1, height=1, route=None, trace=(), truncated=False)


if __name__ == "__main__":
    from app.main import serve
    from app.settings import Settings

    serve(Settings(port=0), factory=factory)
