"""GET /livez, /readyz, /version and /models: what runs, and whether it is ready for requests."""

from fastapi import APIRouter

from app import __version__, errors
from app.dependencies import CurrentService, Ready
from app.http.problems import problem_responses
from app.schemas import Health, Models, Version

router = APIRouter(tags=["service"])


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Health:
    return Health(status="alive")


@router.get("/readyz", summary="Is the service ready for requests?", responses=problem_responses(errors.NotReady))
async def readyz(_: Ready) -> Health:
    """Ready once the networks that most pictures need are loaded and have run once."""
    return Health(status="ready")


@router.get("/version", summary="Which version is running?")
async def version(service: CurrentService) -> Version:
    runtime = service.runtime
    return Version(name="qrestore", version=__version__, engine=runtime.engine if runtime else None)


@router.get("/models", summary="Which networks are loaded?", responses=problem_responses(errors.NotReady))
async def models(runtime: Ready) -> Models:
    """The name, size, provenance and measured rates of each checkpoint, as its file states them."""
    return Models(device=runtime.device, models=list(runtime.models))
