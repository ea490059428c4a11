"""The live camera of the page: Chromium plays a film that the test makes as what its camera sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import pytest

from app.pipeline.files.png import encode_png
from app.pipeline.imaging import GreyImage
from tests.browser.conftest import launched
from tests.support.browser import CONTRASTS, KEY, choose, problem
from tests.support.codes import qr_picture

api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
expect = api.expect
pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from playwright.sync_api import Route as Call

    Visit = Callable[..., Page]

TEXT: Final = "seen by a camera"
HEADERS: Final = {"X-API-Key": KEY}
ENDED: Final = "document.getElementById('live').srcObject === null"
REFUSED: Final = "Promise.reject(new DOMException('no', 'NotAllowedError'))"


def film(frames: list[GreyImage]) -> bytes:
    """Frames as YUV4MPEG2, which Chromium repeats for ever."""
    height, width = frames[0].shape
    grey = bytes([128]) * (height // 2 * (width // 2) * 2)
    head = f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420mpeg2\n".encode()
    return head + b"".join(b"FRAME\n" + frame.tobytes() + grey for frame in frames)


def scene(*, with_code: bool) -> GreyImage:
    image = np.full((480, 640), 150, np.uint8)
    if with_code:
        code = cv2.resize(qr_picture(TEXT), (260, 260), interpolation=cv2.INTER_AREA)
        image[110:370, 190:450] = code
    return image


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film that the camera sees: a code after a second without one."""
    file = tmp_path_factory.mktemp("film") / "film.y4m"
    file.write_bytes(film([scene(with_code=False)] * 10 + [scene(with_code=True)] * 50))
    return file


@pytest.fixture(scope="module")
def browser(reel: Path) -> Iterator[Browser]:
    with launched("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={reel}") as browser:
        yield browser


def test_a_code_before_the_camera_is_read(visit: Visit, origin: str) -> None:
    page = visit(origin, permissions=["camera"], extra_http_headers=HEADERS)
    held: list[Call] = []
    page.route("**/decode*", lambda call: held.append(call))  # noqa: PLW0108 - a builtin takes no attribute
    page.get_by_role("button", name="Live camera").click()
    expect(page.get_by_role("status")).to_have_text("Looking for a code. Hold the camera still.")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.unroute("**/decode*")
    for call in held:
        call.continue_()
    expect(page.locator(".payload")).to_have_text(TEXT)
    expect(page.locator("#live-card")).to_be_hidden()
    expect(page.get_by_role("button", name="Live camera")).to_be_focused()
    assert page.evaluate(ENDED)
    expect(page.locator("#original-note")).to_have_text(re.compile(r"640 × 480 pixels|Picture \d of \d"))
    assert page.locator("#outlines .line").count() == 1
    expect(page.locator("#restored")).to_be_visible()


def test_every_few_frames_are_read_together(visit: Visit, origin: str) -> None:
    page = visit(origin, permissions=["camera"], extra_http_headers=HEADERS)
    asked: list[str] = []

    def answer(call: Call) -> None:
        asked.append(call.request.url.partition("?")[2])
        if "fuse=true" in asked[-1]:
            call.continue_()
        else:
            call.fulfill(json={"codes": [], "unread": []})

    page.route("**/decode*", answer)
    page.get_by_role("button", name="Live camera").click()
    expect(page.locator(".payload")).to_have_text(TEXT)
    alone, together = "effort=fast", "fuse=true&effort=balanced&budget=2"
    assert len(asked) % 4 == 0
    assert asked == [alone, alone, alone, together] * (len(asked) // 4)
    expect(page.locator("#original-note")).to_have_text(re.compile(r"^Picture [1-4] of 4$"))
    expect(page.locator("#outlines .line")).to_have_count(1)
    expect(page.locator("#restored")).to_be_visible()


def test_it_ends_when_told_and_by_itself_where_it_is_refused(visit: Visit, origin: str) -> None:
    page = visit(origin, permissions=["camera"], extra_http_headers=HEADERS)
    page.route("**/decode*", lambda call: call.fulfill(**problem(429, "Full.")))
    page.get_by_role("button", name="Live camera").click()
    expect(page.locator("#live")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    low = {text: ratio for text, ratio in page.evaluate(CONTRASTS) if ratio < 4.5}
    assert low == {}
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The camera is off.")
    assert page.evaluate(ENDED)
    page.unroute("**/decode*")
    page.route("**/decode*", lambda call: call.fulfill(**problem(500, "Our fault.")))
    page.get_by_role("button", name="Live camera").click()
    expect(page.get_by_role("alert")).to_contain_text("Our fault.")
    expect(page.locator("#live-card")).to_be_hidden()
    assert page.evaluate(ENDED)


def test_a_visitor_may_say_no(visit: Visit, origin: str) -> None:
    page = visit(origin, permissions=[], extra_http_headers=HEADERS)
    page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = () => {REFUSED}; }}")
    page.get_by_role("button", name="Live camera").click()
    expect(page.get_by_role("status")).to_have_text("The browser gives no access to the camera.")
    expect(page.locator("#live-card")).to_be_hidden()


def test_a_picture_ends_it_without_a_word(visit: Visit, origin: str) -> None:
    page = visit(origin, permissions=["camera"], extra_http_headers=HEADERS)
    page.route("**/decode?effort=fast", lambda call: call.fulfill(**problem(503, "Later.")))
    page.get_by_role("button", name="Live camera").click()
    expect(page.locator("#live")).to_be_visible()
    choose(page, encode_png(qr_picture("chosen")))
    expect(page.locator(".payload")).to_have_text("chosen")
    expect(page.locator("#live-card")).to_be_hidden()
    assert page.evaluate(ENDED)
    page.unroute_all()
