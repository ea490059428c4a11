"""POST /decode: every code in a picture, or in several pictures of one label."""

from math import inf
from typing import Final

from fastapi import APIRouter

from app import errors
from app.dependencies import FRAMES_BODY, CurrentService, Deadline, DecodeUpload, RequestId
from app.http.problems import problem_responses
from app.options import DecodeOptions
from app.pipeline.results import Effort
from app.schemas import DecodeAnswer
from app.settings import Settings
from app.workers.jobs import DecodeJob, FuseJob

router = APIRouter(tags=["codes"])

_SHARE_OF_DEADLINE: Final = 0.9
"""Longest budget, as a share of what the deadlines allow: the rest decodes the file and ends the last step, so that the
answer is not lost to the deadline."""


@router.post(
    "/decode",
    summary="Read every QR code in a picture",
    openapi_extra=FRAMES_BODY,
    responses=problem_responses(*errors.UPLOAD_ERRORS),
)
async def decode(
    upload: DecodeUpload,
    service: CurrentService,
    deadline: Deadline,
    request_id: RequestId,
) -> DecodeAnswer:
    """A picture without a readable code is a result, not an error: 200 with an empty list of codes.

    Codes that were seen but not read are listed in `unread`, each with the reason. `complete` is false if the budget
    ended before the search did.

    Positions are in pixels of the image as stored in the file. With `frame=upright` they are in pixels of the image as
    viewers show it: its EXIF orientation is applied.

    Of a PDF or TIFF all pages are read, of an animation all different frames, each up to a limit; `pages` chooses among
    them. `page` of a code says which shows it.

    With `fuse=true`, several parts named `file` are frames of one label. Each is read alone first. If none of them
    gives a code, or with `effort=thorough`, the evidence of all frames is added up, which reads codes that no single
    frame shows well enough.

    Options may stand in the query, in fields of the form, or in members of the JSON object.
    """
    outcome = await service.work(_job(upload.images, upload.options, service.settings), deadline=deadline)
    return DecodeAnswer.of(outcome, request_id=request_id)


def _job(frames: list[bytes], options: DecodeOptions, settings: Settings) -> DecodeJob | FuseJob:
    effort = options.effort or settings.default_effort
    budget = _budget(options.budget, effort, settings, images=len(frames))
    if options.fuse:
        return FuseJob(tuple(frames), effort, budget=budget, expect=options.expect, **options.wanted)
    longest = _SHARE_OF_DEADLINE * min(settings.work_seconds, settings.request_seconds)
    total = longest if options.budget is None else budget
    return DecodeJob(
        frames[0],
        effort,
        budget=budget,
        expect=options.expect,
        total=total,
        pages=options.page_ranges,
        **options.wanted,
    )


def _budget(asked: float | None, effort: Effort, settings: Settings, *, images: int) -> float:
    """Seconds of work on all images of a request together: those that it asks for, else those of its effort. A budget
    that ends is cut to what the deadlines allow."""
    budget = settings.budget(effort) * images if asked is None else asked
    longest = min(settings.work_seconds * images, settings.request_seconds)
    return budget if budget == inf else min(budget, _SHARE_OF_DEADLINE * longest)
