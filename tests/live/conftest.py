"""The services that the inputs of docs/bad-inputs.md are sent to: the real one, and one whose children misbehave."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.live.poison import MISBEHAVING
from tests.support.live.servers import GOOD, Answer, Server, request, running, upload

SLOTS, QUEUE = 2, 2
DEADLINE: Final = 3.0
PATIENCE: Final = 17.0
"""Seconds for each picture, so that a slow machine reads it, too."""
_MOST_GROWTH: Final = 96 << 20


@dataclass(frozen=True, slots=True)
class Beginning:
    """The service after its first pictures: its process, its resident bytes, its folder of temporary files."""

    pid: int
    memory: int
    folder: Path


@pytest.fixture(scope="session")
def started(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Beginning]]:
    """The real service. When all inputs have been sent it must be the same process, well, and hardly larger."""
    folder = tmp_path_factory.mktemp("server-tmp")
    with running(weights=weights, workers=2, folder=folder, budget_seconds=PATIENCE) as server:
        for _ in range(4):
            server.assert_well()
        beginning = Beginning(server.pid, server.memory(), folder)
        yield server, beginning
        assert_survived(server, beginning)


def assert_survived(server: Server, beginning: Beginning) -> None:
    assert server.process.poll() is None
    assert server.get("/readyz").status == 200
    assert server.memory() - beginning.memory < _MOST_GROWTH
    for reason in ("crash", "timeout"):
        assert server.restarts(reason) == 0
    assert server.metric("qrestore_in_flight") == 1  # the scrape itself
    assert server.metric("qrestore_errors_total", category="internal") == 0
    assert "Traceback" not in server.log_text()


@pytest.fixture
def server(started: tuple[Server, Beginning]) -> Iterator[Server]:
    """The real service; after each test it must be well."""
    yield started[0]
    started[0].assert_well()


@pytest.fixture
def beginning(started: tuple[Server, Beginning]) -> Beginning:
    return started[1]


@dataclass(frozen=True, slots=True)
class Misbehaving:
    """A service of few places whose children do what pictures say, and what it answered while it was loading."""

    server: Server
    while_loading: tuple[Answer, ...]


def misbehaving_service(weights: Path, **settings: object) -> AbstractContextManager[Server]:
    """A service of few places whose children do what pictures say, under these settings."""
    ours = {"workers": SLOTS, "queue": QUEUE, "worker_memory_bytes": 512 << 20}
    ours |= {"slow_workers": 1, "quick_seconds": 60}  # no work counts as slow
    return running(entry=MISBEHAVING, weights=weights, **ours | settings)


@pytest.fixture(scope="session")
def misbehaving(weights: Path) -> Iterator[Misbehaving]:
    requests = (upload(GOOD), *(request(line=b"GET " + path, kind=b"") for path in (b"/readyz", b"/models", b"/livez")))
    with misbehaving_service(weights, ready=False, request_seconds=DEADLINE) as server:
        answers = tuple(server.send(raw) for raw in requests)
        server.await_ready()
        yield Misbehaving(server, answers)
