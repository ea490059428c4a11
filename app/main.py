"""The composition root: reads settings, loads and warms the networks, and wires the application together."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from app import __version__
from app.errors import QrestoreError
from app.http import problems, server
from app.http.auth import ApiKeys, load_keys
from app.http.context import RequestContext
from app.http.server import PlainStartupFailure
from app.http.uploads import UploadLimit
from app.routers import decode, health, metrics, page, restore
from app.service import InProcess, Loaded, Service
from app.settings import Settings
from app.startup import load_service
from app.telemetry.logs import start_logging
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import start_tracing
from app.workers.admission import Admission
from app.workers.jobs import Pipeline
from app.workers.process import Factory

log = logging.getLogger("qrestore")

_DOCUMENT = "/openapi.json"  # without it there is no interactive documentation either

_DESCRIPTION = """Reads QR codes in photographs: first as they are, then, where that fails, restored by neural networks.

Every error is `application/problem+json` (RFC 9457). Every answer carries `X-Request-ID`: the client's own if it sent
one of at most 128 letters, digits, dots, colons, dashes and underscores, otherwise a new one."""


def create_app(
    settings: Settings | None = None, *, pipeline: Pipeline | None = None, factory: Factory | None = None
) -> FastAPI:
    """The application, ready when its start-up is over.

    ``pipeline`` does the work in this process, as it is; else the settings' is loaded and runs in child processes, or
    what ``factory`` makes there. Raises InvalidConfiguration where the API keys cannot be read.
    """
    return _application(_service(settings or Settings()), pipeline=pipeline, factory=factory)


def _service(settings: Settings) -> Service:
    counted = Metrics()
    admission = Admission(
        slots=settings.workers,
        queue=settings.queue,
        uploads=settings.uploads,
        on_wait=counted.waited,
        on_refusal=counted.refused,
    )
    service = Service(settings=settings, metrics=counted, admission=admission)
    service.watch()
    return service


def _application(
    service: Service, *, pipeline: Pipeline | None = None, factory: Factory | None = None, in_background: bool = False
) -> FastAPI:
    """``in_background``: start-up is over at once, and the application refuses work until it is loaded."""
    settings = service.settings

    async def load() -> None:
        if pipeline is not None:
            loaded = Loaded(worker=InProcess(pipeline))
        else:
            loaded = await asyncio.to_thread(load_service, settings, service.metrics, factory=factory)
        service.metrics.models_loaded(loaded.models, device=loaded.device)
        service.loaded = loaded
        log.info("ready: %d networks on %s", len(loaded.models), loaded.device)

    async def load_or_give_up() -> None:
        try:
            await load()
        except Exception as exc:  # noqa: BLE001 - whoever runs the application is told, and ends it
            service.failure = exc

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(load_or_give_up() if in_background else load())
        if not in_background:
            await loading
        try:
            yield
        finally:
            with suppress(QrestoreError):
                await loading
            await asyncio.to_thread(_close, service)

    app = FastAPI(
        title="qrestore",
        summary="Reads degraded QR codes.",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=_DOCUMENT if settings.docs and settings.admin_port is None else None,
    )
    app.state.service = service
    problems.install(app)
    app.add_middleware(UploadLimit, max_bytes=settings.max_upload_bytes, admission=service.admission)
    if settings.api_keys_file is not None:
        app.add_middleware(ApiKeys, keys=load_keys(settings.api_keys_file), discard=settings.max_upload_bytes)
    app.add_middleware(RequestContext, metrics=service.metrics, seconds=settings.request_seconds)
    app.add_middleware(PlainStartupFailure)
    app.include_router(decode.router)
    app.include_router(restore.router)
    app.include_router(health.router)
    if settings.metrics and settings.admin_port is None:
        app.include_router(metrics.router)
    if settings.page:
        app.include_router(page.router)
    return app


def _close(service: Service) -> None:
    """Ends what start-up made; running jobs fail."""
    loaded, service.loaded = service.loaded, None
    if loaded is not None:
        loaded.worker.close()
    service.admission.close()
    if loaded is not None:
        loaded.close()


def _operators_app(service: Service, public: FastAPI) -> FastAPI:
    """What is served on the admin port: health, metrics, and the documentation of the public application."""
    settings = service.settings
    app = FastAPI(title="qrestore", version=__version__, openapi_url=_DOCUMENT if settings.docs else None)
    app.state.service = service
    problems.install(app)
    app.openapi = public.openapi  # type: ignore[method-assign]
    app.add_middleware(RequestContext, metrics=service.metrics, seconds=settings.request_seconds)
    app.include_router(health.router)
    if settings.metrics:
        app.include_router(metrics.router)
    return app


def serve(settings: Settings, *, factory: Factory | None = None) -> None:
    """Runs until told to stop, and answers 503 while it loads.

    Raises InvalidCheckpoint, UnknownNetwork or InvalidConfiguration where it cannot start.
    """
    start_logging(level=settings.log_level, form=settings.log_format)
    if settings.tracing:
        start_tracing()
    service = _service(settings)
    app = _application(service, factory=factory, in_background=True)
    operators = _operators_app(service, app) if settings.admin_port is not None else None
    server.run(app, operators, service)
