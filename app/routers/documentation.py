"""GET /docs and /redoc: Swagger UI and Redoc on the OpenAPI description; the service itself serves their files."""

from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import APIRouter

from app.http.assets import Asset, serve

router = APIRouter(include_in_schema=False)

_OWN: Final = Path(__file__).resolve().parents[1] / "page" / "documentation"
_BUNDLES: Final = Path(fastapi_offline.__file__).resolve().parent / "static"


def _policy(*, style: str, worker: str = "'none'") -> str:
    """May run its own script and call its own origin."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src {style}",
            "img-src 'self' data:",
            "connect-src 'self'",
            f"worker-src {worker}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


SWAGGER_POLICY: Final = _policy(style="'self'")
REDOC_POLICY: Final = _policy(style="'self' 'unsafe-inline'", worker="blob:")
"""Redoc writes its styles into the page, and searches in a worker that it makes itself."""

for _path, _file, _rule in (
    ("/docs", _OWN / "swagger.html", SWAGGER_POLICY),
    ("/docs/swagger.js", _OWN / "swagger.js", SWAGGER_POLICY),
    ("/docs/swagger-ui.css", _BUNDLES / "swagger-ui.css", SWAGGER_POLICY),
    ("/docs/swagger-ui-bundle.js", _BUNDLES / "swagger-ui-bundle.js", SWAGGER_POLICY),
    ("/redoc", _OWN / "redoc.html", REDOC_POLICY),
    ("/redoc/redoc.css", _OWN / "redoc.css", REDOC_POLICY),
    ("/redoc/redoc.standalone.js", _BUNDLES / "redoc.standalone.js", REDOC_POLICY),
):
    serve(router, _path, Asset(_file, policy=_rule))
