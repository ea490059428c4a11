"""The one browser test of `make test`: the page reads the sample photograph before the real service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from tests.support.browser import choose, outline, screenshot
from tests.support.paths import ROOT
from training.release.sample import PAYLOAD

api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
expect = api.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

LABEL: Final = ROOT / "docs" / "label.jpg"


def test_the_sample_label_is_read_outlined_and_restored(page: Page) -> None:
    choose(page, LABEL)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^1 code read in \d"))
    expect(page.locator(".payload")).to_have_text(PAYLOAD)
    facts = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    assert facts["Leads to"] == "example.org"
    assert facts["Symbol"] == "QRCode, version 3, level M"
    assert facts["Rung"] == "modules: network reads every module"
    assert facts["Engine"] == "zxing"
    assert page.locator("main a:visible:not(#save)").count() == 0

    stages = page.locator("#trace th").all_inner_texts()
    assert stages[:3] == ["imaging", "direct", "locate"]
    assert "modules" in stages
    times = [cell.split()[-2:] for cell in page.locator("#trace td:nth-child(4)").all_inner_texts()]
    assert all(unit in {"ms", "s"} and float(number) > 0 for number, unit in times)
    assert page.locator("#trace tr.read").count() == 1

    box = page.locator("#stage").bounding_box()
    assert box is not None
    scale = np.array([900 / box["width"], 680 / box["height"]])
    assert all(120 < x < 360 and 220 < y < 470 for x, y in outline(page) * scale)

    expect(page.locator("#restored")).to_be_visible()
    expect(page.locator("#restored-by")).to_have_text("Redrawn from its modules")
    assert [symbol.text for symbol in ZXing().read(screenshot(page.locator("#restored")))] == [PAYLOAD]
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save as PNG").click()
    saved = cv2.imread(str(saving.value.path()), cv2.IMREAD_GRAYSCALE)
    assert saved is not None
    assert saved.shape == (37 * 4, 37 * 4)
