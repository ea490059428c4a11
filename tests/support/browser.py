"""What the tests of the page do in a browser: choose files, and see what it shows."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

CONTRASTS: Final = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const linear = (c) => c <= 10 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = channels(colour).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return channels(colour)[3] === 255 || !element.parentElement ? colour : behind(element.parentElement);
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility()
    && [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return texts.map((element) => {
    const [low, high] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => a - b);
    return [element.textContent.trim().slice(0, 40), (high + 0.05) / (low + 0.05)];
  });
}"""
"""A script that gives each visible text and its contrast with what is behind it."""


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


def problem(status: int, detail: str, **more: object) -> dict[str, Any]:
    """What Playwright answers a request with instead of the service: a problem document."""
    headers = {"Retry-After": "7"} if status == 429 else {}
    body = {"title": "A title", "status": status, "detail": detail, "request_id": "an-id"} | more
    return {
        "status": status,
        "headers": {"Content-Type": "application/problem+json"} | headers,
        "body": json.dumps(body),
    }
