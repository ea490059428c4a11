"""Several pictures on the page: their list, reading them together, tables, choosing what is restored."""

from __future__ import annotations

import csv
import io
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from app.cli.batch.records import COLUMNS
from app.cli.batch.spreadsheet import row
from app.main import create_app
from app.pipeline.files.png import encode_png
from app.pipeline.results import Reason
from app.settings import Settings
from app.workers.jobs import Pipeline
from tests.support.browser import CONTRASTS, problem
from tests.support.codes import qr_picture
from tests.support.fakes import FakeLadder, symbol, unread
from tests.support.live.in_thread import in_thread

api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
expect = api.expect
pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from playwright.sync_api import Route as Call

    Visit = Callable[..., Page]

KEY: Final = "0123456789abcdefghij"


def picture(name: str, text: str = "whatever") -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": encode_png(qr_picture(text))}


@pytest.fixture
def page(visit: Visit, faked: str, ladder: FakeLadder) -> Iterator[Page]:
    ladder.symbols = (symbol("found"),)
    yield visit(faked, permissions=["clipboard-read", "clipboard-write"])
    ladder.reset()


def choose(page: Page, *names: str) -> None:
    page.set_input_files("#file", [picture(name) for name in names])


def states(page: Page) -> list[str]:
    return page.locator("#entries .state").all_inner_texts()


def test_every_picture_has_a_line_and_is_shown_when_it_is_chosen(page: Page, ladder: FakeLadder) -> None:
    notes = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    page.set_input_files("#file", [picture("a.png"), notes, picture("c\u202e.png")])
    expect(page.get_by_role("status")).to_have_text("3 pictures: 2 codes read, 1 failed.")
    assert page.locator("#entries .name").all_inner_texts() == ["a.png", "notes.txt", "cU+202E.png"]
    assert states(page) == ["1 code", "Unsupported image format", "1 code"]
    expect(page.locator("[aria-current]")).to_contain_text("a.png")
    expect(page.locator("#restored")).to_be_visible()

    page.get_by_role("button", name="notes.txt").click()
    expect(page.get_by_role("alert")).to_contain_text("The file is a text.")
    expect(page.locator(".payload")).to_have_count(0)
    expect(page.locator("[aria-current]")).to_contain_text("notes.txt")
    ladder.symbols = (symbol("later"),)
    page.locator(".entry").nth(2).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".payload")).to_have_text("found")  # as it was read, not again
    expect(page.get_by_role("alert")).to_be_empty()
    choose(page, "d.png")
    expect(page.locator(".payload")).to_have_text("later")
    assert states(page) == ["1 code", "Unsupported image format", "1 code", "1 code"]


def test_two_are_read_at_a_time_and_the_rest_can_be_cancelled(page: Page) -> None:
    held: list[Call] = []
    page.route("**/decode*", lambda call: held.append(call))  # noqa: PLW0108 - a builtin takes no attribute
    with page.expect_request("**/decode*"):
        choose(page, "a.png", "b.png", "c.png", "d.png")
    expect(page.get_by_role("status")).to_have_text("Reading: 0 of 4 done…")
    while len(held) < 2:
        page.wait_for_timeout(20)
    page.wait_for_timeout(300)
    assert len(held) == 2
    assert states(page) == ["reading…", "reading…", "waiting", "waiting"]
    held[1].continue_()
    expect(page.get_by_role("status")).to_have_text("Reading: 1 of 4 done…")
    expect(page.locator("#entries .state").nth(2)).to_have_text("reading…")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_have_text("4 pictures: 1 code read, 3 cancelled.")
    assert states(page) == ["cancelled", "1 code", "cancelled", "cancelled"]
    page.unroute("**/decode*")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator(".payload")).to_have_text("found")
    assert states(page) == ["1 code", "1 code", "cancelled", "cancelled"]


def test_a_busy_service_is_asked_again(page: Page) -> None:
    answers = [problem(503, "Starting."), problem(429, "Full.") | {"headers": {"Retry-After": "1"}}]
    page.route("**/decode*", lambda call: call.fulfill(**answers.pop()) if answers else call.continue_())
    choose(page, "a.png", "b.png", "c.png")
    expect(page.get_by_role("status")).to_have_text("3 pictures: 3 codes read.")
    assert answers == []


