"""The composition root: the only place that reads settings to wire the application together."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI

from app import __version__
from app.errors import InternalError, QrestoreError
from app.http import server, stack
from app.http.hangup import answer_hangups, ignore_hangups
from app.http.keys import KeyRing
from app.routers import decode, documentation, health, metrics, page, restore
from app.service import Runtime, Service
from app.settings import Settings
from app.startup import load_service
from app.telemetry.logs import start_logging
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import start_tracing
from app.workers.admission import Admission
from app.workers.jobs import Pipeline
from app.workers.process import Factory
from app.workers.worker import InProcessWorker

log = logging.getLogger("qrestore")

_OPENAPI_PATH = "/openapi.json"

_NO_THREAD = "can't start new thread"  # how Python says that a limit is met
_NO_THREADS_LEFT = "No thread can be started: raise the limit on processes (ulimit -u, or the container's pids limit)."

_DESCRIPTION = """Reads QR codes in photographs. Neural networks read or restore the codes that do not decode directly.

Every error is `application/problem+json` (RFC 9457). Every answer carries `X-Request-ID`: the client's own if it has
at most 128 letters, digits, dots, colons, dashes and underscores and nothing else, otherwise a new one."""


def create_app(
    settings: Settings | None = None, *, pipeline: Pipeline | None = None, factory: Factory | None = None
) -> FastAPI:
    """The application; it is ready when its start-up is over.

    By default start-up loads the networks that the settings name and starts child processes. With ``pipeline`` it loads
    nothing, and the jobs run on that pipeline in this process; ``factory`` replaces what the children do. Raises
    InvalidConfiguration if the API keys cannot be read.
    """
    return _application(_service(settings or Settings()), pipeline=pipeline, factory=factory)


def serve(settings: Settings, *, factory: Factory | None = None) -> None:
    """Makes the application and serves it until a signal to stop; it answers 503 while it loads.

    Raises InvalidCheckpoint, UnknownNetwork, InvalidConfiguration or InternalError if it cannot start.
    """
    ignore_hangups()
    start_logging(level=settings.log_level, form=settings.log_format)
    if settings.tracing:
        start_tracing()
    service = _service(settings)
    app = _application(service, factory=factory, in_background=True)
    operators = _operators_application(service, app) if settings.admin_port is not None else None
    try:
        server.run(app, operators, service)
    except RuntimeError as exc:
        if str(exc) == _NO_THREAD:
            raise InternalError(_NO_THREADS_LEFT) from exc
        raise
    finally:
        gc.unfreeze()


def _service(settings: Settings) -> Service:
    recorder = Metrics()
    admission = Admission(
        slots=settings.workers,
        queue=settings.queue,
        uploads=settings.uploads,
        slow_slots=settings.slow_workers,
        quick_seconds=settings.quick_seconds,
        on_wait=recorder.waited,
        on_refusal=recorder.refused,
        on_slow=recorder.slowed,
    )
    service = Service(settings=settings, metrics=recorder, admission=admission)
    service.register_gauges()
    return service


def _application(
    service: Service, *, pipeline: Pipeline | None = None, factory: Factory | None = None, in_background: bool = False
) -> FastAPI:
    """The application for clients. With ``in_background`` its start-up ends at once, and it answers 503 until the
    networks are loaded."""
    settings = service.settings
    file = settings.api_keys_file
    keys = KeyRing(file, on_names=service.metrics.keys_known) if file is not None else None
    load = partial(_load, service, pipeline=pipeline, factory=factory, in_background=in_background)
    has_documentation = settings.docs and settings.admin_port is None
    app = FastAPI(
        title="qrestore",
        summary="Reads degraded QR codes.",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=_lifespan(service, keys, load, in_background=in_background),
        redirect_slashes=False,
        openapi_url=_OPENAPI_PATH if has_documentation else None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    stack.install(app, service, keys)
    app.include_router(decode.router)
    app.include_router(restore.router)
    app.include_router(health.router)
    if settings.metrics and settings.admin_port is None:
        app.include_router(metrics.router)
    if has_documentation:
        app.include_router(documentation.router)
    if settings.page:
        app.include_router(page.router)
    return app


async def _load(
    service: Service, app: FastAPI, *, pipeline: Pipeline | None, factory: Factory | None, in_background: bool
) -> None:
    """Loads what the service runs on, after which it is ready. Raises as `load_service`."""
    if pipeline is not None:
        runtime = Runtime(worker=InProcessWorker(pipeline))
    else:
        service.admission.start()
        runtime = await asyncio.to_thread(load_service, service.settings, service.metrics, factory=factory)
    if in_background:
        await asyncio.to_thread(app.openapi)  # else the first upload waits until FastAPI has looked at its options
        gc.collect()
        gc.freeze()  # what start-up made stays: collections that look through it stop the event loop for 0.1 s
    service.metrics.models_loaded(runtime.models, device=runtime.device)
    service.runtime = runtime
    log.info("ready: %d networks on %s", len(runtime.models), runtime.device)


def _lifespan(
    service: Service, keys: KeyRing | None, load: Callable[[FastAPI], Awaitable[None]], *, in_background: bool
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """What an application does before it takes requests and after the last; what fails in the background ends the
    server, which raises it."""

    async def load_or_fail(app: FastAPI) -> None:
        try:
            await load(app)
        except Exception as exc:
            if not in_background:
                raise
            service.failure = exc

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(load_or_fail(app))
        if in_background:
            answer_hangups(keys)
        else:
            await loading
        watching = asyncio.create_task(service.watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait((watching,))
            with suppress(QrestoreError):
                await loading
            if service.failure is None:
                await asyncio.to_thread(_close, service)
            else:  # nothing runs on, and there may be no thread for it
                _close(service)

    return lifespan


def _operators_application(service: Service, public: FastAPI) -> FastAPI:
    """The application on the admin port: health, metrics, and the documentation of the public application."""
    settings = service.settings
    app = FastAPI(
        title="qrestore",
        version=__version__,
        openapi_url=_OPENAPI_PATH if settings.docs else None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    stack.install_for_operators(app, service)
    app.openapi = public.openapi  # type: ignore[method-assign]
    app.include_router(health.router)
    if settings.metrics:
        app.include_router(metrics.router)
    if settings.docs:
        app.include_router(documentation.router)
    return app


def _close(service: Service) -> None:
    """Ends what start-up made. Running jobs fail."""
    runtime, service.runtime = service.runtime, None
    if runtime is not None:
        runtime.worker.close()
    service.admission.close()
    if runtime is not None:
        runtime.close()
