"""Reads the body of an upload in each form that the service takes: pictures, and options beside them."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Literal

import pydantic_core
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect

from app.errors import InvalidImage, MalformedBody, MissingInput, UnsupportedBody
from app.http.base64_text import decode_base64
from app.http.multipart import read_form

FILE_FIELD: Final = "file"
MEMBER: Final = "image_base64"
RAW: Final = ("application/octet-stream", "application/pdf", "binary/octet-stream")
"""Content types, besides all of images and videos, of a body that is the file itself."""
_WANTED: Final = f"The JSON body must be an object whose member {MEMBER} is a string."
_STRUCTURE: Final = (b",", b"[", b"{", b'"')  # base64 uses none of them
_MAX_STRUCTURE: Final = 256
_SHOWN_NAME: Final = 64  # characters of an unknown member's name
_UNKNOWN: Final = "There is no option of this name"
_NO_FILE_NAME: Final = "It has no file name, which makes it a text and no file"
REPEATED: Final = "It was given more than once"
"""What is wrong with an option of which it is not clear which value counts."""


@dataclass(frozen=True, slots=True)
class UploadBody:
    """What the body of an upload holds: one file or more, and the values of options by their names, which stood in
    a ``form`` or, as members of JSON, in the ``body``."""

    images: list[bytes]
    options: dict[str, Any] = field(default_factory=dict)
    place: Literal["form", "body"] = "body"


async def read_body(request: Request, *, options: Collection[str], most: int, refusal: str) -> UploadBody:
    """Reads a multipart form, a JSON object or a bare file, by its content type.

    Raises TooManyFiles with ``refusal`` where there are more than ``most`` files, RequestValidationError where a field
    or member is not among ``options``, MalformedBody, MissingInput, UnsupportedBody and InvalidImage.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            return await _form(request, options, most=most, refusal=refusal)
        if kind == "application/json":
            return await _json(request, options)
        if kind.startswith(("image/", "video/")) or kind in RAW:
            return UploadBody([await request.body()])
    except ClientDisconnect as exc:
        raise MalformedBody("The request body is incomplete.") from exc
    if kind:
        raise UnsupportedBody
    raise MissingInput(UnsupportedBody.default_detail)


def refuse_options(place: str, messages: dict[str, str]) -> RequestValidationError:
    """The error that names these options, each with what is wrong with it."""
    return RequestValidationError(
        [{"type": "value_error", "loc": (place, name), "msg": message} for name, message in sorted(messages.items())]
    )


async def _form(request: Request, options: Collection[str], *, most: int, refusal: str) -> UploadBody:
    kind = request.headers["Content-Type"]
    form = await read_form(kind, request.stream(), file=FILE_FIELD, fields=options, most=most, refusal=refusal)
    wrong = {name: _NO_FILE_NAME if name == FILE_FIELD else _UNKNOWN for name in form.unknown}
    wrong |= dict.fromkeys(form.repeated, REPEATED)
    if wrong:
        raise refuse_options("form", wrong)
    if not form.files:
        raise MissingInput(f"The form must have a file in a field named {FILE_FIELD}.")
    return UploadBody(form.files, dict(form.fields), "form")


async def _json(request: Request, options: Collection[str]) -> UploadBody:
    members = await _members(request)
    text = members.pop(MEMBER, None)
    if not isinstance(text, str):
        raise MissingInput(_WANTED)
    if unknown := {name[:_SHOWN_NAME]: _UNKNOWN for name in members if name not in options}:
        raise refuse_options("body", unknown)
    try:
        return UploadBody([await decode_base64(text)], members)
    except ValueError as exc:
        raise InvalidImage(f"{MEMBER} is not valid base64.") from exc


async def _members(request: Request) -> dict[str, Any]:
    """The members of the body's JSON object."""
    body, structure = bytearray(), 0
    async for chunk in request.stream():
        structure += sum(map(chunk.count, _STRUCTURE))
        if structure > _MAX_STRUCTURE:  # each costs the parser far more than one byte of text
            raise MissingInput(_WANTED)
        body += chunk
    data = bytes(body)
    try:
        members = pydantic_core.from_json(data)
    except ValueError as exc:
        raise MalformedBody("The body is not valid JSON.") from exc
    if not isinstance(members, dict):
        raise MissingInput(_WANTED)
    if repeated := _repeated(data):
        raise refuse_options("body", dict.fromkeys(repeated, REPEATED))
    return members


def _repeated(document: bytes) -> set[str]:
    """The names that stand more than once in a JSON object without objects in it; the parser keeps their last values.

    Names that contain escapes are not seen.
    """
    pieces = document.split(b'"')
    names = Counter(name for name, after in pairwise(pieces) if after.lstrip().startswith(b":"))
    return {name.decode("utf-8", "replace")[:_SHOWN_NAME] for name, count in names.items() if count > 1}
