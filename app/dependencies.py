"""What a route may ask for, as annotated aliases: the pipeline, the uploaded image, the request's id."""

import binascii
import sys
from base64 import b64decode
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from app.errors import InvalidImage, MalformedBody, MissingInput, UnsupportedBody
from app.schemas import Base64Upload
from app.service import Pipeline, Service


def service_of(request: Request) -> Service:
    service = request.app.state.service
    if not isinstance(service, Service):
        raise TypeError("the application has no service")
    return service


async def _service(request: Request) -> Service:
    return service_of(request)


async def _pipeline(request: Request) -> Pipeline:
    return service_of(request).ready_pipeline()


async def _request_id(request: Request) -> str:
    return str(request.state.request_id)


CurrentService = Annotated[Service, Depends(_service)]
ReadyPipeline = Annotated[Pipeline, Depends(_pipeline)]
RequestId = Annotated[str, Depends(_request_id)]

FILE_FIELD: Final = "file"
UPLOAD_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE_FIELD],
                    "properties": {
                        FILE_FIELD: {
                            "type": "string",
                            "format": "binary",
                            "description": "PNG, JPEG, WebP, BMP or GIF; of an animation the first frame is taken",
                        }
                    },
                }
            },
            "application/json": {"schema": Base64Upload.model_json_schema()},
        },
    }
}
"""OpenAPI's view of an upload, which the framework cannot see: the body is parsed below, not by it."""


class _InMemoryParser(MultiPartParser):
    """Keeps parts in memory: the body is bounded already, and spooling would write photographs to disk."""

    spool_max_size = sys.maxsize
    complete = False

    def on_end(self) -> None:
        self.complete = True


async def _multipart_image(request: Request) -> bytes:
    parser = _InMemoryParser(request.headers, request.stream(), max_files=1, max_fields=16)
    try:
        form = await parser.parse()
    except MultiPartException as exc:
        raise MalformedBody from exc
    upload = form.get(FILE_FIELD)
    try:
        if not parser.complete:
            raise MalformedBody("The form ends before its closing boundary.")
        if not isinstance(upload, UploadFile):
            raise MissingInput(f"The form needs a file in a field named {FILE_FIELD}.")
        return await upload.read()
    finally:
        await form.close()


async def _base64_image(request: Request) -> bytes:
    try:
        upload = Base64Upload.model_validate_json(await request.body())
    except ValidationError as exc:
        if exc.errors(include_input=False)[0]["type"] == "json_invalid":
            raise MalformedBody("The body is not valid JSON.") from exc
        raise MissingInput("The JSON body needs one member, image_base64, that is a string.") from exc
    try:
        return b64decode(upload.image_base64, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidImage("image_base64 is not valid base64.") from exc


async def _uploaded_image(request: Request, service: CurrentService, _: ReadyPipeline) -> bytes:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            data = await _multipart_image(request)
        elif kind == "application/json":
            data = await _base64_image(request)
        elif kind:
            raise UnsupportedBody
        else:
            raise MissingInput(UnsupportedBody.default_detail)
    except ClientDisconnect as exc:
        raise MalformedBody("The request ended before its body did.") from exc
    service.metrics.uploaded(len(data))
    return data


UploadedImage = Annotated[bytes, Depends(_uploaded_image)]
"""Encoded bytes of the uploaded file, at most `max_upload_bytes`, nothing else checked."""
