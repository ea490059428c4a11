"""GET / and the files that it loads: the web page in app/page."""

from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.status import HTTP_304_NOT_MODIFIED

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


class _Asset:
    """A file of the page, read once at import."""

    def __init__(self, name: str, media_type: str) -> None:
        self._body = (_FOLDER / name).read_bytes()
        self._headers = {
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            # Revalidated on every visit, so that an upgrade never mixes the files of two versions.
            "Cache-Control": "no-cache",
            "ETag": f'"{sha256(self._body).hexdigest()[:32]}"',
        }

    async def answer(self, request: Request) -> Response:
        """The file, or 304 if the client's copy is current."""
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")}
        if known & {self._headers["ETag"], "*"}:
            return Response(None, HTTP_304_NOT_MODIFIED, self._headers)
        return Response(self._body, headers=self._headers)


for _path, _name, _media_type in (
    ("/", "index.html", "text/html"),
    ("/page.css", "page.css", "text/css"),
    ("/page.js", "page.js", "text/javascript"),
    ("/elements.js", "elements.js", "text/javascript"),
    ("/orientation.js", "orientation.js", "text/javascript"),
    ("/outlines.js", "outlines.js", "text/javascript"),
    ("/payload.js", "payload.js", "text/javascript"),
    ("/unread.js", "unread.js", "text/javascript"),
):
    _asset = _Asset(_name, _media_type)
    router.add_api_route(_path, _asset.answer, methods=["GET", "HEAD"], response_class=Response, response_model=None)
