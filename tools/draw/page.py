"""Draws docs/page.png: the web page of a running service after it has read docs/label.jpg.

python -m tools.draw.page --url http://127.0.0.1:8000
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from tests.support.paths import ROOT

LABEL: Final = ROOT / "docs" / "label.jpg"
PICTURE: Final = ROOT / "docs" / "page.png"
_SIZE: Final = {"width": 1280, "height": 800}


def draw(url: str) -> bytes:
    """The whole page as PNG, once it shows the restored code. Raises RuntimeError without Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise RuntimeError("Chromium is not installed: make system-test")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=_SIZE, color_scheme="light")
        page.goto(url)
        page.set_input_files("#file", LABEL)
        page.locator("#restored").wait_for()
        page.locator("#outlines .line").wait_for()
        return page.screenshot(full_page=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.draw.page", description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="address of the service")
    parser.add_argument("--out", type=Path, default=PICTURE, help="PNG file to write")
    options = parser.parse_args(argv)
    options.out.write_bytes(draw(options.url))


if __name__ == "__main__":
    main()
