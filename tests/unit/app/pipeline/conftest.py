"""The ladder that is shipped, for tests of what it reads."""

import pytest

from app.pipeline.ladder import Ladder
from tests.support.bench import shipped_ladder


@pytest.fixture(scope="session")
def ladder() -> Ladder:
    """Reads at most four codes of a picture."""
    return shipped_ladder(4)
