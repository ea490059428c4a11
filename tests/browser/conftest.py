"""A real browser and pages in it, each watched: what it loads, what it complains of, what its policy stops."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FLAGS: Final = (
    "--no-sandbox",  # there is none where continuous integration is root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE: Final = 40_000
"""Milliseconds that a page has for what it is told to do: the machines that test are busy."""

COUNT_VIOLATIONS: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""
_REFUSED: Final = "Failed to load resource: "  # the browser's own line on a refusal, which the page puts in words


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; of a module, since Playwright's event loop would be in the way of the asyncio of other tests."""
    api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no browser test: Chromium is not installed (Debian: apt-get install chromium)")
    api.expect.set_options(timeout=PATIENCE)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """Everything that a context did which a page of ours must not."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.faults: list[str] = []
        self._origin = origin
        context.on("console", lambda message: self._said(message.type, message.text))
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        context.on("request", lambda request: self._asked(request.url))
        context.on("page", lambda page: page.on("dialog", self._opened))

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(_REFUSED):
            self.faults.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self._origin + "/", "blob:", "data:")):
            self.faults.append(f"asked for {url}")

    def _opened(self, dialog: Any) -> None:
        self.faults.append(f"opened a dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """visit(origin, **context options) -> the page there. At the end no page may have left its origin or complained."""
    opened: list[tuple[BrowserContext, Watched]] = []

    def go(origin: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(COUNT_VIOLATIONS)
        opened.append((context, Watched(context, origin)))
        page = context.new_page()
        page.goto(origin + "/")
        return page

    yield go
    for context, watched in opened:
        assert len(context.pages) == 1
        assert context.pages[0].evaluate("violations") == []
        assert watched.faults == []
        context.close()
