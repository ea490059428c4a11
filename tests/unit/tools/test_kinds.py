"""docs/kinds.md shows every hard kind, by the picture that the tool draws."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.paths import ROOT
from tools.draw.kinds import FOLDER, example, main
from training.measure.many.kinds import KINDS

PAGE = (ROOT / "docs" / "kinds.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_what_the_tool_draws(kind: str) -> None:
    assert f"(kinds/{kind}.png)" in PAGE
    shown = cv2.imread(str(FOLDER / f"{kind}.png"), cv2.IMREAD_GRAYSCALE)
    drawn = example(kind)
    assert shown is not None
    assert shown.shape == drawn.shape
    assert max(drawn.shape) <= 200
    assert np.abs(shown.astype(int) - drawn).mean() < 2  # codecs differ a little from release to release


def test_nothing_else_is_shown(tmp_path: Path) -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == set(KINDS)
    assert main(["--out", str(tmp_path / "new")]) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {f"{kind}.png" for kind in KINDS}
