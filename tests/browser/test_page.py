"""The page in a real browser before the real service with the shipped weights."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import pytest
from PIL import Image

from app.pipeline.engines.zxing import ZXing
from app.pipeline.files.png import encode_png
from tests.support.browser import KEY, MOST_BYTES, choose, file_script, outline, screenshot
from tests.support.codes import qr_picture
from tests.support.live.pictures import exif

api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
expect = api.expect
pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import FileChooser, Page

    Visit = Callable[..., Page]

PASTED: Final = encode_png(qr_picture("pasted"))
DROPPED: Final = encode_png(qr_picture("dropped"))
ZIP: Final = b"PK\3\4" + bytes(60)
PHONE: Final = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}

FOCUS: Final = """() => {
  const focused = document.activeElement;
  if (focused === document.body) return null;
  const shown = focused.matches("input[type=file], input[type=radio]") ? focused.nextElementSibling : focused;
  const style = getComputedStyle(shown);
  return [shown.textContent.trim(), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}"""
FITS: Final = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def test_the_outline_lies_on_the_code_however_the_picture_is_turned(page: Page) -> None:
    scene = np.full((240, 400), 200, np.uint8)
    scene[:80, 200:] = 90
    scene[70:220, 20:170] = cv2.resize(qr_picture("turned"), (150, 150), interpolation=cv2.INTER_AREA)
    stored = bytes(cv2.imencode(".jpg", scene)[1])
    page.get_by_text("Fast").click()
    page.evaluate("document.getElementById('outlines').style.visibility = 'hidden'")
    for orientation in range(1, 9):
        jpeg = stored[:2] + exif(orientation) + stored[2:]
        choose(page, jpeg)
        expect(page.locator(f"#stage.turn-{orientation}")).to_be_visible()
        expect(page.locator(".payload")).to_have_text("turned")
        page.locator("#photo").evaluate("(image) => image.decode()")
        shown = screenshot(page.locator("#stage"))
        upright = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert upright is not None
        again = cv2.resize(upright, shown.shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(shown.astype(int) - again).mean() < 12  # as any viewer shows it
        (symbol,) = ZXing().read(shown)
        far = np.linalg.norm(outline(page)[:, None] - np.array(symbol.corners)[None], axis=2)
        assert far.min(axis=1).max() < 4
        assert far.min(axis=0).max() < 4


@pytest.mark.parametrize("kind", ["webp", "png", "avif"])
def test_pictures_of_other_formats_are_turned_too(page: Page, kind: str) -> None:
    scene = np.full((240, 400), 200, np.uint8)
    scene[70:220, 20:170] = cv2.resize(qr_picture("turned"), (150, 150), interpolation=cv2.INTER_AREA)
    turned, buffer = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    Image.fromarray(np.dstack([scene] * 3)).save(buffer, kind, exif=turned)
    choose(page, buffer.getvalue())
    expect(page.locator(".payload")).to_have_text("turned")
    page.evaluate("document.getElementById('outlines').style.visibility = 'hidden'")
    page.locator("#photo").evaluate("(image) => image.decode()")
    shown = screenshot(page.locator("#stage"))
    assert shown.shape[0] > shown.shape[1]
    (symbol,) = ZXing().read(shown)
    far = np.linalg.norm(outline(page)[:, None] - np.array(symbol.corners)[None], axis=2)
    assert far.min(axis=1).max() < 4


def test_a_photograph_of_twelve_megapixels(page: Page) -> None:
    noise = np.random.default_rng(5).integers(0, 60, (750, 1000), np.uint8)
    photograph = cv2.resize(noise, (4000, 3000)) + np.uint8(120)
    code = qr_picture("from a telephone", scale=12)
    photograph[2000 : 2000 + len(code), 3000 : 3000 + len(code)] = code
    data = bytes(cv2.imencode(".jpg", photograph, [cv2.IMWRITE_JPEG_QUALITY, 70])[1])
    assert 500_000 < len(data) < MOST_BYTES
    choose(page, data)
    expect(page.locator(".payload")).to_have_text("from a telephone")
    expect(page.locator("#original-note")).to_have_text("4000 × 3000 pixels")
    quiet = 4 * 12
    box = page.locator("#stage").bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(4 / 3, rel=0.01)
    first, opposite = outline(page)[[0, 2]] * 4000 / box["width"]
    np.testing.assert_allclose(first, (3000 + quiet, 2000 + quiet), atol=12)
    np.testing.assert_allclose(opposite, np.add((3000, 2000), len(code) - quiet), atol=12)


def test_paste_from_the_clipboard(page: Page) -> None:
    script = f"navigator.clipboard.write([new ClipboardItem({{'image/png': {file_script(PASTED)}}})])"
    page.evaluate(script)
    page.keyboard.press("Control+V")
    expect(page.locator(".payload")).to_have_text("pasted")


def test_drop(page: Page) -> None:
    page.evaluate(f"""() => {{
      const data = new DataTransfer();
      data.items.add({file_script(DROPPED)});
      for (const kind of ["dragenter", "dragover", "drop"]) {{
        document.body.dispatchEvent(new DragEvent(kind, {{ dataTransfer: data, bubbles: true, cancelable: true }}));
      }}
    }}""")
    expect(page.locator(".payload")).to_have_text("dropped")
    expect(page.locator("#drop")).not_to_have_class("drop over")


def chooser_by_enter(page: Page) -> FileChooser:
    """What Enter opens on the focused control. A headless browser that has just started may swallow the key."""
    for _ in range(30):
        with suppress(api.TimeoutError):
            with page.expect_file_chooser(timeout=1_000) as choosing:
                page.keyboard.press("Enter")
            return choosing.value
    raise AssertionError("Enter opens no file chooser")


def test_by_keyboard_alone(page: Page) -> None:
    def tab(times: int = 1) -> Any:
        for _ in range(times):
            page.keyboard.press("Tab")
        return page.evaluate(FOCUS)

    assert tab() == ["Choose files", True]
    chooser_by_enter(page).set_files({"name": "code.png", "mimeType": "image/png", "buffer": PASTED})
    expect(page.locator(".payload")).to_have_text("pasted")
    expect(page.locator("#save")).to_be_visible()

    assert tab() == ["Balanced within budget", True]
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(FOCUS) == ["Fast one look", True]
    assert tab() == ["Read again", True]
    with page.expect_request("**/decode?effort=fast"):
        page.keyboard.press("Enter")
    expect(page.locator(".payload")).to_have_text("pasted")
    expect(page.locator("#save")).to_be_visible()
    stops = [tab(), tab()]
    assert stops == [["Copy text", True], ["Save as PNG", True]]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Copied to the clipboard.")
    assert page.evaluate("navigator.clipboard.readText()") == "pasted"


def test_on_a_telephone(visit: Visit, origin: str) -> None:
    page = visit(origin, extra_http_headers={"X-API-Key": KEY}, **PHONE)
    assert page.evaluate(FITS)
    camera = page.get_by_label("Take a photo")
    assert camera.get_attribute("capture") == "environment"
    expect(page.locator("label[for=camera]")).to_be_visible()
    long_text = "x" * 120 + " https://" + "subdomain." * 12 + "example.org/"
    camera.set_input_files({"name": "a", "mimeType": "", "buffer": encode_png(qr_picture(long_text))})
    expect(page.locator(".payload")).to_have_text(long_text)
    expect(page.locator("#restored")).to_be_visible()
    assert page.evaluate(FITS)
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate(FITS)
    for button in page.locator("button:visible, .button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 24


def test_no_camera_is_offered_where_a_mouse_is(page: Page) -> None:
    expect(page.get_by_label("Take a photo")).to_be_hidden()


BAD_FILES: Final = [
    (b"plain text, whatever its name", "Unsupported image format", "The file is a text."),
    (ZIP, "Unsupported image format", "Save the picture as PNG or JPEG"),
    (PASTED[: len(PASTED) // 2], "Invalid image", "damaged or incomplete"),
    (b"", "Invalid image", "Request"),
    (bytes(MOST_BYTES + 1), "Upload too large", f"larger than {MOST_BYTES} bytes"),
]


def test_a_bad_file_is_answered_in_the_services_own_words(page: Page) -> None:
    problem = page.get_by_role("alert")
    for data, title, detail in BAD_FILES:
        choose(page, data)
        expect(problem.locator("strong")).to_have_text(title)
        expect(problem).to_contain_text(detail)
        expect(problem).to_contain_text(re.compile(r"Request [0-9a-f]{32}"))
        expect(page.locator("#text-title")).to_be_hidden()
        choose(page, DROPPED)
        expect(page.locator(".payload")).to_have_text("dropped")
        expect(problem).to_be_empty()


def test_nothing_to_read(page: Page, blank_png: bytes) -> None:
    choose(page, blank_png)
    expect(page.get_by_role("status")).to_have_text("No readable code.")
    expect(page.locator("#no-codes")).to_be_visible()
    expect(page.locator("#restored-note")).to_have_text("No code was located, so there is nothing to restore.")


def test_the_code_that_was_chosen_is_restored(page: Page) -> None:
    scene = np.full((260, 560), 200, np.uint8)
    for left, text in ((20, "on the left"), (300, "on the right")):
        scene[20:240, left : left + 220] = cv2.resize(qr_picture(text), (220, 220), interpolation=cv2.INTER_AREA)
    choose(page, encode_png(scene))
    expect(page.locator(".payload")).to_have_count(2)
    expect(page.locator("#restored")).to_be_visible()
    for number, payload in enumerate(page.locator(".payload").all_inner_texts(), start=1):
        page.get_by_role("button", name=f"Restore code {number}").click()
        expect(page.locator("#restored-by")).to_have_text(f"Code {number}, redrawn from its modules")
        expect(page.locator("#restored")).to_be_visible()
        assert [symbol.text for symbol in ZXing().read(screenshot(page.locator("#restored")))] == [payload]


def test_the_key_is_asked_for_and_kept_out_of_storage(visit: Visit, origin: str) -> None:
    page = visit(origin)
    choose(page, DROPPED)
    expect(page.get_by_role("alert")).to_contain_text("This service requires an API key.")
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    page.keyboard.type("not the right one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("A key has letters, digits and punctuation only, no spaces.")
    field.fill("not-the-right-one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This key was not accepted.")
    field.fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator(".payload")).to_have_text("dropped")
    expect(field).to_be_hidden()
    expect(page.locator("#restored")).to_be_visible()
    assert KEY not in page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")


def test_a_service_that_hangs_up_on_an_upload_is_asked_why(visit: Visit, origin: str) -> None:
    page = visit(origin)
    page.route("**/decode*", lambda route: route.abort("connectionreset"))
    choose(page, DROPPED)
    expect(page.get_by_label("API key")).to_be_visible()
