"""A ratchet goes up only."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.measure.ratchet import Row, compare, hold, load_table, merge, save_table

ROW = Row(name="a", effort="balanced", pictures=10, labelled=30, reads=8, codes=20, extras=1)
OTHER = replace(ROW, effort="thorough", reads=9, codes=28)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    save_table(tmp_path / "table.json", [ROW, OTHER])
    return tmp_path / "table.json"


def test_tables_survive_the_file(table: Path, tmp_path: Path) -> None:
    assert load_table(table) == [ROW, OTHER]
    assert len(table.read_text().splitlines()) == 4
    assert load_table(tmp_path / "none.json") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reads": 7}, "7 pictures read, not 8"),
        ({"codes": 19}, "19 codes read, not 20"),
        ({"extras": 2}, "2 extra, not 1"),
        ({"codes": 25, "extras": 2}, "2 extra, not 1"),
        ({"pictures": 11, "reads": 11}, "measured 11 pictures with 30 codes, the table has 10 with 30"),
    ],
)
def test_less_is_lost(change: dict[str, int], reason: str) -> None:
    verdict = compare([ROW, OTHER], [replace(ROW, **change), OTHER])
    assert verdict.lost == (f"a, balanced: {reason}",)
    assert not verdict.gained


@pytest.mark.parametrize("change", [{"reads": 9}, {"codes": 21}, {"extras": 0}])
def test_more_is_gained(change: dict[str, int]) -> None:
    verdict = compare([ROW], [replace(ROW, **change)])
    assert not verdict.lost
    assert len(verdict.gained) == 1


def test_the_same_says_nothing(table: Path) -> None:
    before = table.read_bytes()
    assert [*hold(table, [ROW, OTHER], raised=True)] == []
    assert table.read_bytes() == before


def test_more_asks_for_the_number_to_be_raised(table: Path) -> None:
    better = replace(ROW, codes=24)
    lines = [*hold(table, [better], raised=False)]
    assert lines == ["raise the number: a, balanced: reads 8 -> 8, codes 20 -> 24, extras 1 -> 1"]
    assert load_table(table) == [ROW, OTHER]
    assert [*hold(table, [better], raised=True)][-1] == f"wrote {table}"
    assert load_table(table) == [better, OTHER]


def test_what_is_lost_ends_the_command_and_raises_nothing(table: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        list(hold(table, [replace(ROW, codes=24), replace(OTHER, reads=1)], raised=True))
    assert stopped.value.code == "lost: a, thorough: 1 pictures read, not 9"
    assert load_table(table) == [ROW, OTHER]


def test_a_new_table_begins_with_what_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "new.json"
    (line,) = hold(file, [ROW], raised=False)
    assert line == "raise the number: a, balanced: 8 of 10 pictures, 20 of 30 codes, 1 extra; not in the table yet"
    assert not file.exists()
    list(hold(file, [ROW], raised=True))
    assert load_table(file) == [ROW]


def test_rows_that_were_not_measured_stay() -> None:
    assert merge([ROW, OTHER], [replace(OTHER, codes=30)]) == [ROW, replace(OTHER, codes=30)]