def test_pictures_of_one_label_are_read_together(page: Page, ladder: FakeLadder) -> None:
    ladder.symbols, ladder.unread = (), (unread(Reason.UNREADABLE),)
    choose(page, "a.png", "b.png", "c.png")
    expect(page.get_by_role("status")).to_have_text("3 pictures: 0 codes read, 3 seen but not read.")
    assert states(page) == ["no code, 1 unread"] * 3
    expect(page.get_by_role("button", name="Read 3 together")).to_be_enabled()
    page.get_by_role("checkbox", name="b.png").uncheck()
    ladder.symbols, ladder.unread = (symbol("of two"),), ()
    with page.expect_request("**/decode?effort=balanced&fuse=true"):
        page.get_by_role("button", name="Read 2 together").click()
    expect(page.locator(".payload")).to_have_text("of two")
    together = [call["shapes"] for call in ladder.calls if "shapes" in call]
    assert together == [[qr_picture("whatever").shape] * 2]
    expect(page.locator("[aria-current] .name")).to_have_text("a.png + c.png")
    facts = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    assert facts["Picture"] == "2 of 2"
    expect(page.locator("#original-note")).to_have_text("Picture 2 of 2")
    assert page.locator("#outlines .line").count() == 1
    expect(page.locator("#restored")).to_be_visible()

    expect(page.get_by_role("checkbox", name="a.png + c.png")).to_have_count(0)
    for name in ("a.png", "c.png"):
        page.get_by_role("checkbox", name=name).first.uncheck()
    expect(page.get_by_role("button", name="Read together")).to_be_disabled()


HOSTILE: Final = [
    '=HYPERLINK("http://evil.test")',
    *("+1", "-1", "@SUM(A1)", "\uff1dcmd", "  =1", "'=quoted", "plain", ""),
    'say "hi", twice',
    "two\nlines\r\n\t.",
    "\x00\x1b[31m\u202e\U000e0041\x7f",
    "Größe, 日本語 👍",
]


