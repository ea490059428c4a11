"""What routes depend on, as annotated aliases: the service, the request's id and deadline, uploads with options."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.errors import ACCEPTED_FILES, TooManyFiles
from app.http.bodies import FILE_FIELD, MEMBER, RAW, REPEATED, UploadBody, read_body, refuse_options
from app.options import DecodeOptions, RestoreOptions
from app.service import Runtime, Service

Options = TypeVar("Options", bound=BaseModel)


async def _service(request: Request) -> Service:
    service = request.app.state.service
    if not isinstance(service, Service):
        raise TypeError("the application has no service")
    return service


CurrentService = Annotated[Service, Depends(_service)]


async def _ready(service: CurrentService) -> Runtime:
    return service.ready()


async def _deadline(request: Request) -> float:
    return float(request.state.deadline)


async def _request_id(request: Request) -> str:
    return str(request.state.request_id)


async def _decode_query(options: Annotated[DecodeOptions, Query()]) -> DecodeOptions:
    return options


async def _restore_query(options: Annotated[RestoreOptions, Query()]) -> RestoreOptions:
    return options


DecodeQuery = Annotated[DecodeOptions, Depends(_decode_query)]
RestoreQuery = Annotated[RestoreOptions, Depends(_restore_query)]
Ready = Annotated[Runtime, Depends(_ready)]
Deadline = Annotated[float, Depends(_deadline)]
RequestId = Annotated[str, Depends(_request_id)]

_FORMATS: Final = f"{ACCEPTED_FILES}; all pages of a document and all frames of an animation are read"
_ONE_FILE: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_BASE64: Final[dict[str, Any]] = {
    "type": "string",
    "description": "the image file in base64, with or without padding and line breaks, in the standard or the URL-safe "
    "alphabet; or a data URL that holds it",
}
_CONFLICT: Final = "The query gives it another value"


def _body(file: dict[str, Any], options: type[BaseModel]) -> dict[str, Any]:
    schema = options.model_json_schema(ref_template="#/components/schemas/{model}")
    form = {"type": "object", "required": [FILE_FIELD], "properties": {FILE_FIELD: file, **schema["properties"]}}
    json = {"type": "object", "required": [MEMBER], "properties": {MEMBER: _BASE64, **schema["properties"]}}
    content = {
        "multipart/form-data": {"schema": form | {"additionalProperties": False}},
        "application/json": {"schema": json | {"additionalProperties": False}},
        **{kind: {"schema": _ONE_FILE} for kind in ("image/*", "video/*", *RAW)},
    }
    return {"requestBody": {"required": True, "content": content}}


UPLOAD_BODY: Final = _body(_ONE_FILE | {"description": _FORMATS}, RestoreOptions)
"""OpenAPI's description of an upload, which the framework lacks because it does not parse the body."""
FRAMES_BODY: Final = _body(
    {
        "type": "array",
        "items": _ONE_FILE,
        "minItems": 1,
        "description": f"{_FORMATS}. One file, or with `fuse=true` several parts of this name, each a frame",
    },
    DecodeOptions,
)
"""The same for a route that takes several files."""


@dataclass(frozen=True, slots=True)
class Upload(Generic[Options]):
    """The files of a request, at most `max_upload_bytes` of them together and otherwise unchecked, and its options,
    whether they stood in the query or beside the files."""

    images: list[bytes]
    options: Options


async def _upload(request: Request, service: Service, query: Options, *, most: int, refusal: str) -> Upload[Options]:
    asked = Counter(name for name, _ in request.query_params.multi_items())
    if twice := [name for name, count in asked.items() if count > 1]:
        raise refuse_options("query", dict.fromkeys(twice, REPEATED))
    body = await read_body(request, options=type(query).model_fields, most=most, refusal=refusal)
    options = _together(query, body)
    for data in body.images:
        service.metrics.uploaded(len(data))
    return Upload(body.images, options)


def _together(query: Options, body: UploadBody) -> Options:
    """The options of query and body. Raises RequestValidationError where one of the body's is not valid, or differs
    from the query's."""
    if not body.options:
        return query
    kind, asked = type(query), query.model_dump(exclude_unset=True)
    try:
        options = kind.model_validate(asked | body.options)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**each, "loc": (body.place, *each["loc"])} for each in errors]) from exc
    if conflicts := {name: _CONFLICT for name in asked if getattr(options, name) != asked[name]}:
        raise refuse_options(body.place, conflicts)
    return options


async def _decode_upload(
    request: Request, service: CurrentService, _: Ready, query: DecodeQuery
) -> Upload[DecodeOptions]:
    most = service.settings.max_frames
    alone = f"Only one file can be read at a time; fuse=true combines up to {most} frames of one label."
    refusal = f"At most {most} frames can be fused in one request." if query.fuse else alone
    upload = await _upload(request, service, query, most=most, refusal=refusal)
    if len(upload.images) > 1 and not upload.options.fuse:
        raise TooManyFiles(alone)
    return upload


async def _restore_upload(
    request: Request, service: CurrentService, _: Ready, query: RestoreQuery
) -> Upload[RestoreOptions]:
    return await _upload(request, service, query, most=1, refusal="Only one file can be restored at a time.")


DecodeUpload = Annotated[Upload[DecodeOptions], Depends(_decode_upload)]
"""One file, or with `fuse` at most `max_frames`, and how they are to be read."""
RestoreUpload = Annotated[Upload[RestoreOptions], Depends(_restore_upload)]
"""One file, and how it is to be restored."""
