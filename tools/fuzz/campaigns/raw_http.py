"""The campaign of raw requests to a running service, and what every answer must be."""

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from random import Random
from typing import Any

import h11

from tests.support.live.servers import Answer, Server
from tools.fuzz.findings import Budget, Finding, Tally, kept
from tools.fuzz.inputs.requests import MAX_UPLOAD, request
from tools.fuzz.targets.images import MAX_PIXELS

TARGET = "http"
ANSWER_SECONDS = 90.0
"""Longest wait for an answer: three times the service's own deadline."""
ALLOWED_FAILURES = (503, 504)
SETTINGS: dict[str, Any] = {"max_upload_bytes": MAX_UPLOAD, "max_pixels": MAX_PIXELS, "default_effort": "fast"}
"""Settings of the fuzzed service: limits that small inputs exceed, and no long search in pictures without a code."""

_NO_HTTP = b"Invalid HTTP request received."
"""The body of uvicorn's answer to bytes that are no HTTP."""
_WATCHED = (
    ("errors_total", {"category": "internal"}),
    ("errors_total", {"category": "worker_crashed"}),
    ("child_restarts_total", {"reason": "crash"}),
)
_EVERY = 25
"""Requests between two health checks."""


def raw_http(server: Server, seed: int, budget: Budget) -> Tally:
    """Sends the kept requests of earlier campaigns, then mutated ones."""
    rng, tally = Random(f"wire {seed}"), Tally("http, raw")
    raws = [path.read_bytes() for path in kept(TARGET)]
    recent: list[bytes] = []
    health = Health(server)
    while budget.allows(tally.tried):
        raw = raws.pop() if raws else request(rng)
        outcome, wrong = ask(server, raw)
        tally.tried += 1
        tally.outcomes[outcome] += 1
        if wrong:
            tally.found(Finding(TARGET, wrong, raw, ".http"))
        recent.append(raw)
        if len(recent) >= _EVERY:
            _examine(health, recent, tally)
            recent.clear()
    _examine(health, recent, tally)
    tally.seconds = budget.spent
    return tally


def _examine(health: "Health", recent: Sequence[bytes], tally: Tally) -> None:
    """Finds which of the recent requests made the service unwell.

    If none of them does so again alone, all of them are kept in one file.
    """
    wrong = health.wrong()
    if not wrong:
        return
    for raw in recent:
        ask(health.server, raw)
        if again := health.wrong():
            tally.found(Finding(TARGET, again, raw, ".http"))
            return
    tally.found(Finding(TARGET, f"{wrong} after one of {len(recent)} requests", b"".join(recent), ".http"))


class Health:
    """Checks that a service is alive and has counted no error of its own since the last check."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._counted = self._counts()

    def _counts(self) -> list[float]:
        return [self.server.metric(f"qrestore_{name}", **labels) for name, labels in _WATCHED]

    def wrong(self) -> str | None:
        """What is wrong with the service, or None."""
        try:
            if self.server.get("/livez").status != 200:
                return "the service is not alive"
            before, self._counted = self._counted, self._counts()
        except (OSError, HTTPException) as exc:
            return f"the service does not answer: {type(exc).__name__}"
        grown = [
            "".join(labels.values())
            for (_, labels), old, new in zip(_WATCHED, before, self._counted, strict=True)
            if new > old
        ]
        return f"counted as {' and '.join(grown)}" if grown else None


def ask(server: Server, raw: bytes) -> tuple[str, str | None]:
    """Sends a request; returns the outcome and what is wrong with it, or None."""
    complete = _is_complete(raw)
    try:
        answer = _exchange(server, raw, half_close=complete is False)
    except TimeoutError:
        return (
            "no answer",
            "no answer to a whole request" if complete else "a broken request is neither answered nor closed",
        )
    except (OSError, HTTPException) as exc:
        return "closed", f"no answer to a whole request: {type(exc).__name__}" if complete else None
    return str(answer.status), judge(answer)


def _is_complete(raw: bytes) -> bool | None:
    """True for a complete request, False for an incomplete one, None for bytes that are no HTTP."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    connection.receive_data(raw)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.EndOfMessage):
                return True
            if event in (h11.NEED_DATA, h11.PAUSED):
                return False
    except h11.RemoteProtocolError:
        return None


def _exchange(server: Server, raw: bytes, *, half_close: bool) -> Answer:
    with server.connect(ANSWER_SECONDS) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            middle = len(raw) // 2
            connection.sendall(raw[:middle])
            connection.sendall(raw[middle:])
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method="HEAD" if raw.startswith(b"HEAD ") else "POST")
        response.begin()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body, seconds=0.0)


def judge(answer: Answer) -> str | None:
    """Which promise of every answer this one breaks, or None."""
    if answer.status >= 500 and answer.status not in ALLOWED_FAILURES:
        return f"answered {answer.status}: {_detail(answer)}"
    if answer.status < 400:
        return _judge_result(answer)
    if answer.status == 400 and answer.body == _NO_HTTP:
        return None
    if not answer.body and answer.headers.get("content-type") == "application/problem+json":
        return None  # the answer to HEAD
    try:
        answer.problem(answer.status)
    except (AssertionError, KeyError, ValueError) as exc:
        return f"a {answer.status} that is no proper problem: {type(exc).__name__} {exc}"[:300]
    return None


def _judge_result(answer: Answer) -> str | None:
    if answer.status != 200 or answer.headers.get("content-type") != "application/json":
        return None
    try:
        if "codes" in answer.json():
            answer.payloads()
    except (AssertionError, KeyError, ValueError) as exc:
        return f"a result that is none: {type(exc).__name__} {exc}"[:300]
    return None


def _detail(answer: Answer) -> str:
    found = re.search(rb'"(?:title|detail)":"([^"]*)"', answer.body)
    return found[1].decode("utf-8", "replace") if found else repr(answer.body[:100])
