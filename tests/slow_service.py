"""The service, whose children read in the place of an image how many seconds to take: python -m tests.slow_service."""

import time
from typing import Any

from app.main import serve
from app.pipeline.climbing import Outcome
from app.pipeline.isolation import Ask, Handler
from app.settings import Settings


def factory(_: Ask) -> Handler:
    return _handle


def _handle(job: Any) -> Outcome:
    time.sleep(float(job.data))
    return Outcome(codes=(), width=1, height=1, route=None, trace=(), truncated=False)


if __name__ == "__main__":
    serve(Settings(port=0), factory=factory)