def test_the_table_is_that_of_the_command(page: Page, ladder: FakeLadder) -> None:
    ladder.symbols = tuple(symbol(text) for text in HOSTILE)
    ladder.unread = (unread(Reason.CUT_OFF),)
    page.set_input_files("#file", [picture("=1+1.png")])
    expect(page.locator(".payload")).to_have_count(len(HOSTILE))
    ladder.symbols, ladder.unread = (), ()
    notes = {"name": "notes, old.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    page.set_input_files("#file", [picture("blank.png"), notes])
    expect(page.get_by_role("status")).to_have_text("2 pictures: 0 codes read, 1 failed.")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save CSV").click()
    assert saving.value.suggested_filename == "codes.csv"
    saved = saving.value.path().read_bytes()
    text = saved.removeprefix(b"\xef\xbb\xbf").decode()
    assert len(text.encode()) == len(saved) - 3
    *lines, end = text.split("\r\n")
    assert end == ""
    code = ("QRCode", 2, "M", "zxing", ladder_rung(page))
    expected = [row(("=1+1.png", 0, text, *code, 1, None)) for text in HOSTILE]
    assert lines[: 1 + len(HOSTILE)] == [row(COLUMNS), *expected]
    assert lines[-2] == row(("blank.png", *[None] * 7, 0, None))
    (failed,) = csv.reader(io.StringIO(lines[-1]))
    assert failed[:-1] == ["notes, old.txt", *[""] * 8]
    assert failed[-1].startswith("urn:qrestore:problem:unsupported_image: The file is a text.")


def ladder_rung(page: Page) -> str:
    """The rung that the page states for the code on show first."""
    page.locator(".entry").first.click()
    return page.locator("dl code").first.inner_text()


def test_everything_is_copied(page: Page, ladder: FakeLadder) -> None:
    payload = bytes(range(9))
    ladder.symbols = (symbol("first"), replace(symbol("?", payload), content_type="Binary"))
    choose(page, "a.png")
    expect(page.locator(".payload")).to_have_count(2)
    ladder.symbols = (symbol("of the second"),)
    choose(page, "b.png")
    expect(page.locator(".payload")).to_have_text("of the second")
    button = page.locator("#copy-all")
    button.click()
    expect(button).to_have_text("Copied")
    expect(page.get_by_role("status")).to_have_text("Copied to the clipboard.")
    encoded = b64encode(payload).decode()
    assert page.evaluate("navigator.clipboard.readText()") == f"first\n{encoded}\nof the second"
    expect(button).to_have_text("Copy all")


def test_nothing_is_kept_when_the_list_is_cleared_or_the_page_reloaded(page: Page) -> None:
    choose(page, "a.png", "b.png")
    expect(page.get_by_role("status")).to_have_text("2 pictures: 2 codes read.")
    page.get_by_role("button", name="Clear the list").click()
    for hidden in ("#pictures", "#result", "#again"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator("#file")).to_be_focused()
    choose(page, "c.png", "d.png")
    expect(page.locator("#entries .name")).to_have_text(["c.png", "d.png"])
    page.reload()
    expect(page.locator("#pictures")).to_be_hidden()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


def test_the_code_that_is_restored_can_be_chosen(page: Page, ladder: FakeLadder) -> None:
    second = replace(symbol("second"), corners=symbol().corners.moved(60, 40))
    ladder.symbols = (symbol("first"), second)
    ladder.unread = (unread(Reason.TOO_SMALL, corners=unread().corners.moved(30, 60)),)
    choose(page, "a.png")
    expect(page.locator("#restored")).to_be_visible()
    height, width = qr_picture("whatever").shape
    for name, corners in (("code 2", second.corners), ("place ?", ladder.unread[0].corners)):
        with page.expect_request("**/restore?region=*") as sent:
            page.get_by_role("button", name=f"Restore {name}").click()
        left, top, across, down = map(int, sent.value.url.partition("region=")[2].replace("%2C", ",").split(","))
        xs, ys = np.array(corners.as_tuple).T
        assert 0 <= left < xs.min() < xs.max() < left + across <= width
        assert 0 <= top < ys.min() < ys.max() < top + down <= height
        assert across < 2 * (xs.max() - xs.min())
        expect(page.locator("#restored")).to_be_visible()
    ladder.located, ladder.symbols = False, ()
    page.get_by_role("button", name="Restore place ?").click()
    expect(page.locator("#restored-note")).to_have_text("No code was located there, so there is nothing to restore.")
    for hidden in ("#restored", "#save", "#restore-again"):
        expect(page.locator(hidden)).to_be_hidden()


def test_a_single_code_leaves_no_choice(page: Page) -> None:
    choose(page, "a.png")
    expect(page.locator("#restored")).to_be_visible()
    assert page.get_by_role("button", name="Restore").count() == 0
    expect(page.locator("#pictures")).to_be_hidden()


def test_one_key_opens_the_way_for_all(visit: Visit, browser: object, tmp_path: Any) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"tests: {KEY}\n")
    settings = Settings(device="cpu", api_keys_file=keys)
    ladder = FakeLadder(symbols=(symbol("behind a key"),))
    app = create_app(settings, pipeline=Pipeline(ladder=ladder, max_pixels=settings.max_pixels))
    with in_thread(app) as origin:
        page = visit(origin)
        choose(page, *(f"{number}.png" for number in range(5)))
        field = page.get_by_label("API key")
        expect(field).to_be_focused()
        expect(page.get_by_role("status")).to_be_empty()
        field.fill(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("5 pictures: 5 codes read.")
        expect(field).to_be_hidden()


def test_by_keyboard_alone_and_read_out(page: Page, ladder: FakeLadder) -> None:
    choose(page, "a.png", "b.png")
    expect(page.get_by_role("status")).to_have_text("2 pictures: 2 codes read.")
    expect(page.locator("#restored")).to_be_visible()
    region = page.get_by_role("region", name="In this tab")
    expect(region.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("button", name="Read again").focus()
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText.replace(/\\s+/g, ' ')")
        )
    assert names == [
        "a.png: read it together with others",
        "a.png 1 code",
        "b.png: read it together with others",
        "b.png 1 code",
        "Read 2 together",
        "Copy all",
        "Save CSV",
        "Clear the list",
    ]
    page.locator(".entry").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("[aria-current]")).to_contain_text("b.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_width(visit: Visit, faked: str, ladder: FakeLadder, scheme: str) -> None:
    page = visit(faked, color_scheme=scheme, reduced_motion="reduce", viewport={"width": 320, "height": 640})
    ladder.symbols = ()
    notes = {"name": "n" * 60 + ".txt", "mimeType": "text/plain", "buffer": b"no picture"}
    page.set_input_files("#file", [picture("a.png"), notes])
    expect(page.get_by_role("status")).to_have_text("2 pictures: 0 codes read, 1 failed.")
    ladder.symbols = (symbol("read"), symbol("twice"))
    choose(page, "b.png")
    expect(page.locator("#restored")).to_be_visible()
    ratios = {text: ratio for text, ratio in page.evaluate(CONTRASTS) if text != "Read together"}
    assert {"no code", "Unsupported image format", "2 codes", "Copy all", "Restore"} <= set(ratios)
    assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    ladder.reset()
