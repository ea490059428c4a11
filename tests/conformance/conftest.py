"""The encoders of npm live in a folder of their own while the tests run."""

from collections.abc import Iterator

import pytest

from tests.conformance.encoders.by_npm import remove_installed


@pytest.fixture(autouse=True, scope="session")
def _without_leftovers() -> Iterator[None]:
    yield
    remove_installed()
