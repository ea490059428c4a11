"""Programs that break or crowd a running service: here for a moment only."""

import pytest

from tools import chaos, memory
from tools.load import hostile

pytestmark = pytest.mark.slow


def test_a_killed_child_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main(["child-killed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(maxsplit=1)[-1] for line in lines] == ["ok", "ok"]


@pytest.mark.skipif(not chaos.FAKETIME, reason="apt-get install faketime")
def test_jumps_of_the_clock_harm_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main(["clock-jumps"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(maxsplit=1)[-1] for line in lines] == ["ok"] * 4


@pytest.mark.timeout(600)
def test_the_table_has_a_row_for_each_attack() -> None:
    head, rule, *rows = hostile.lines(0.5)
    assert (head.count("|"), rule.count("|")) == (6, 6)
    assert [row.split(" | ")[0][2:] for row in rows] == ["nothing", *hostile.ATTACKS, "all of them"]


@pytest.mark.parametrize(("text", "size"), [("4g", 4 << 30), ("512M", 512 << 20), ("0.5g", 512 << 20), ("77", 77)])
def test_sizes(text: str, size: int) -> None:
    assert memory._size(text) == size
