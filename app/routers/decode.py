"""POST /decode: every code in a picture, or in several pictures of one label."""

from fastapi import APIRouter

from app import errors
from app.dependencies import FRAMES_BODY, CurrentService, Deadline, DecodeQuery, RequestId, UploadedFrames
from app.http.problems import problem_responses
from app.schemas import DecodeAnswer
from app.workers.jobs import DecodeJob, FuseJob

router = APIRouter(tags=["codes"])


@router.post(
    "/decode",
    summary="Read every QR code in a picture",
    openapi_extra=FRAMES_BODY,
    responses=problem_responses(*errors.UPLOAD_ERRORS),
)
async def decode(
    frames: UploadedFrames,
    options: DecodeQuery,
    service: CurrentService,
    deadline: Deadline,
    request_id: RequestId,
) -> DecodeAnswer:
    """A picture without a readable code is a result, not an error: 200 with an empty list of codes.

    Positions are in pixels of the image as stored in the file; EXIF orientation is not applied.

    With `fuse=true`, several parts named `file` are frames of one label. Each is read alone first. If none of them
    gives a code, or with `effort=thorough`, the evidence of all frames is added up, which reads codes that no single
    frame shows well enough.
    """
    effort = options.effort or service.settings.default_effort
    job = FuseJob(tuple(frames), effort) if options.fuse else DecodeJob(frames[0], effort)
    outcome = await service.work(job, deadline=deadline)
    return DecodeAnswer.of(outcome, request_id=request_id)
