"""The command that measures photographs counts reads, contradictions, places and rungs as it says."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.engines.symbol import Symbol
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad, square
from app.pipeline.results import Effort
from tests.support.codes import encode, photograph, scrambled, square_at
from tests.support.fakes import FakeLadder
from tests.support.fakes import symbol as read_symbol
from tests.support.paths import ROOT
from training.data.corpus import corpus
from training.measure.photos import Photo, Result, load_photos, main, ratchet_rows, report_photos
from training.measure.places import PlaceCount
from training.measure.ratchet import Row, load_table, save_table

SIDE = 150.0


def photo(*payloads: bytes, codes: int = 1, quads: tuple[Quad, ...] = (), group: str = "g") -> Photo:
    return Photo(path=Path("a.png"), group=group, codes=codes, payloads=frozenset(payloads), quads=quads)


def symbol(payload: bytes, x: float = 0.0) -> Symbol:
    return read_symbol(payload.decode(), payload).at(Quad.of(square(1)).moved(x, 0))


def result(of: Photo, *symbols: Symbol, seconds: float = 0.2) -> Result:
    outcome = FakeLadder(symbols=symbols).run(np.zeros((1, 1), np.uint8), effort=Effort.BALANCED)
    return Result(of, by_zxing=True, zxing_seconds=0.1, outcome=outcome, seconds=seconds)


def outlines(*lefts: float) -> tuple[Quad, ...]:
    return tuple(Quad.of(square(1)).moved(left, 0) for left in lefts)


def test_contradiction_needs_every_payload_to_be_known() -> None:
    assert photo(b"a").is_contradicted([symbol(b"b")])
    assert not photo(b"a").is_contradicted([symbol(b"a ")])
    assert not photo(b"a", codes=2).is_contradicted([symbol(b"b")])
    assert not photo().is_contradicted([symbol(b"b")])


def test_manifest(tmp_path: Path) -> None:
    clean = render(corpus("tiny")[0].modules, pixels=4)
    cv2.imwrite(str(tmp_path / "a.png"), clean)
    row = {"file": "a.png", "set": "s", "codes": 1, "payloads_hex": [b" x ".hex()]}
    corners = [[1, 2], [30, 2], [30, 31], [1, 31.5]]
    (tmp_path / "manifest.json").write_text(json.dumps([row, row | {"quads": [corners]}]))
    found, labelled = load_photos(tmp_path)
    assert found.payloads == {b"x"}
    assert found.quads == ()
    assert labelled.quads == (Quad.of(corners),)
    assert np.array_equal(cv2.imread(str(found.path), cv2.IMREAD_GRAYSCALE), clean)


def test_report_counts() -> None:
    lines = list(report_photos([result(photo()) for _ in range(3)]))
    assert lines[1].split()[:3] == ["g", "3", "100.0"]
    assert "none 3" in lines[3]
    assert lines[-1].startswith("any code read in 0 of 3 pictures, 0.0 [")


def test_places_are_counted_only_where_the_outlines_are_known() -> None:
    answers = symbol(b"a"), symbol(b"b", x=9)
    assert result(photo(quads=outlines(0, 5)), *answers).places == PlaceCount(codes=2, hits=1, extras=1)
    assert result(photo(codes=2), *answers).places == PlaceCount()


def test_last_line_is_the_mean_of_the_categories() -> None:
    """However many codes a category has: 1 of 1 and 1 of 4 are 62.5 %, though 2 of 5 codes are hit."""
    results = [
        result(photo(quads=outlines(0), group="few"), symbol(b"a")),
        result(photo(quads=outlines(0, 2, 4, 6), codes=4, group="lots"), symbol(b"a", x=4), symbol(b"b", x=8)),
        result(photo(group="unlabelled")),
    ]
    lines = list(report_photos(results))
    assert lines[-1].startswith(
        "labelled codes hit, mean of 2 categories: 62.5 %; 2 of 5, 1 extra; any code read in 2 of 3 pictures, 66.7 ["
    )
    few, lots, unlabelled, everything = (line.split() for line in lines[1:5])
    assert few[-7:-3] == ["1", "1", "100.0", "[21-100]"]
    assert lots[-7:-2] == ["4", "1", "25.0", "[5-70]", "1"]
    assert unlabelled[-6:-2] == ["0", "0", "-", "0"]
    assert everything[-7:-2] == ["5", "2", "40.0", "[12-77]", "1"]


def test_seconds_are_those_of_the_category() -> None:
    lines = list(report_photos([result(photo(), seconds=float(seconds)) for seconds in range(101)]))
    assert lines[1].split()[-2:] == ["50.000", "95.000"]


def test_a_row_of_the_ratchet_holds_reads_codes_and_extras() -> None:
    results = [
        result(photo(quads=outlines(0, 2), codes=2), symbol(b"a"), symbol(b"b", x=7)),
        result(photo(quads=outlines(0))),
        result(photo(group="h"), symbol(b"a")),
    ]
    assert [*ratchet_rows(results, Effort.FAST)] == [
        Row("g", "fast", pictures=2, labelled=3, reads=1, codes=1, extras=1),
        Row("h", "fast", pictures=1, labelled=0, reads=1, codes=0, extras=0),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs: one of two codes that read, one of a code that never does."""
    directory = tmp_path_factory.mktemp("photographs")
    places = square_at(60, 60, SIDE), square_at(330, 70, SIDE)
    shape = (280, 560)
    pair = photograph(encode("left"), places[0], shape)
    pair = photograph(encode("right"), places[1], shape, paper=pair)
    cv2.imwrite(str(directory / "pair.png"), pair)
    cv2.imwrite(str(directory / "broken.png"), photograph(scrambled(encode("never")), places[0], shape))
    known = [b"left".hex(), b"right".hex()]
    rows = [
        {"file": "pair.png", "set": "pairs", "codes": 2, "payloads_hex": known, "quads": [q.tolist() for q in places]},
        {"file": "broken.png", "set": "broken", "codes": 1, "payloads_hex": [], "quads": [places[0].tolist()]},
    ]
    (directory / "manifest.json").write_text(json.dumps(rows))
    return directory


def measure(folder: Path, *options: str) -> None:
    main([str(folder), "--effort", "fast", "--weights", str(ROOT / "weights"), *options])


def test_the_command_reads_a_folder_and_holds_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.json"
    measure(folder, "--ratchet", str(table), "--raise")
    lines = capsys.readouterr().out.splitlines()
    assert "mean of 2 categories: 50.0 %; 2 of 3, 0 extra; any code read in 1 of 2 pictures" in lines[-4]
    assert lines[-1] == f"wrote {table}"
    rows = load_table(table)
    assert rows == [
        Row("broken", "fast", pictures=1, labelled=1, reads=0, codes=0, extras=0),
        Row("pairs", "fast", pictures=1, labelled=2, reads=1, codes=2, extras=0),
    ]
    fewer = Row("pairs", "fast", pictures=1, labelled=2, reads=1, codes=1, extras=0)
    save_table(table, [Row("broken", "fast", pictures=1, labelled=1, reads=1, codes=1, extras=0), fewer])
    with pytest.raises(SystemExit, match="lost: broken, fast: 0 pictures read, not 1; 0 codes read, not 1"):
        measure(folder, "--ratchet", str(table))
    assert "raise the number: pairs, fast: reads 1 -> 1, codes 1 -> 2" in capsys.readouterr().out


def test_an_empty_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(SystemExit):
        measure(tmp_path)
    assert "lists no photographs" in capsys.readouterr().err
