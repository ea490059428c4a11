"""The composition root: reads settings, loads and warms the networks, and wires the application together."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import torch
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__, problems
from app.admission import Slots
from app.errors import QrestoreError
from app.limits import RequestContext, UploadLimit
from app.metrics import Metrics
from app.models.checkpoint import Checkpoint
from app.pipeline.climbing import Tools
from app.pipeline.ladder import Ladder
from app.pipeline.loading import Backend, load_networks
from app.pipeline.restoring import pick_device
from app.routers import decode, health, metrics, restore
from app.schemas import ModelCard
from app.service import Pipeline, Service
from app.settings import Settings

log = logging.getLogger("qrestore")

_DESCRIPTION = """Reads QR codes in photographs: first as they are, then, where that fails, restored by neural networks.

Every error is `application/problem+json` (RFC 9457). Every answer carries `X-Request-ID`: the client's own if it sent
one of at most 128 letters, digits, dots, colons, dashes and underscores, otherwise a new one."""


def load_pipeline(settings: Settings) -> Pipeline:
    """Every checkpoint of the weights folder on the device, each having run once.

    Raises InvalidCheckpoint for a bad one or a backend that is not installed, and UnknownNetwork where the settings
    name one that is not there.
    """
    torch.set_num_threads(settings.torch_threads)
    device = pick_device(settings.device) if settings.backend is Backend.TORCH else "cpu"
    networks = load_networks(settings.weights, device, backend=settings.backend)
    tools = Tools.standard(
        networks,
        light=settings.light_network,
        heavy=settings.heavy_network,
        upscaler=settings.upscale_network,
        reader=settings.reader_network,
        locator=settings.locator_network,
    )
    return Pipeline(
        ladder=Ladder(tools=tools, max_codes=settings.max_codes),
        max_pixels=settings.max_pixels,
        device=device,
        models=tuple(_card(card) for card in networks.cards),
    )


def create_app(settings: Settings | None = None, *, pipeline: Pipeline | None = None) -> FastAPI:
    """The application. Its start-up takes `pipeline` as it is, or loads one by `settings`; only then is it ready."""
    settings = settings or Settings()
    service = Service(settings=settings, metrics=Metrics(), slots=Slots(settings.workers))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loaded = await asyncio.to_thread(load_pipeline, settings) if pipeline is None else pipeline
        service.metrics.models_loaded(loaded.models, device=loaded.device)
        service.pipeline = loaded
        log.info("ready: %d networks on %s", len(loaded.models), loaded.device)
        try:
            yield
        finally:
            service.pipeline = None
            service.slots.close()

    app = FastAPI(
        title="qrestore",
        summary="Reads degraded QR codes.",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
    )
    app.state.service = service
    problems.install(app)
    app.add_middleware(UploadLimit, max_bytes=settings.max_upload_bytes)
    app.add_middleware(RequestContext, metrics=service.metrics)
    app.add_middleware(PlainStartupFailure)
    for module in (decode, restore, health, metrics):
        app.include_router(module.router)
    return app


class PlainStartupFailure:
    """Reports a start-up that failed on purpose by its one-line reason; the framework would send a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failure: Message | None = None

        async def hold_failure(message: Message) -> None:
            nonlocal failure
            if message["type"] == "lifespan.startup.failed":
                failure = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except QrestoreError as exc:
            failure = {"type": "lifespan.startup.failed", "message": exc.detail}
            raise
        finally:
            if failure is not None:
                await send(failure)


def serve(settings: Settings) -> None:
    """Run until told to stop. Exits the process with status 3 where start-up fails."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        access_log=settings.log_level == "debug",
    )


def _card(card: Checkpoint) -> ModelCard:
    return ModelCard(
        name=card.name,
        architecture=card.architecture,
        parameters=card.parameters,
        scale=int(getattr(card.network, "scale", 1)),
        config=dict(card.config),
        provenance=dict(card.provenance),
        measured=dict(card.measured),
    )
