"""The command that reads photographs with every decoder judges and times all of them alike."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad
from tests.support.codes import encode, photograph, square_at
from tests.support.fakes import symbol as read_symbol
from tests.support.paths import ROOT
from training.measure.decoders import IsolatedEngine, OpenCVDetector
from training.measure.photos import Photo
from training.measure.photos_beside import Answer, answer, main, report, timed
from training.measure.places import PlaceCount

BLANK = np.full((40, 40), 255, np.uint8)


def test_an_answer_is_judged_by_its_label_and_by_place() -> None:
    square, beside = Quad.of(square_at(0, 0, 10)), Quad.of(square_at(20, 0, 10))
    photo = Photo(Path("a.png"), "g", 1, frozenset({b"a"}), (square,))

    def read(image: GreyImage) -> tuple[list[Symbol], float]:
        assert image is BLANK
        return [read_symbol("a", b"a").at(square), read_symbol("b", b"b").at(beside)], 0.25

    assert answer(read, photo, BLANK) == Answer(True, True, PlaceCount(1, 1, 1), 0.25)
    assert answer(lambda _: ([], 0.5), photo, BLANK) == Answer(False, False, PlaceCount(1, 0, 0), 0.5)
    unlabelled = Photo(Path("a.png"), "g", 1, frozenset({b"a"}))
    assert answer(read, unlabelled, BLANK).places == PlaceCount()


def test_a_guarded_decoder_is_timed_in_its_own_process() -> None:
    guarded = IsolatedEngine(OpenCVDetector, name="opencv")
    try:
        _, seconds = timed(guarded)(BLANK)
        assert seconds == guarded.seconds > 0
    finally:
        guarded.close()
    symbols, seconds = timed(OpenCVDetector())(BLANK)
    assert (symbols, seconds > 0) == ([], True)


def test_a_row_holds_rates_places_and_times() -> None:
    answers = [Answer(True, False, PlaceCount(2, 1, 1), 0.1), Answer(False, False, PlaceCount(1, 0, 0), 0.5)]
    ours = [Answer(False, False, PlaceCount(), 1.0), Answer(True, True, PlaceCount(), 1.0)]
    head, row, bare, together = report({"zbar": answers, "qrestore": ours})
    assert head.split() == ["decoder", "n", "read", "%", "wrong", "codes", "hit", "%", "extra", "mean", "s", "p50", "s"]
    assert row.split() == ["zbar", "2", "50.0", "[9-91]", "0", "3", "33.3", "[6-79]", "1", "0.300", "0.300"]
    assert bare.split() == ["qrestore", "2", "50.0", "[9-91]", "1", "0", "-", "0", "1.000", "1.000"]
    assert together == "read by any of the others:  50.0 [9-91]"


def test_the_command_has_a_row_for_each_decoder_and_the_ladder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, corners = tmp_path / "manifest.json", square_at(30, 30, 150)
    cv2.imwrite(str(tmp_path / "a.png"), photograph(encode("beside"), corners, (210, 210)))
    row = {"file": "a.png", "set": "s", "codes": 1, "payloads_hex": [b"beside".hex()], "quads": [corners.tolist()]}
    manifest.write_text(json.dumps([row]))
    command = [str(tmp_path), "--effort", "fast", "--weights", str(ROOT / "weights")]
    main(command)
    _, *rows, _ = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in rows][:3] == ["zbar", "zxing", "opencv"]
    assert rows[-1].split()[:8] == ["qrestore", "1", "100.0", "[21-100]", "0", "1", "100.0", "[21-100]"]
    manifest.write_text("[]")
    with pytest.raises(SystemExit):
        main(command)
    assert "lists no photographs" in capsys.readouterr().err
