"""GET / and the files that it loads: the web page in app/page."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from app.http.assets import PAGE_FILES, Asset, serve

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
PERMISSIONS_POLICY: Final = "camera=(self), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
"""The page may ask for the camera, and for nothing else."""

_FOLDER: Final = Path(__file__).resolve().parents[1] / "page"

serve(router, "/", Asset(_FOLDER / "index.html", policy=CONTENT_SECURITY_POLICY, permissions=PERMISSIONS_POLICY))
for _name in PAGE_FILES:
    serve(router, f"/page/{_name}", Asset(_FOLDER / _name, policy=CONTENT_SECURITY_POLICY))
