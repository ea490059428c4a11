"""GET / and the files that it loads: the web page in app/page."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from app.http.assets import Asset, serve

router = APIRouter(include_in_schema=False)

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # Payloads are untrusted: code that writes one as markup by mistake fails instead of running it.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The page may run its own script, call its own origin, and show pictures that the user gave it."""

_FOLDER: Final = Path(__file__).resolve().parents[1] / "page"


FILES: Final = (
    "index.html",
    "page.css",
    "page.js",
    "elements.js",
    "orientation.js",
    "outlines.js",
    "payload.js",
    "unread.js",
)

for _name in FILES:
    _path = "/" if _name == "index.html" else f"/{_name}"
    serve(router, _path, Asset(_FOLDER / _name, policy=CONTENT_SECURITY_POLICY))
