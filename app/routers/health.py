"""GET /livez, /readyz, /version and /models: what runs, and whether it may be sent work."""

from fastapi import APIRouter

from app import __version__, errors
from app.dependencies import Ready
from app.http.problems import described
from app.schemas import Health, Models, Version

router = APIRouter(tags=["service"])


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Health:
    return Health(status="alive")


@router.get("/readyz", summary="May it be sent work?", responses=described(errors.NotReady))
async def readyz(_: Ready) -> Health:
    """Ready once every checkpoint is loaded and has run once."""
    return Health(status="ready")


@router.get("/version", summary="Which version runs?")
async def version() -> Version:
    return Version(name="qrestore", version=__version__)


@router.get("/models", summary="Which networks are loaded?", responses=described(errors.NotReady))
async def models(loaded: Ready) -> Models:
    """Each checkpoint's name, size, provenance and measured rates, as its file states them."""
    return Models(device=loaded.device, models=list(loaded.models))
