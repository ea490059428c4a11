"""The two services that the rows of the list are sent to, one after the other: one as it is, one that misbehaves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.live.poisoning import ENTRY
from tests.support.live.servers import GOOD, Answer, Server, request, running, upload

SLOTS, QUEUE = 2, 2
DEADLINE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the service was when it had just read its first pictures."""

    pid: int
    memory: int
    folder: Path


@pytest.fixture(scope="session")
def started(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Beginning]]:
    folder = tmp_path_factory.mktemp("server-tmp")
    with running(weights=weights, workers=2, folder=folder) as server:
        for _ in range(4):
            server.assert_well()
        yield server, Beginning(server.pid, server.memory(), folder)


@pytest.fixture
def server(started: tuple[Server, Beginning]) -> Iterator[Server]:
    """The common service; after each test it must be well."""
    yield started[0]
    started[0].assert_well()


@pytest.fixture
def beginning(started: tuple[Server, Beginning]) -> Beginning:
    return started[1]


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A service of few places whose children do what pictures say, and what it answered while it was loading."""

    server: Server
    while_loading: tuple[Answer, ...]


@pytest.fixture(scope="session")
def poisoned(weights: Path) -> Iterator[Poisoned]:
    settings = {"workers": SLOTS, "queue": QUEUE, "request_seconds": DEADLINE, "worker_memory_bytes": 512 << 20}
    asked = (upload(GOOD), *(request(line=b"GET " + path, kind=b"") for path in (b"/readyz", b"/models", b"/livez")))
    with running(entry=ENTRY, weights=weights, ready=False, **settings) as server:
        answers = tuple(server.send(raw) for raw in asked)
        server.await_ready()
        yield Poisoned(server, answers)
