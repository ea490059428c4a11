"""`qrestore decode` over a ladder of the test, without child processes."""

import json
from typing import Any

import pytest

from app.cli import decode
from app.service import Runtime
from app.settings import Settings
from app.workers.jobs import LadderLike, Pipeline
from app.workers.worker import InProcessWorker


def decode_with(ladder: LadderLike, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the command read with this ladder."""
    pipeline = Pipeline(ladder=ladder, max_pixels=Settings().max_pixels)
    runtime = Runtime(worker=InProcessWorker(pipeline))
    monkeypatch.setattr(decode, "load_service", lambda settings, metrics, **_: runtime)


def lines(text: str) -> list[dict[str, Any]]:
    """The objects of lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]
