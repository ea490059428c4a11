"""Codes are counted by place and payload, and the command prints and holds what it counted."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.pipeline.engines.symbol import Symbol
from app.pipeline.quad import Quad, square
from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from tests.support.fakes import FakeLadder
from tests.support.fakes import symbol as read_symbol
from tests.support.paths import ROOT
from training.data.symbols import EncodedSymbol
from training.measure.many import __main__ as command
from training.measure.many.__main__ import main, report
from training.measure.many.ceiling import count_readable
from training.measure.many.picture import Picture, PlacedCode
from training.measure.many.reading import Misread, PictureResult, measure, ratchet_row
from training.measure.many.sets import pictures
from training.measure.ratchet import Row, load_table, save_table
from training.measure.served_tools import add_options, load_tools

PAYLOADS = (b"one", b"two", b"three")
PICTURE = Picture(
    image=np.zeros((10, 100), np.uint8),
    codes=tuple(
        PlacedCode(
            EncodedSymbol(payload, 1, "l", np.zeros((21, 21), np.bool_)),
            square(10) + np.array([30.0 * index, 0]),
            traits=("soft", "dots") if index else ("sharp",),
        )
        for index, payload in enumerate(PAYLOADS)
    ),
)


def answer(payload: bytes, left: float) -> Symbol:
    return read_symbol(payload.decode(), payload).at(Quad.of(square(10)).moved(left, 0))


def result(*answers: Symbol, truncated: bool = False) -> PictureResult:
    ladder = FakeLadder(symbols=answers, truncated=truncated)
    return measure(lambda image: ladder.run(image, effort=Effort.BALANCED), PICTURE)


def test_a_hit_needs_place_and_payload() -> None:
    counted = result(answer(b"one", 0), answer(b"two", 61), answer(b"three", 12))
    assert (counted.codes, counted.hits, counted.extras) == (3, 1, 1)
    assert counted.wrong == (Misread(b"two", b"three", "direct", misplaced=True),)
    assert counted.by_rung == {"direct": 1}
    assert counted.by_trait == {"sharp": (1, 1), "soft": (0, 2), "dots": (0, 2)}


def test_a_code_is_hit_once() -> None:
    counted = result(answer(b"one", 0), answer(b"one", 1))
    assert (counted.hits, counted.wrong, counted.extras) == (1, (), 1)


def test_seconds_are_those_of_reading() -> None:
    counted = result(answer(b"one", 0))
    assert counted.wall > 0
    assert counted.processor >= 0


def test_report_adds_up() -> None:
    results = [result(answer(b"one", 0), answer(b"two", 30)), result(answer(b"one", 0), truncated=True)]
    head, rungs, traits, cut = report("pallet", Effort.BALANCED, results)
    assert head.split()[:8] == ["pallet", "balanced", "2", "6", "3", "50.0", "[19-81]", "0"]
    assert rungs == "  by rung: direct 3"
    assert traits == "  by what was done: dots 1/4, sharp 2/2, soft 1/4"
    assert cut == "  1 pictures have more answers than 256"


def test_report_tells_wrong_answers() -> None:
    results = [result(), result(answer(b"two", 0), answer(b"four", 60))]
    *_, misplaced, invented = report("pallet", Effort.BALANCED, results, start=5)
    assert misplaced == "  wrong in picture 6: direct read another code's b'two', not b'one'"
    assert invented == "  wrong in picture 6: direct read b'four', not b'three'"


def test_wrong_payloads_are_extra_in_the_ratchet() -> None:
    results = [result(answer(b"one", 30), answer(b"two", 12)), result(answer(b"one", 0), answer(b"two", 30))]
    assert ratchet_row("pallet", "fast", results) == Row(
        "pallet", "fast", pictures=2, labelled=6, reads=1, codes=2, extras=2
    )


@pytest.fixture(scope="module")
def tools() -> Tools:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return load_tools(parser.parse_args(["--weights", str(ROOT / "weights")]))


def test_the_command_prints_sets_and_holds_them(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load_tools", lambda options: tools)
    table = tmp_path / "table.json"
    main(["clean", "jpeg10", "--count", "1", "--effort", "fast", f"--ratchet={table}", "--raise"])
    head, clean, *rest = capsys.readouterr().out.splitlines()
    assert head.split()[:5] == ["set", "effort", "n", "codes", "hit"]
    assert clean.split()[:4] == ["clean", "fast", "1", "100"]
    assert rest[-1] == f"wrote {table}"
    rows = load_table(table)
    assert [(row.key, row.pictures, row.labelled) for row in rows] == [
        (("clean", "fast"), 1, 100),
        (("jpeg10", "fast"), 1, 1),
    ]
    assert rows[0].codes > 50

    main([f"--ratchet={table}"])
    assert capsys.readouterr().out.splitlines() == [str(row) for row in rows]
    save_table(table, [Row("clean", "fast", pictures=1, labelled=100, reads=1, codes=101, extras=0)])
    with pytest.raises(SystemExit, match=r"lost: clean, fast: \d+ codes read, not 101"):
        main([f"--ratchet={table}"])


def test_pallets_can_be_read_by_whoever_finds_the_codes(tools: Tools) -> None:
    codes = readable = 0
    for picture in pictures("pallet", count=4):
        codes += len(picture.codes)
        readable += count_readable(tools.reader, picture)
    assert 0.97 * codes <= readable <= codes


def test_what_lies_elsewhere_is_not_readable(tools: Tools) -> None:
    (picture,) = pictures("jpeg10", count=1)
    (code,) = picture.codes
    assert count_readable(tools.reader, picture) == 1
    (other,) = next(pictures("jpeg10", start=1, count=1)).codes
    assert count_readable(tools.reader, replace(picture, codes=(replace(code, symbol=other.symbol),))) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a set, or --ratchet"),
        (["palette"], "no set is named palette; there are pallet"),
        (["page", "--ratchet", "--start", "3"], "leave --start out"),
        (["--ratchet=nowhere.json"], "a table that has rows"),
        (["page", "--raise"], "--raise needs --ratchet"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert words in capsys.readouterr().err
