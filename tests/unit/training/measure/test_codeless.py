"""The pictures without a code hold none, and every read of one is printed."""

from pathlib import Path

import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from app.pipeline.files.png import encode_png
from app.pipeline.tools import Tools
from tests.support.fakes import symbol
from tests.support.micro_codes import micro_modules, micro_picture
from tests.support.paths import ROOT
from training.measure import codeless
from training.measure.codeless import KINDS, SCENE, codeless_picture, main


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_depend_on_kind_and_number_only(kind: str) -> None:
    first, second = (codeless_picture(kind, number) for number in (0, 1))
    assert first.dtype == np.uint8
    assert np.array_equal(first, codeless_picture(kind, 0))
    assert first.shape != second.shape or not np.array_equal(first, second)
    assert np.ptp(first) > 40


@pytest.mark.parametrize("kind", KINDS)
def test_no_picture_holds_a_code(kind: str) -> None:
    assert not any(ZXing().read(codeless_picture(kind, number)) for number in range(4))


def test_the_command_prints_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--kinds", SCENE, "checkerboard", "--count", "2", "--effort", "fast", "--weights", str(ROOT / "weights")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "scene: 2 pictures without a code, 0 with a false read, at most 65.76 % (95 %)"
    assert lines[2].startswith("checkerboard: 2 pictures")
    assert len(lines) == 4


def test_false_reads_are_counted_by_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def inventive(tools: Tools, kind: str, **options: object) -> object:
        found = codeless.Found(symbol=symbol("invented"), rung="soft")
        yield from [(0.1, 0.4, (found, found)), (0.2, 0.5, ()), (0.6, 0.7, ())]

    monkeypatch.setattr(codeless, "load_tools", lambda options: None)
    monkeypatch.setattr(codeless, "read_codeless", inventive)
    main(["--kinds", "text", "--count", "3", "--start", "7"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["text 7: soft read b'invented'"] * 2
    assert lines[2].startswith("text: 3 pictures without a code, 1 with a false read")
    assert lines[3] == "  median 200 ms per picture, longest 600 ms, median 500 ms of the processor"


def test_the_rung_for_micro_codes_is_asked_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = ["--weights", str(ROOT / "weights")]
    main(["--micro", "quickly", "--kinds", "checkerboard", "--count", "2", *weights])
    assert capsys.readouterr().out.startswith("checkerboard: 2 pictures, 0 with a false read, at most 65.76 % (95 %)\n")
    picture = micro_picture(micro_modules("M4", "M", "no accident"[:9]), pixels=6, blur=0.6, noise=10)
    (tmp_path / "a.png").write_bytes(encode_png(picture))
    (tmp_path / "README.md").write_text("no picture")
    main(["--micro", "patiently", "--folder", str(tmp_path), *weights])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path} 0: micro read b'no accide'"
    assert lines[1].startswith(f"{tmp_path}: 1 pictures, 1 with a false read")


def test_a_folder_is_for_the_rung_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--folder", "anywhere"])
    assert "--folder needs --micro" in capsys.readouterr().err
