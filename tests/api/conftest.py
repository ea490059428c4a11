"""One started application over a fake ladder that finds nothing by default."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import FakeLadder


@pytest.fixture
def ladder() -> FakeLadder:
    return FakeLadder()


@pytest.fixture
def client(start: Callable[..., TestClient], ladder: FakeLadder) -> TestClient:
    return start(ladder)
