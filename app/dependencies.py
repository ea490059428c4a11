"""What routes depend on, as annotated aliases: the service, the request's id and deadline, options, uploaded images."""

import asyncio
import binascii
from base64 import b64decode
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from app.errors import InvalidImage, MalformedBody, MissingInput, UnsupportedBody
from app.http.multipart import read_files
from app.schemas import Base64Upload, DecodeOptions
from app.service import Runtime, Service


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


async def _decode_options(options: Annotated[DecodeOptions, Query()]) -> DecodeOptions:
    return options


Ready = Annotated[Runtime, Depends(_ready)]
Deadline = Annotated[float, Depends(_deadline)]
RequestId = Annotated[str, Depends(_request_id)]
DecodeQuery = Annotated[DecodeOptions, Depends(_decode_options)]

FILE_FIELD: Final = "file"
_ONE_MEMBER: Final = "The JSON body must have one member, image_base64, which is a string."
_STRUCTURE: Final = (b",", b"[", b"{")  # base64 uses none of them
_MAX_STRUCTURE: Final = 16
_BASE64_PIECE: Final = 256 * 1024
"""Characters that are decoded in one go, a multiple of four: 0.6 ms."""
_FORMATS: Final = "PNG, JPEG, WebP, BMP or GIF; only the first frame of an animation is used"
_ONE_FILE: Final[dict[str, Any]] = {"type": "string", "format": "binary"}


def _body(file: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "required": [FILE_FIELD], "properties": {FILE_FIELD: file}}
    content = {
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": Base64Upload.model_json_schema()},
    }
    return {"requestBody": {"required": True, "content": content}}


UPLOAD_BODY: Final = _body(_ONE_FILE | {"description": _FORMATS})
"""OpenAPI's description of an upload, which the framework lacks because it does not parse the body."""
FRAMES_BODY: Final = _body(
    {
        "type": "array",
        "items": _ONE_FILE,
        "minItems": 1,
        "description": f"{_FORMATS}. One file, or with `fuse=true` several parts of this name, each a frame",
    }
)
"""The same for a route that takes several files."""


async def _multipart_images(request: Request, *, most: int, refusal: str) -> list[bytes]:
    kind = request.headers["Content-Type"]
    images = await read_files(kind, request.stream(), field=FILE_FIELD, most=most, refusal=refusal)
    if not images:
        raise MissingInput(f"The form must have a file in a field named {FILE_FIELD}.")
    return images


async def _base64_image(request: Request) -> bytes:
    body, structure = bytearray(), 0
    async for chunk in request.stream():
        structure += sum(map(chunk.count, _STRUCTURE))
        if structure > _MAX_STRUCTURE:  # each costs the parser far more than one byte of text
            raise MissingInput(_ONE_MEMBER)
        body += chunk
    try:
        upload = Base64Upload.model_validate_json(bytes(body))
    except ValidationError as exc:
        if exc.errors(include_input=False)[0]["type"] == "json_invalid":
            raise MalformedBody("The body is not valid JSON.") from exc
        raise MissingInput(_ONE_MEMBER) from exc
    try:
        return await _from_base64(upload.image_base64)
    except (binascii.Error, ValueError) as exc:
        raise InvalidImage("image_base64 is not valid base64.") from exc


async def _from_base64(text: str) -> bytes:
    """Decodes base64 in pieces, between which the event loop does other work. Raises ValueError."""
    decoded = bytearray()
    for start in range(0, len(text), _BASE64_PIECE):
        piece = text[start : start + _BASE64_PIECE]
        if "=" in piece and start + _BASE64_PIECE < len(text):
            raise ValueError("padding before the end")
        decoded += b64decode(piece, validate=True)
        await asyncio.sleep(0)
    return bytes(decoded)


async def _images(request: Request, service: Service, *, most: int, refusal: str) -> list[bytes]:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            images = await _multipart_images(request, most=most, refusal=refusal)
        elif kind == "application/json":
            images = [await _base64_image(request)]
        elif kind:
            raise UnsupportedBody
        else:
            raise MissingInput(UnsupportedBody.default_detail)
    except ClientDisconnect as exc:
        raise MalformedBody("The request body is incomplete.") from exc
    for data in images:
        service.metrics.uploaded(len(data))
    return images


async def _uploaded_image(request: Request, service: CurrentService, _: Ready) -> bytes:
    (image,) = await _images(request, service, most=1, refusal="Only one file can be restored at a time.")
    return image


async def _uploaded_frames(request: Request, service: CurrentService, _: Ready, options: DecodeQuery) -> list[bytes]:
    most = service.settings.max_frames
    if options.fuse:
        return await _images(request, service, most=most, refusal=f"At most {most} frames can be fused in one request.")
    refusal = f"Only one file can be read at a time; fuse=true combines up to {most} frames of one label."
    return await _images(request, service, most=1, refusal=refusal)


UploadedImage = Annotated[bytes, Depends(_uploaded_image)]
"""The bytes of the uploaded file: at most `max_upload_bytes` of them, otherwise unchecked."""
UploadedFrames = Annotated[list[bytes], Depends(_uploaded_frames)]
"""The same of one uploaded file, or with `fuse` of at most `max_frames`."""
