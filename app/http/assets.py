"""Files that the service shows in browsers: pages of its own, their scripts and styles."""

from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.status import HTTP_304_NOT_MODIFIED

PAGE_FILES: Final = (
    "page.css",
    "pictures.css",
    "page.js",
    "elements.js",
    "answer/answer.js",
    "answer/cards.js",
    "answer/orientation.js",
    "answer/outlines.js",
    "answer/payload.js",
    "answer/restored.js",
    "answer/trace.js",
    "answer/unread.js",
    "pictures/camera.js",
    "pictures/list.js",
    "pictures/queue.js",
    "pictures/requests.js",
    "pictures/table.js",
)
"""What the web page loads: NAME in app/page is at /page/NAME."""
MEDIA_TYPES: Final = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
"""By the end of the file's name; all are UTF-8."""


class Asset:
    """A file, read once, at its first request."""

    def __init__(self, file: Path, *, policy: str, permissions: str | None = None) -> None:
        """``policy`` is its Content-Security-Policy, ``permissions`` its Permissions-Policy."""
        self._file = file
        self._policies = {"Content-Security-Policy": policy}
        if permissions is not None:
            self._policies["Permissions-Policy"] = permissions

    @cached_property
    def _body(self) -> bytes:
        return self._file.read_bytes()

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {
            "Content-Type": f"{MEDIA_TYPES[self._file.suffix]}; charset=utf-8",
            **self._policies,
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


def serve(router: APIRouter, path: str, asset: Asset) -> None:
    """Adds the route of an asset."""
    router.add_api_route(path, asset.answer, methods=["GET", "HEAD"], response_class=Response, response_model=None)
