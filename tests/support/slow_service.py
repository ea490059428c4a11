"""The service, whose children read in the place of an image how many seconds to take: python -m tests.support.slow_service."""

import time
from typing import Any

from app.pipeline.results import Outcome
from app.workers.process import Handler, Infer


def factory(_: Infer) -> Handler:
    return _handle


def _handle(job: Any) -> Outcome:
    time.sleep(float(job.data))
    return Outcome(codes=(), width=1, height=1, route=None, trace=(), truncated=False)


if __name__ == "__main__":  # children import the rest again
    from app.main import serve
    from app.settings import Settings

    serve(Settings(port=0), factory=factory)
