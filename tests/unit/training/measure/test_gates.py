from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.gates import Gates
from tests.support.codes import encode, photograph, square_at
from training.measure import gates
from training.measure.gates import ALTERNATIVES, load_pictures, settings


def test_every_gate_is_measured_on_both_sides_of_its_value() -> None:
    standard = asdict(Gates())
    assert ALTERNATIVES.keys() == standard.keys() - {"credible"}  # which decides what is told, not what is tried
    for name, (more, less) in ALTERNATIVES.items():
        assert more < standard[name] < less


def test_each_setting_changes_one_gate() -> None:
    (label, standard), *others = settings()
    assert (label, standard) == ("standard", Gates())
    for label, changed in others:
        different = [name for name, value in asdict(changed).items() if value != getattr(standard, name)]
        assert different == [label.partition(" ")[0]]


def test_files_that_are_no_pictures_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no picture")
    for name in "abc":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((30, 40), 90, np.uint8))
    assert [image.shape for image in load_pictures(tmp_path, every=2)] == [(30, 40), (30, 40)]


def test_a_closed_gate_costs_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = photograph(encode("behind a gate", version=2), square_at(70, 55, 125), (240, 270))
    cv2.imwrite(str(tmp_path / "code.png"), cv2.GaussianBlur(code, (0, 0), 4.5))
    monkeypatch.setattr(gates, "ALTERNATIVES", {"rectified": (0.4, 1.1), "modules": (0.4, 1.1)})
    gates.main([str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("codes")[1].split()[0] for line in lines] == ["1", "1", "1", "1", "0"]
