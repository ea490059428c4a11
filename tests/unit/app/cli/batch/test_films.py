"""`qrestore decode` on files of frames: animations, and with QRESTORE_VIDEO=true videos."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.cli import terminal
from app.cli.main import main
from tests.support.codes import qr_picture
from tests.support.command import lines
from tests.support.fakes import FakeLadder
from tests.support.videos import video


def test_a_video(
    tmp_path: Path, configured: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = np.full((240, 320), 255, np.uint8)
    code = qr_picture("filmed", scale=4)
    sheet[20 : 20 + len(code), 20 : 20 + len(code)] = code
    file = tmp_path / "x.mp4"
    file.write_bytes(video([np.roll(sheet, 2 * number, axis=1) for number in range(20)]))
    command = ["decode", str(file), "--effort", "fast", "--annotate", str(tmp_path / "out")]
    assert main(command) == terminal.BAD_FILE
    (line,) = lines(capsys.readouterr().out)
    assert "an MP4 video" in line["problem"]["detail"]
    assert "QRESTORE_VIDEO=true" in line["problem"]["detail"]
    monkeypatch.setenv("QRESTORE_VIDEO", "true")
    assert main(command) == terminal.SUCCESS
    (line,) = lines(capsys.readouterr().out)
    (found,) = line["codes"]
    assert found["text"] == "filmed"
    assert line["pages"][found["page"]]["seconds"] == pytest.approx(found["page"] / 30, abs=0.1)
    assert len(line["annotated"]) == line["page_count"] > 1


def test_frames_that_come_back_are_annotated_as_they_are_numbered(
    tmp_path: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
) -> None:
    shades = [Image.fromarray(np.full((48, 64), 40 * number, np.uint8)) for number in (1, 2, 1, 3)]
    file = tmp_path / "x.png"
    shades[0].save(file, save_all=True, append_images=shades[1:], duration=50)
    assert main(["decode", str(file), "--annotate", str(tmp_path / "out")]) == terminal.SUCCESS
    (line,) = lines(capsys.readouterr().out)
    assert [Path(each).name for each in line["annotated"]] == ["x.png.1.png", "x.png.2.png", "x.png.4.png"]
    assert [int(np.median(cv2.imread(each))) for each in line["annotated"]] == [40, 80, 120]
