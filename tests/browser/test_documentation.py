"""/docs and /redoc in a real browser that reaches no host but the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest

from app.pipeline.files.png import encode_png
from tests.browser.conftest import COUNT_VIOLATIONS, Watched
from tests.support.browser import KEY
from tests.support.codes import qr_picture

api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
expect = api.expect
pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

    Open = Callable[[str], tuple[Page, Watched]]

PICTURE: Final = {"name": "code.png", "mimeType": "image/png", "buffer": encode_png(qr_picture("tried out"))}
UNKNOWN_COMPONENT: Final = "Could not find component: JsonSchema_string_"
"""Swagger UI's own remark on a schema with a format, for which it has no form field of its own."""
LOGO: Final = "https://cdn.redoc.ly/redoc/logo-mini.svg"


@pytest.fixture
def opened(browser: Browser, origin: str) -> Iterator[Open]:
    """opened(path) -> the page there and what it did wrong. Every request to another host is refused."""
    contexts: list[BrowserContext] = []

    def go(path: str) -> tuple[Page, Watched]:
        context = browser.new_context()
        contexts.append(context)
        context.add_init_script(COUNT_VIOLATIONS)
        context.route(lambda url: not url.startswith(origin), refuse)
        watched = Watched(context, origin)
        page = context.new_page()
        page.goto(origin + path)
        return page, watched

    yield go
    for context in contexts:
        context.close()


def refuse(call: Route) -> None:
    call.abort("internetdisconnected")


def test_swagger_ui_shows_the_interface_and_reads_a_picture(opened: Open) -> None:
    page, watched = opened("/docs")
    expect(page.locator(".info .title")).to_contain_text("qrestore")
    page.locator("#operations-codes-decode_decode_post .opblock-summary-control").click()
    page.get_by_role("button", name="Authorize", exact=True).click()
    page.locator(".auth-container input").first.fill(KEY)
    page.locator(".auth-container").first.get_by_role("button", name="Apply credentials").click()
    page.locator(".close-modal").click()
    operation = page.locator("#operations-codes-decode_decode_post")
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_label("Request content type").select_option("application/octet-stream")
    operation.locator("input[type=file]").set_input_files(PICTURE)
    operation.get_by_role("button", name="Execute", exact=True).click()
    answer = operation.locator(".live-responses-table .response .microlight, .live-responses-table pre").first
    expect(answer).to_contain_text('"tried out"')
    assert page.evaluate("violations") == []
    assert [fault for fault in watched.faults if not fault.startswith(UNKNOWN_COMPONENT)] == []


def test_redoc_shows_the_interface(opened: Open) -> None:
    page, watched = opened("/redoc")
    expect(page.get_by_role("heading", name="Read every QR code in a picture").first).to_be_visible()
    expect(page.get_by_role("heading", name="Restore the picture of a QR code").first).to_be_visible()
    page.get_by_placeholder("Search...").fill("restore")
    expect(page.locator("[data-role='search:results'] [role=menuitem]").first).to_be_visible()
    assert set(page.evaluate("violations")) <= {"img-src"}
    assert [fault for fault in watched.faults if LOGO not in fault] == []
    expect(page.locator(f"img[src='{LOGO}']")).to_be_hidden()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_inline_script_and_other_hosts_are_refused(opened: Open, path: str) -> None:
    page, _ = opened(path)
    page.wait_for_load_state("networkidle")
    page.evaluate("""() => {
      window.violations.length = 0;
      const script = document.createElement("script");
      script.append("window.ran = true");
      document.head.append(script);
      return fetch("http://127.0.0.1:9/").catch(() => null);
    }""")
    assert page.evaluate("window.ran") is None
    assert set(page.evaluate("violations")) - {"img-src"} == {"script-src-elem", "connect-src"}  # img-src: the logo
