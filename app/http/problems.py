"""Turns errors into RFC 9457 problem details; no other place makes an HTTP answer of an exception."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.errors import QrestoreError, RequestError, problem_type
from app.schemas import DecodeAnswer, InvalidField, Problem, RestoreAnswer

MEDIA_TYPE: Final = "application/problem+json"
UNKNOWN_REQUEST: Final = "unknown"


def problem_response(scope: Scope, error: QrestoreError) -> Response:
    """Makes a problem document of an error."""
    return _respond(
        scope,
        status=error.status,
        title=error.title,
        detail=error.detail,
        category=error.category,
        headers=error.headers,
    )


async def answer_error(request: Request, error: Exception) -> Response:
    """Answers an error of the project with its problem document."""
    if not isinstance(error, QrestoreError):
        raise TypeError from error
    return problem_response(request.scope, error)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answers what the framework raises, such as 404 and 405. Its own detail text is not passed on."""
    if not isinstance(error, HTTPException):
        raise TypeError from error
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET":  # the server answers HEAD wherever it answers GET
        headers["Allow"] = "GET, HEAD"
    return _respond(
        request.scope,
        status=status,
        title=status.phrase,
        detail=f"{status.description or status.phrase}.",
        category=status.name.lower(),
        headers=headers,
    )


async def answer_validation_error(request: Request, error: Exception) -> Response:
    """Answers a request that does not fit its schema with a problem document that lists the invalid fields."""
    if not isinstance(error, RequestValidationError):
        raise TypeError from error
    # Two dependencies that read the same query report its errors twice.
    found = {(".".join(map(str, each["loc"])), each["msg"]): None for each in error.errors()}
    fields = [InvalidField(location=location, message=message) for location, message in found]
    return _respond(
        request.scope,
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        title="Invalid request",
        detail="Some parameters are not valid.",
        category="invalid_request",
        errors=fields,
    )


def install(app: FastAPI) -> None:
    """Has ``app`` answer every error as a problem, and say so in its OpenAPI description."""
    app.add_exception_handler(QrestoreError, answer_error)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(RequestValidationError, answer_validation_error)

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            _describe_problems(schema)
            _restore_nulls(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _restore_nulls(schema: dict[str, Any]) -> None:
    """Adds the null members of examples, which the framework leaves out."""
    for model in (DecodeAnswer, RestoreAnswer):
        schema["components"]["schemas"][model.__name__]["examples"] = model.model_json_schema()["examples"]


def _describe_problems(schema: dict[str, Any]) -> None:
    """Replaces the framework's own description of invalid requests by Problem."""
    schemas = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    shape = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(shape.pop("$defs", {}))
    schemas["Problem"] = shape
    problem = problem_responses(RequestError)[RequestError.status]["content"]
    for operations in schema["paths"].values():
        for operation in operations.values():
            answer = operation["responses"].get("422")
            if answer is not None:
                answer["content"] = problem


def problem_responses(*errors: type[QrestoreError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's responses for these errors of an operation, grouped by status."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    titles: dict[int, list[str]] = {}
    for error in errors:
        titles.setdefault(error.status, []).append(error.title)
    return {status: {"description": "; ".join(names), "content": content} for status, names in sorted(titles.items())}


def _respond(
    scope: Scope,
    *,
    status: int,
    title: str,
    detail: str,
    category: str,
    errors: list[InvalidField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    state = scope.setdefault("state", {})
    state["problem_category"] = category
    problem = Problem(
        type=problem_type(category),
        title=title,
        status=status,
        detail=detail,
        instance=quote(scope["path"]),
        request_id=state.get("request_id", UNKNOWN_REQUEST),
        errors=errors,
    )
    return Response(problem.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)
