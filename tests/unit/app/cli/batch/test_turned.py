"""`qrestore decode` on photographs that viewers turn."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.cli import terminal
from app.cli.main import main
from tests.support.command import decode_with
from tests.support.fakes import FakeLadder, symbol
from tests.support.live.pictures import exif


def test_frames_are_as_viewers_show_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decode_with(FakeLadder(symbols=(symbol(),)), monkeypatch)
    jpeg = cv2.imencode(".jpg", np.full((40, 60), 200, np.uint8))[1].tobytes()
    (tmp_path / "x.jpg").write_bytes(jpeg[:2] + exif(6) + jpeg[2:])
    command = ["decode", str(tmp_path / "x.jpg"), "--annotate", str(tmp_path / "out"), "--frame"]
    sizes = []
    for frame in ("stored", "upright"):
        assert main([*command, frame]) == terminal.SUCCESS
        answer = json.loads(capsys.readouterr().out)
        (outlined,) = answer["annotated"]
        size = answer["image"]["width"], answer["image"]["height"]
        assert cv2.imread(outlined).shape[1::-1] == size
        sizes.append((size, answer["codes"][0]["position"]))
    (stored, corners), (upright, turned) = sizes
    assert (stored, upright) == ((60, 40), (40, 60))
    assert turned == [[40 - y, x] for x, y in corners]
