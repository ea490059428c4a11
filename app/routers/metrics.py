"""GET /metrics, in Prometheus' text format, or in OpenMetrics if the client asks for it."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from prometheus_client.exposition import choose_encoder

from app.dependencies import CurrentService

router = APIRouter(tags=["service"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    response_model=None,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(service: CurrentService, accept: Annotated[str, Header()] = "") -> Response:
    encode, content_type = choose_encoder(accept)
    return Response(encode(service.metrics.registry), headers={"Content-Type": content_type})
