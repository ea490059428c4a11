"""The campaign of requests that schemathesis generates from the OpenAPI document, and its checks of the answers."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.live.servers import Answer, Server
from tools.fuzz.campaigns.raw_http import TARGET, Health, judge
from tools.fuzz.findings import Budget, Finding, Tally
from tools.fuzz.inputs.requests import picture
from tools.fuzz.inputs.seeds import seeds

PATHS: Final = ("/decode", "/restore")
_BATCH: Final = 20
_TOO_STRICT: Final = [positive_data_acceptance]
"""The document accepts any file, but not every file is a picture."""


def openapi(server: Server, seed: int, budget: Budget, *, batch: int = _BATCH) -> Tally:
    """Sends batches of valid and of invalid requests, ``batch`` each, to each endpoint in turn."""
    tally, health = Tally("http, from its OpenAPI document"), Health(server)
    schemathesis.openapi.format("binary", _pictures())
    document = schemathesis.openapi.from_dict(json.loads(server.get("/openapi.json").body))
    operations = [result.ok() for result in document.get_all_operations()]
    turns = [
        (operation, mode) for mode in schemathesis.GenerationMode for operation in operations if operation.path in PATHS
    ]
    for turn in count():
        if not budget.allows(tally.tried):
            break
        operation, mode = turns[turn % len(turns)]
        most = batch if budget.most is None else min(batch, budget.most - tally.tried)
        _batch(operation.as_strategy(generation_mode=mode), server, tally, budget, most=most, seed=seed + turn)
        if wrong := health.wrong():
            tally.remarks.append(f"{wrong} during requests to {operation.label}")
    tally.seconds = budget.spent
    return tally


def _pictures() -> st.SearchStrategy[bytes]:
    return st.sampled_from(list(seeds().values())) | st.randoms(use_true_random=False).map(picture)


def _batch(
    cases: st.SearchStrategy[schemathesis.Case], server: Server, tally: Tally, budget: Budget, *, most: int, seed: int
) -> None:
    base = f"http://127.0.0.1:{server.port}"

    @seeded(seed)
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: schemathesis.Case) -> None:
        if budget.allows(tally.tried):
            _ask(case, base, tally)

    run: Callable[[], None] = ask
    run()


def _ask(case: schemathesis.Case, base: str, tally: Tally) -> None:
    response = case.call(base_url=base)
    tally.tried += 1
    tally.outcomes[str(response.status_code)] += 1
    headers = {name.lower(): values[0] for name, values in response.headers.items()}
    wrongs = [judge(Answer(response.status_code, headers, response.content, seconds=0.0))]
    try:
        case.validate_response(response, excluded_checks=_TOO_STRICT)
    except FailureGroup as group:
        wrongs += [_described(failure) for failure in group.exceptions]
    for wrong in filter(None, wrongs):
        tally.found(Finding(TARGET, wrong, _raw(response), ".http"))


def _described(failure: Exception) -> str:
    title = failure.title if isinstance(failure, Failure) else type(failure).__name__
    return f"contradicts the document: {title}. {str(failure)[:200]}"


def _raw(response: schemathesis.Response) -> bytes:
    """The request as it was sent."""
    request = response.request
    lines = [b"%s %s HTTP/1.1" % (_bytes(request.method), _bytes(request.path_url)), b"Host: localhost"]
    lines += [b"%s: %s" % (_bytes(name), _bytes(value)) for name, value in request.headers.items()]
    return b"\r\n".join([*lines, b"", _bytes(request.body)])


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value or "").encode("utf-8", "replace")
