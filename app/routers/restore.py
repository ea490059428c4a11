"""POST /restore: the restored picture of a code, as PNG or JSON."""

from asyncio import to_thread
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Response

from app import errors
from app.dependencies import UPLOAD_BODY, CurrentService, Deadline, RequestId, RestoreUpload
from app.http.problems import problem_responses
from app.pipeline.results import Restored
from app.schemas import RestoreAnswer
from app.workers.jobs import RestoreJob

router = APIRouter(tags=["codes"])

PNG: Final = "image/png"
JSON: Final = "application/json"
_LONGEST_TEXT: Final = 2048
"""Most bytes of X-Qrestore-Text, since many proxies refuse longer header lines."""

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The restored code as PNG, or as JSON if `Accept` prefers it",
        "model": RestoreAnswer,
        "content": {PNG: {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "X-Qrestore-Network": {
                "description": "`modules`, the network that restored it, `compare`, or `none`",
                "schema": {"type": "string"},
            },
            "X-Qrestore-Route": {
                "description": "laplacian_variance=..., threshold=...; absent if no region was routed",
                "schema": {"type": "string"},
            },
            "X-Qrestore-Located": {
                "description": "`false` if no code was located; the PNG is then the untouched picture, reduced",
                "schema": {"type": "boolean"},
            },
            "X-Qrestore-Codes": {"description": "number of codes read", "schema": {"type": "integer"}},
            "X-Qrestore-Text": {
                "description": "text of the first code, percent-encoded UTF-8; absent if it is very long",
                "schema": {"type": "string"},
            },
        },
    }
}


@router.post(
    "/restore",
    summary="Restore the picture of a QR code",
    openapi_extra=UPLOAD_BODY,
    response_class=Response,
    response_model=None,
    responses=_ANSWERS | problem_responses(*errors.UPLOAD_ERRORS, errors.UnknownNetwork),
)
async def restore(
    upload: RestoreUpload,
    service: CurrentService,
    deadline: Deadline,
    request_id: RequestId,
    accept: Annotated[str, Header()] = PNG,
) -> Response:
    """Answers a PNG, or with `Accept: application/json` the PNG as base64 together with route, trace and codes.

    Where no code is located there is nothing to restore: `located` is false and there is no picture in the JSON; the
    PNG is the untouched picture, reduced, with `X-Qrestore-Located: false`.

    `network=compare` answers a contact sheet of what every network makes of the code: what reads in it, milliseconds,
    and PSNR against the symbol that was redrawn from its modules, where these decode.

    `view=straightened` crops the code and sets it upright; `view=original` paints it back into the whole picture, with
    `frame=upright` as viewers show that.
    """
    options = upload.options
    job = RestoreJob(
        upload.images[0],
        network=options.network,
        scale=int(options.scale),
        binary=options.binary,
        view=options.view,
        budget=service.settings.budget_seconds,
        part=options.part,
        frame=options.frame,
    )
    restored = await service.work(job, deadline=deadline)
    if prefers_json(accept):
        answer = await to_thread(lambda: RestoreAnswer.of(restored, request_id=request_id).model_dump_json())
        return Response(answer, media_type=JSON, headers={"Vary": "Accept"})
    return Response(restored.png, media_type=PNG, headers=_headers(restored))


def prefers_json(accept: str) -> bool:
    """Whether an Accept header ranks application/json above image/png; PNG wins a tie."""
    weights: dict[str, float] = {}
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights[kind] = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)

    def weight(kind: str) -> float:
        patterns = (kind, kind.partition("/")[0] + "/*", "*/*")
        return next((weights[pattern] for pattern in patterns if pattern in weights), 0.0)

    return weight(JSON) > weight(PNG)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _headers(restored: Restored) -> dict[str, str]:
    outcome = restored.outcome
    headers = {
        "Vary": "Accept",
        "X-Qrestore-Network": quote(restored.network or "none"),
        "X-Qrestore-Located": "true" if restored.located else "false",
        "X-Qrestore-Codes": str(len(outcome.codes)),
    }
    if outcome.route is not None:
        route = outcome.route
        score, threshold = route.laplacian_variance, route.threshold
        headers["X-Qrestore-Route"] = f"laplacian_variance={score:.6g}, threshold={threshold:.6g}"
    if outcome.codes:
        text = quote(outcome.codes[0].symbol.text, safe="", errors="replace")
        if len(text) <= _LONGEST_TEXT:
            headers["X-Qrestore-Text"] = text
    return headers
