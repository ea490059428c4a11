"""One service that every ordinary row of the list is sent to, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.servers import Server, running


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
