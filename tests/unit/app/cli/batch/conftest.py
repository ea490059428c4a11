"""What the tests of reading many files share."""

import pytest

from tests.support.command import decode_with
from tests.support.fakes import FakeLadder, symbol


@pytest.fixture
def ladder(monkeypatch: pytest.MonkeyPatch) -> FakeLadder:
    """The ladder by which the command reads: one code in every picture."""
    ladder = FakeLadder(symbols=(symbol(),))
    decode_with(ladder, monkeypatch)
    return ladder
