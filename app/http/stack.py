"""The middleware of both applications, outermost first, and the one table of the paths that it treats differently."""

from collections.abc import Mapping
from enum import Flag, auto
from typing import Final

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.http import problems
from app.http.assets import PAGE_FILES
from app.http.auth import ApiKeys, describe_keys
from app.http.context import RequestContext
from app.http.crossing import CrossOrigin
from app.http.keys import KeyRing
from app.http.server import PlainStartupFailure
from app.http.targets import AllowedHosts, PlainTarget
from app.http.uploads import UploadLimit
from app.service import Service


class Treatment(Flag):
    """How the middleware stack treats a path that differs from the others."""

    PUBLIC = auto()
    """Needs no API key."""
    PROBE = auto()
    """Machines ask for it every few seconds: its requests are logged at the level debug."""
    HEALTH = auto()
    """Orchestrators ask for it by the machine's address, whatever hosts the service goes by."""


PATHS: Final[Mapping[str, Treatment]] = {
    "/livez": Treatment.PUBLIC | Treatment.PROBE | Treatment.HEALTH,
    "/readyz": Treatment.PUBLIC | Treatment.PROBE | Treatment.HEALTH,
    "/metrics": Treatment.PUBLIC | Treatment.PROBE,
    "/version": Treatment.PUBLIC,
    "/": Treatment.PUBLIC,
    **{f"/page/{name}": Treatment.PUBLIC for name in PAGE_FILES},
    "/openapi.json": Treatment.PUBLIC,
    "/docs": Treatment.PUBLIC,
    "/docs/swagger.js": Treatment.PUBLIC,
    "/docs/swagger-ui.css": Treatment.PUBLIC,
    "/docs/swagger-ui-bundle.js": Treatment.PUBLIC,
    "/redoc": Treatment.PUBLIC,
    "/redoc/redoc.css": Treatment.PUBLIC,
    "/redoc/redoc.standalone.js": Treatment.PUBLIC,
}
"""Every path that is treated differently. All others need a key and are logged."""


def install(app: FastAPI, service: Service, keys: KeyRing | None) -> None:
    """Surrounds the application that clients use with its stack of middleware; with ``keys`` they need one of them."""
    settings = service.settings
    layers = [Middleware(PlainStartupFailure), Middleware(PlainTarget), *_origins(service)]
    layers += [_context(service), *_hosts(service)]
    public = _paths(Treatment.PUBLIC)
    if keys is not None:
        layers.append(Middleware(ApiKeys, keys=keys, public=public, on_use=service.metrics.key_used))
    layers.append(
        Middleware(
            UploadLimit,
            max_bytes=settings.max_upload_bytes,
            least_rate=settings.upload_rate,
            admission=service.admission,
            most=settings.uploads,
        )
    )
    _surround(app, layers)
    describe_keys(app, public=public, needed=keys is not None)


def install_for_operators(app: FastAPI, service: Service) -> None:
    """Surrounds the application on the admin port with its stack of middleware: no uploads, no key."""
    _surround(app, [Middleware(PlainTarget), _context(service)])


def _surround(app: FastAPI, layers: list[Middleware]) -> None:
    problems.install(app)
    app.user_middleware[:] = layers  # the framework, too, keeps them outermost first


def _origins(service: Service) -> list[Middleware]:
    """Outside of everything that may refuse a request, so that pages of these origins can read every refusal."""
    origins = service.settings.cors_origins
    return [Middleware(CrossOrigin, origins=origins)] if origins else []


def _hosts(service: Service) -> list[Middleware]:
    hosts = service.settings.allowed_hosts
    return [Middleware(AllowedHosts, hosts=hosts, health=_paths(Treatment.HEALTH))] if hosts else []


def _context(service: Service) -> Middleware:
    return Middleware(
        RequestContext,
        metrics=service.metrics,
        seconds=service.settings.request_seconds,
        probes=_paths(Treatment.PROBE),
    )


def _paths(treatment: Treatment) -> frozenset[str]:
    return frozenset(path for path, treatments in PATHS.items() if treatment in treatments)
