"""How the page shows answers, hostile payloads and problems. A fake ladder finds what each test says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from app.pipeline.files.png import encode_png
from app.pipeline.inference.severity import Route
from app.pipeline.results import Reason
from tests.browser.conftest import COUNT_VIOLATIONS
from tests.support.browser import CONTRASTS, problem
from tests.support.codes import qr_picture
from tests.support.fakes import FakeLadder, symbol, unread

api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
expect = api.expect
pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from playwright.sync_api import Route as Call

    Visit = Callable[..., Page]

PICTURE: Final = {"name": "a", "mimeType": "image/png", "buffer": encode_png(qr_picture("whatever"))}


@pytest.fixture
def page(visit: Visit, faked: str, ladder: FakeLadder) -> Iterator[Page]:
    yield visit(faked, permissions=["clipboard-read", "clipboard-write"])
    ladder.reset()


@pytest.fixture
def read(page: Page, ladder: FakeLadder) -> Callable[..., Page]:
    """read(symbol, ...) -> the page that shows them."""

    def shown(*symbols: Any) -> Page:
        ladder.symbols = symbols
        page.set_input_files("#file", PICTURE)
        expect(page.locator(".payload")).to_have_count(len(symbols))
        return page

    return shown


MARKUP: Final = "<img src=x onerror=alert(1)><script>alert(2)</script>"
TEXTS: Final = {
    MARKUP: MARKUP,
    "https://ok.example/\u202egnp.exe": "https://ok.example/U+202Egnp.exe",
    "a\u2066b\u2069c\u200bd\u00ade\ufeff": "aU+2066bU+2069cU+200BdU+00ADeU+FEFF",
    "\x00\x1b[31mred\x7f\x85\r\nnext": "U+0000U+001B[31mredU+007FU+0085U+000D\nnext",
    "\U000e0041\u115f\u2028\ufff9\ue000": "U+E0041U+115FU+2028U+FFF9U+E000",
    "Grüße, 日本語 שלום ❤\ufe0f 👍": "Grüße, 日本語 שלום ❤\ufe0f 👍",
}
"""Payloads, and what is shown of them."""


def test_a_payload_is_text_with_nothing_hidden(read: Callable[..., Page]) -> None:
    page = read(*map(symbol, TEXTS))
    payloads = page.locator(".payload")
    assert payloads.evaluate_all("(all) => all.map((one) => one.textContent)") == list(TEXTS.values())
    assert page.locator(".payload :not(span.unseen)").count() == 0
    assert page.locator("#codes :is(a, img, script)").count() == 0
    for number, text in enumerate(TEXTS, start=1):
        button = page.get_by_role("button", name=f"Copy text of code {number}")
        button.click()
        expect(button).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == text


LINKS: Final = {
    "https://example.org/path": "Leads to example.org",
    "http://example.org:8080": "Leads to example.org:8080 Not encrypted (http).",
    "https://bank.example@evil.test/login": "Leads to evil.test The part before the @ is not the host.",
    "https:\\\\evil.test\\bank.example": "Leads to evil.test",
    "  HTTPS://EVIL.test/": "Leads to evil.test",
    "https://b\u0430nk.example/": "Leads to xn--bnk-6cd.example "
    "The name has letters other than a to z, and some look alike.",
    "https://3232235777/": "Leads to 192.168.1.1 An IP address, not a name.",
    "javascript:alert(document.domain)": "Kind javascript: Opening it may run a program. Do not open it.",
    "java\nscript:alert(1)": "Kind javascript: Opening it may run a program. Do not open it.",
    "data:text/html,<script>alert(1)</script>": "Kind data: Opening it may run a program. Do not open it.",
    "WIFI:T:WPA;S:net;P:secret;;": "Kind wifi: joins a wireless network",
    "Note: bring milk": "",
    "7F3K-2291-0C": "",
}
"""Payloads, and what is said about opening them."""


def test_where_a_link_leads(read: Callable[..., Page]) -> None:
    page = read(*map(symbol, LINKS))
    facts = [card.locator("dl").inner_text().partition("Symbol")[0] for card in page.locator(".code").all()]
    assert [" ".join(text.replace("▲ ", "").split()) for text in facts] == list(LINKS.values())
    for payload in page.locator(".payload").all():
        payload.dblclick()
    assert page.evaluate("history.length") == 2  # of a new tab and the page: nothing was followed


def test_bytes_are_shown_as_bytes(read: Callable[..., Page]) -> None:
    payload = bytes(range(256)) * 3
    page = read(replace(symbol("?", payload), content_type="Binary"))
    lines = (page.locator(".payload").text_content() or "").splitlines()
    assert bytes.fromhex("".join(lines[:-1])) == payload[:512]
    assert lines[-1] == "and 256 more bytes"
    page.get_by_role("button", name="Copy as base64").click()
    assert page.evaluate("navigator.clipboard.readText().then((text) => atob(text).length)") == len(payload)


def test_copying_where_there_is_no_clipboard_api(read: Callable[..., Page]) -> None:
    page = read(symbol("plain http has none"))
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    page.get_by_role("button", name="Copy text").click()
    expect(page.get_by_role("status")).to_have_text("Copied to the clipboard.")
    page.evaluate("delete navigator.clipboard")
    assert page.evaluate("navigator.clipboard.readText()") == "plain http has none"


def test_several_codes_are_numbered_alike(read: Callable[..., Page], ladder: FakeLadder) -> None:
    ladder.truncated = True
    ladder.route = Route(laplacian_variance=354.961, threshold=245.423, network="lenet")
    page = read(symbol("first"), replace(symbol("second"), corners=symbol().corners.moved(60, 0)))
    expect(page.get_by_role("status")).to_have_text(
        re.compile(r"^2 codes read in .+ There are more codes than one answer can hold\.$")
    )
    assert page.locator("#codes .badge").all_inner_texts() == ["1", "2"]
    assert page.locator("#badges .badge").all_inner_texts() == ["1", "2"]
    middles = [badge.bounding_box() for badge in page.locator("#badges .badge").all()]
    assert middles[0]["x"] < middles[1]["x"]
    page.get_by_role("button", name="Copy text of code 2").focus()
    assert page.locator("#outlines .lit").evaluate_all("(lit) => lit.map((one) => one.dataset.code)") == ["1", "1"]
    expect(page.locator("#restored-by")).to_have_text("Code 1, by lenet")
    expect(page.locator("#route")).to_have_text("Sharpness 354.961, threshold 245.423: lenet was tried first.")


STROKE: Final = """(line) => {
  const style = getComputedStyle(line);
  return [style.stroke, style.strokeDasharray !== "none"];
}"""


def test_codes_that_were_only_seen_are_outlined_and_explained(read: Callable[..., Page], ladder: FakeLadder) -> None:
    corners = unread().corners
    ladder.unread = (
        unread(Reason.TOO_SMALL, module_pixels=1.08),
        unread(Reason.TOO_SMALL, corners=corners.moved(40, 0)),
        unread(Reason.CUT_OFF, corners=corners.moved(0, 40)),
        unread(Reason.UNREADABLE, corners=corners.moved(40, 40)),
    )
    page = read(symbol("one of five"))
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^1 code read in .+ 4 codes seen but not read\.$"))
    expect(page.get_by_role("heading", name="4 codes seen but not read")).to_be_visible()
    lines = [" ".join(text.split()) for text in page.locator("#places li").all_inner_texts()]
    assert [line.partition(". ")[0] for line in lines] == [
        "?1 Its modules are too small (1.1 px)",
        "?2 Its modules are too small",
        "?3 A part of it lies outside the picture",
        "?4 Nothing that was tried made it readable",
    ]
    assert page.locator("#badges .badge").all_inner_texts() == ["?1", "?2", "?3", "?4"]
    expect(page.locator("#legend")).to_be_visible()
    assert page.locator("#photo").get_attribute("alt") == (
        "The picture that you sent, 1 code outlined, 4 more seen but not read"
    )
    missed = page.locator("#outlines .missed").evaluate_all(f"(all) => all.map({STROKE})")
    (colour, is_dashed), plain = missed[0], page.locator("#outlines .line").evaluate(STROKE)
    assert missed == [[colour, is_dashed]] * 4
    assert (is_dashed, plain[1]) == (True, False)
    assert colour != plain[0]
    page.locator("#places li").nth(2).hover()
    assert page.locator("#outlines .missed.lit").evaluate_all("(lit) => lit.map((one) => one.dataset.unread)") == ["2"]
    expect(page.locator("#unfinished-note")).to_have_text("A longer look may read more.")


def test_a_longer_look_is_offered_where_the_budget_ended(page: Page, ladder: FakeLadder) -> None:
    ladder.unread, ladder.complete = (unread(Reason.BUDGET),), False
    page.set_input_files("#file", PICTURE)
    expect(page.get_by_role("status")).to_have_text(
        "No readable code. 1 code seen but not read. The budget ended first."
    )
    expect(page.locator("#unread-title")).to_have_text("1 code seen but not read")
    expect(page.locator("#places li")).to_contain_text("The budget ended before it was read.")
    assert page.locator("#badges .badge").all_inner_texts() == ["?"]
    expect(page.locator("#no-codes-hint")).to_be_hidden()
    expect(page.locator("#unfinished-note")).to_contain_text("The budget ended before the search did.")

    ladder.symbols, ladder.unread, ladder.complete = (symbol("at last"),), (), True
    with page.expect_request("**/decode?effort=thorough"):
        page.get_by_role("button", name="Look longer").click()
    expect(page.locator(".payload")).to_have_text("at last")
    expect(page.get_by_role("radio", name="Thorough")).to_be_checked()
    expect(page.get_by_role("button", name="Read again")).to_be_focused()
    for hidden in ("#unread", "#unfinished", "#legend"):
        expect(page.locator(hidden)).to_be_hidden()
    assert page.locator("#outlines .missed").count() == 0


def refuse(answer: dict[str, Any], call: Call) -> None:
    call.fulfill(**answer)


PROBLEMS: Final[list[tuple[dict[str, Any], list[str]]]] = [
    (
        problem(429, "The service is at capacity."),
        ["A title", "The service is at capacity.", "Try again in 7 seconds."],
    ),
    (problem(503, "Not ready."), ["Not ready.", "Try again in a moment."]),
    (problem(504, "Too slow."), ["Too slow.", "Try less effort, or crop the picture to the code."]),
    (problem(500, "Our fault."), ["Our fault.", "Request an-id"]),
    (
        problem(422, "Some are invalid.", errors=[{"location": "query.effort", "message": "no such effort"}]),
        ["Some are invalid.", "query.effort: no such effort."],
    ),
    (problem(500, "<b>bold</b>\u202e"), ["<b>bold</b>U+202E"]),
    ({"status": 502, "body": "<h1>Bad gateway</h1>"}, ["The service answered 502."]),
    ({"status": 200, "body": "<h1>Sign in</h1>"}, ["The answer did not come from qrestore."]),
]


def test_problems_in_words(page: Page) -> None:
    alert = page.get_by_role("alert")
    for answer, words in PROBLEMS:
        page.route("**/decode*", partial(refuse, answer))
        page.set_input_files("#file", PICTURE)
        for sentence in words:
            expect(alert).to_contain_text(sentence)
        assert alert.locator("b, h1").count() == 0
        expect(page.get_by_role("status")).to_be_empty()
        expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
        page.unroute("**/decode*")
        page.get_by_role("button", name="Read again").click()
        expect(alert).to_be_empty()
        expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_a_service_that_is_gone(page: Page) -> None:
    page.route("**/*", lambda call: call.abort("connectionrefused"))
    page.set_input_files("#file", PICTURE)
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")


def test_the_text_stays_where_restoring_fails(page: Page, read: Callable[..., Page]) -> None:
    page.route("**/restore", lambda call: call.fulfill(**problem(429, "The service is at capacity.")))
    read(symbol("stays"))
    expect(page.locator("#restored-note")).to_have_text(
        "The service is at capacity. The service is busy. Try again in 7 seconds."
    )
    expect(page.locator(".payload")).to_have_text("stays")
    page.unroute("**/restore")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#restored")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_nothing_is_offered_where_nothing_was_located(page: Page, ladder: FakeLadder) -> None:
    ladder.symbols, ladder.located = (), False
    page.set_input_files("#file", PICTURE)
    expect(page.locator("#restored-note")).to_have_text("No code was located, so there is nothing to restore.")
    for hidden in ("#restored", "#save", "#restore-again"):
        expect(page.locator(hidden)).to_be_hidden()


def test_waiting_is_said_and_can_be_ended(page: Page, ladder: FakeLadder) -> None:
    ladder.symbols = (symbol("at last"),)
    held: list[Call] = []
    page.route("**/decode*", lambda call: held.append(call))  # noqa: PLW0108 - a builtin takes no attribute
    with page.expect_request("**/decode*"):
        page.set_input_files("#file", PICTURE)
    expect(page.get_by_role("status")).to_have_text("Reading the picture…")
    expect(page.locator("#photo")).to_be_visible()
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_have_text("Cancelled.")
    expect(page.get_by_role("button", name="Read again")).to_be_focused()
    page.unroute("**/decode*")
    page.keyboard.press("Enter")
    expect(page.locator(".payload")).to_have_text("at last")


def test_a_later_picture_wins(page: Page, ladder: FakeLadder) -> None:
    ladder.symbols = (symbol("later"),)
    held: list[Call] = []
    page.route("**/decode*", lambda call: call.continue_() if held else held.append(call))
    with page.expect_request("**/decode*"):
        page.set_input_files("#file", PICTURE)
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.set_input_files("#file", PICTURE)
    expect(page.locator(".payload")).to_have_text("later")
    expect(page.locator("#restored")).to_be_visible()
    assert page.locator(".code").count() == 1
    expect(page.get_by_role("alert")).to_be_empty()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(visit: Visit, faked: str, ladder: FakeLadder, scheme: str) -> None:
    page = visit(faked, color_scheme=scheme, reduced_motion="reduce")
    ladder.symbols = (symbol("http://a@example.org/\u202e"), symbol("second"))
    ladder.unread, ladder.complete = (unread(Reason.BUDGET),), False
    low = dict(page.evaluate(CONTRASTS))
    page.set_input_files("#file", PICTURE)
    expect(page.locator("#restored")).to_be_visible()
    low |= dict(page.evaluate(CONTRASTS))
    assert {"Not encrypted (http).", "U+202E", "Save as PNG", "Total", "Choose files", "2", "?"} <= set(low)
    assert {"1 code seen but not read", "seen but not read (?)", "Look longer"} <= set(low)
    page.route("**/decode*", lambda call: call.fulfill(**problem(401, "Send a key.")))
    page.get_by_role("button", name="Read again").click()
    expect(page.get_by_label("API key")).to_be_focused()
    low |= dict(page.evaluate(CONTRASTS))
    assert "Send a key." in low
    ladder.symbols, ladder.unread, ladder.complete = (), (), True
    assert {text: ratio for text, ratio in low.items() if ratio < 4.5} == {}


def test_nothing_moves_where_motion_is_unwanted(visit: Visit, faked: str) -> None:
    for motion, moving in (("reduce", 0), ("no-preference", 1)):
        page = visit(faked, reduced_motion=motion)
        page.route("**/decode*", lambda call: None)
        page.set_input_files("#file", PICTURE)
        expect(page.get_by_role("button", name="Cancel")).to_be_visible()
        assert page.evaluate("document.getAnimations().length") == moving


def test_the_policy_stops_markup_inline_script_and_other_hosts(browser: Browser, faked: str) -> None:
    context = browser.new_context()
    context.add_init_script(COUNT_VIOLATIONS)
    page = context.new_page()
    page.goto(faked + "/")
    with pytest.raises(api.Error, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>x</b>'")
    page.evaluate("""() => {
      const style = document.createElement("style");
      style.append("body { display: none }");
      document.head.append(style);
    }""")
    expect(page.get_by_role("heading", name="qrestore")).to_be_visible()
    page.evaluate("fetch('http://127.0.0.1:9/').catch(() => null)")
    assert set(page.evaluate("violations")) == {"require-trusted-types-for", "style-src-elem", "connect-src"}
    context.close()
