"""What the tests of the page do in a browser: choose files, and see what it shows."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

KEY: Final = "known-to-the-tests"
"""The API key of the service behind the page."""
MOST_BYTES: Final = 3_000_000
"""The largest upload that this service accepts."""

_CORNERS: Final = """(polygon) => {
  const stage = document.getElementById("stage").getBoundingClientRect();
  const matrix = polygon.getScreenCTM();
  return [...polygon.points].map((point) => {
    const there = point.matrixTransform(matrix);
    return [there.x - stage.x, there.y - stage.y];
  });
}"""


def choose(page: Page, data: bytes | Path) -> None:
    """Chooses a file of this content, or this file."""
    file = data if isinstance(data, Path) else {"name": "picture", "mimeType": "", "buffer": data}
    page.set_input_files("#file", file)


def screenshot(locator: Locator) -> GreyImage:
    """What the browser shows there, one pixel for each CSS pixel."""
    image = cv2.imdecode(np.frombuffer(locator.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(image, np.uint8)


def outline(page: Page) -> NDArray[np.float64]:
    """The corners (4, 2) of the only outline, in CSS pixels of the stage."""
    return np.array(page.locator("#outlines .line").evaluate(_CORNERS))


def file_script(data: bytes) -> str:
    """A script that makes a File of ``data``."""
    text = b64encode(data).decode()
    return f"""new File([Uint8Array.from(atob("{text}"), (c) => c.charCodeAt(0))], "x.png", {{ type: "image/png" }})"""
