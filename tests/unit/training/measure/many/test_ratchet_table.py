"""The shipped ladder reads at least what the table of the synthetic sets says.

If more is read, a row prints "raise the number": `python -m training.measure.many --ratchet --raise` does it.
"""

import argparse
import sys

import pytest

from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from tests.support.paths import ROOT
from training.measure.many.__main__ import TABLE, measure_table
from training.measure.many.sets import NAMES
from training.measure.ratchet import Row, compare, load_table
from training.measure.served_tools import add_options, load_tools

ROWS = load_table(TABLE)


@pytest.fixture(scope="module")
def tools() -> Tools:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return load_tools(parser.parse_args(["--weights", str(ROOT / "weights")]))


def test_every_set_has_a_row() -> None:
    assert {row.name for row in ROWS} == set(NAMES)
    assert {row.effort for row in ROWS} == set(Effort)
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_rows_are_possible() -> None:
    for row in ROWS:
        assert 0 <= row.reads <= row.pictures
        assert row.reads <= row.codes <= row.labelled


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.effort}")
def test_no_fewer_reads_and_no_more_extras(row: Row, tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = compare([row], measure_table(tools, [row]))
    assert not verdict.lost
    with capsys.disabled():
        for line in verdict.gained:
            sys.stdout.write(f"\nraise the number: {line}\n")
