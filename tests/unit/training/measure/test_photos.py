"""The command that measures photographs counts reads, contradictions and rungs as it says."""

import json
from pathlib import Path

import cv2
import numpy as np

from app.pipeline.engines.symbol import Symbol
from app.pipeline.ladder import Outcome
from app.pipeline.qrcode.patterns import render
from training.data.symbols import corpus
from training.measure.photos import Photo, Result, load_photos, report_photos


def photo(*payloads: bytes, codes: int = 1) -> Photo:
    return Photo(path=Path("a.png"), group="g", codes=codes, payloads=frozenset(payloads))


def symbol(payload: bytes) -> Symbol:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    return Symbol(payload, payload.decode(), "Text", "QRCode", 1, "L", "zxing", corners)


def test_contradiction_needs_every_payload_to_be_known() -> None:
    assert photo(b"a").is_contradicted([symbol(b"b")])
    assert not photo(b"a").is_contradicted([symbol(b"a ")])
    assert not photo(b"a", codes=2).is_contradicted([symbol(b"b")])
    assert not photo().is_contradicted([symbol(b"b")])


def test_manifest(tmp_path: Path) -> None:
    clean = render(corpus("tiny")[0].modules, pixels=4)
    cv2.imwrite(str(tmp_path / "a.png"), clean)
    row = {"file": "a.png", "set": "s", "codes": 1, "payloads_hex": [b" x ".hex()]}
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    (found,) = load_photos(tmp_path)
    assert found.payloads == {b"x"}
    assert np.array_equal(cv2.imread(str(found.path), cv2.IMREAD_GRAYSCALE), clean)


def test_report_counts() -> None:
    empty = Outcome(codes=(), width=1, height=1, route=None, trace=(), truncated=False)
    results = [Result(photo(), by_zxing=True, zxing_seconds=0.1, outcome=empty, seconds=0.2) for _ in range(3)]
    lines = list(report_photos(results))
    assert lines[1].split()[:3] == ["g", "3", "100.0"]
    assert "none 3" in lines[3]
