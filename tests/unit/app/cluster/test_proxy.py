"""What Ray Serve's proxy says itself becomes a problem; what the service says stays as it is."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.cluster.proxy import PlainProxy, middlewares

SERVICE = [(b"content-security-policy", b"default-src 'none'"), (b"x-request-id", b"of-the-service")]
TEXT = [(b"content-type", b"text/plain"), (b"x-request-id", b"of-the-proxy")]


def answer(status: int, headers: list[tuple[bytes, bytes]], body: bytes, path: str = "/decode") -> list[Message]:
    """What a client is sent where the proxy behind the middleware sends this, in two pieces."""

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})

    return through(behind, path)


def through(behind: ASGIApp, path: str = "/decode") -> list[Message]:
    """What a client is sent."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    (middleware,) = middlewares()
    assert middleware.cls is PlainProxy
    headers = [(b"x-request-id", b"of-the-client")]
    scope: Scope = {"type": "http", "path": path, "method": "POST", "headers": headers}
    asyncio.run(PlainProxy(behind)(scope, receive, send))
    return sent


def headers_of(messages: list[Message]) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in messages[0]["headers"]]


def body_of(messages: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages[1:])


@pytest.mark.parametrize("status", [200, 404, 429, 500, 503])
def test_what_the_service_says_stays_but_for_the_second_id(status: int) -> None:
    messages = answer(status, [*SERVICE, (b"x-request-id", b"of-the-proxy")], b"an answer")
    assert messages[0]["status"] == status
    assert body_of(messages) == b"an answer"
    assert [value for name, value in headers_of(messages) if name.lower() == "x-request-id"] == ["of-the-service"]


@pytest.mark.parametrize(("status", "shown"), [(404, 503), (408, 504), (429, 429), (500, 503), (503, 503)])
def test_what_the_proxy_says_becomes_a_problem(status: int, shown: int) -> None:
    messages = answer(status, TEXT, b"Service unavailable")
    headers = dict(headers_of(messages))
    assert messages[0]["status"] == shown
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == "of-the-client"
    assert headers["x-content-type-options"] == "nosniff"
    assert ("retry-after" in headers) == (shown != 504)
    problem: dict[str, Any] = json.loads(body_of(messages))
    assert problem["status"] == shown
    assert problem["instance"] == "/decode"
    assert problem["request_id"] == "of-the-client"


def test_the_proxy_s_own_paths_are_left_alone() -> None:
    messages = answer(503, TEXT, b"draining", path="/-/healthz")
    assert messages[0]["status"] == 503
    assert body_of(messages) == b"draining"


@pytest.mark.parametrize("error", [RuntimeError("the actor died"), asyncio.CancelledError()])
def test_what_the_proxy_fails_over_becomes_a_problem(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """As when a replica dies amid a request."""

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    messages = through(behind)
    assert messages[0]["status"] == 503
    assert dict(headers_of(messages))["retry-after"] == "1"
    assert json.loads(body_of(messages))["type"] == "urn:qrestore:problem:not_ready"
    assert "a request was lost" in caplog.text


def test_an_answer_that_has_begun_is_not_replaced() -> None:
    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(SERVICE)})
        raise RuntimeError("the actor died")

    with pytest.raises(RuntimeError, match="the actor died"):
        through(behind)


def test_no_answer_at_all_becomes_a_problem() -> None:
    """What the proxy does when a replica dies amid a request; its server would say 500."""

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        return

    messages = through(behind)
    assert messages[0]["status"] == 503
    assert json.loads(body_of(messages))["type"] == "urn:qrestore:problem:not_ready"
