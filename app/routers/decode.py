"""POST /decode: every code in a picture."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app import errors
from app.dependencies import UPLOAD_BODY, CurrentService, ReadyPipeline, RequestId, UploadedImage
from app.problems import described
from app.schemas import DecodeAnswer, DecodeOptions

router = APIRouter(tags=["codes"])


@router.post(
    "/decode",
    summary="Read every QR code in a picture",
    openapi_extra=UPLOAD_BODY,
    responses=described(*errors.UPLOAD_ERRORS),
)
async def decode(
    data: UploadedImage,
    options: Annotated[DecodeOptions, Query()],
    pipeline: ReadyPipeline,
    service: CurrentService,
    request_id: RequestId,
) -> DecodeAnswer:
    """A picture without a readable code is a result, not an error: 200 with an empty list of codes.

    Positions are in pixels of the image as stored in the file; EXIF orientation is not applied.
    """
    effort = options.effort or service.settings.default_effort
    outcome = await service.slots.run(partial(pipeline.read, data, effort=effort))
    service.metrics.record(outcome)
    return DecodeAnswer.of(outcome, request_id=request_id)
