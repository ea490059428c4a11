"""A real browser, the service behind the page, and pages whose requests, complaints and violations are watched."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from app.main import create_app
from app.settings import Settings
from app.workers.jobs import Pipeline
from tests.support.browser import KEY, MOST_BYTES
from tests.support.fakes import FakeLadder
from tests.support.live.in_thread import in_thread
from tests.support.live.servers import running

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
"""Milliseconds that each step on a page may take: generous, for busy machines."""

COUNT_VIOLATIONS: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""
_REFUSED: Final = "Failed to load resource: "  # the browser's own line on a refusal, which the page explains


@contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    """Chromium with further flags. Skips the test where it or Playwright is not installed."""
    api = pytest.importorskip("playwright.sync_api", reason="no browser test: Playwright for Python is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no browser test: Chromium is not installed (Debian: apt-get install chromium)")
    api.expect.set_options(timeout=PATIENCE)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module: Playwright's event loop would disturb the asyncio of other tests."""
    with launched() as browser:
        yield browser


class Watched:
    """Collects everything that a page of this service must not do."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.faults: list[str] = []
        self._origin = origin
        context.on("console", lambda message: self._note_message(message.type, message.text))
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        context.on("request", lambda request: self._note_request(request.url))
        context.on("page", lambda page: page.on("dialog", self._note_dialog))

    def _note_message(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(_REFUSED):
            self.faults.append(text)

    def _note_request(self, url: str) -> None:
        if not url.startswith((self._origin + "/", "blob:", "data:")):
            self.faults.append(f"requested {url}")

    def _note_dialog(self, dialog: Any) -> None:
        self.faults.append(f"opened a dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """visit(origin, **context options) -> the page. At the end no page may have left its origin or complained."""
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


@pytest.fixture(scope="module")
def origin(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a service that asks for a key; it starts only where there is a browser."""
    del browser
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY)
    with running(api_keys_file=keys, max_upload_bytes=MOST_BYTES, workers=2, budget_seconds=17.0) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def ladder() -> FakeLadder:
    return FakeLadder()


@pytest.fixture(scope="module")
def faked(browser: Browser, ladder: FakeLadder) -> Iterator[str]:
    """The origin of a service in a thread, over the fake ladder."""
    del browser
    settings = Settings(device="cpu")
    app = create_app(settings, pipeline=Pipeline(ladder=ladder, max_pixels=settings.max_pixels))
    with in_thread(app) as origin:
        yield origin


@pytest.fixture
def page(visit: Callable[..., Page], origin: str) -> Page:
    """The page of a visitor whose every request carries the key, as behind a proxy that adds it."""
    return visit(origin, extra_http_headers={"X-API-Key": KEY}, permissions=["clipboard-read", "clipboard-write"])
