"""`python -m tools.load.ray_serve` compares the service on Ray Serve with the service alone, and kills a replica.

Sends the same requests, good and bad ones, to the service alone and to two replicas on a local Ray cluster, one of
which is ended by SIGKILL meanwhile. Answers must be equal but for ids and times; a client tries again what is refused
(429, 503) or lost. Then it sends too much at once, which must be refused in the service's own words. Exit status 1 if
an answer is wrong; 2 if Ray is not installed.
"""

import argparse
import base64
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final, Self

import numpy as np

from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.ray_cluster import MISSING, cluster
from tests.support.live.ray_serve import PROXY, all_read, kill, replicas, served, shipped_variables
from tests.support.live.servers import Answer, Server, file_part, form, request, running
from tools.load.processes import usage
from tools.load.reckoning import comparable, percentile

_SETTINGS: Final = {
    "workers": 1,
    "torch_threads": 1,
    "budget_seconds": 60.0,
    "request_seconds": 120.0,
    "work_seconds": 90.0,
}
_OF_THE_SERVER: Final = {"date", "server", "connection", "content-length", "x-request-id", "retry-after"}
"""Headers that say nothing of the answer, or that ids and times change."""
_ATTEMPTS: Final = 60
_PAUSE_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 5.0
_REFUSED: Final = frozenset({429, 503})
_LONGEST_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer without ids and times."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: Any

    @classmethod
    def of(cls, answer: Answer) -> Self:
        kept = {name: value for name, value in answer.headers.items() if name not in _OF_THE_SERVER}
        is_json = "json" in answer.headers.get("content-type", "")
        return cls(answer.status, tuple(sorted(kept.items())), comparable(answer.json()) if is_json else answer.body)


@dataclass(slots=True)
class Compared:
    """What became of the requests; ``lost`` counts attempts that a killed replica or a refusal cost, by what the client
    saw (0: no answer)."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    killed_at: int = 0
    processor_seconds: float = 0.0


def cases() -> Mapping[str, bytes]:
    """Requests by name: pictures that are read, and all that people send besides."""
    good = [encode_png(qr_picture(f"served {number}")) for number in range(8)]
    blank = encode_png(np.full((80, 120), 255, np.uint8))

    def upload(data: bytes, line: bytes = b"POST /decode?expect=1") -> bytes:
        return request(form(file_part(data)), line=line)

    def body(text: object) -> bytes:
        return request(json.dumps(text).encode(), kind=b"application/json")

    named = {f"good {number}": upload(data) for number, data in enumerate(good)}
    return named | {
        "good, as JSON": body({"image_base64": base64.b64encode(good[0]).decode(), "expect": 1}),
        "good, as the body": request(good[1], kind=b"image/png"),
        "good, restored": upload(good[2], b"POST /restore"),
        "two codes expected": upload(good[3], b"POST /decode?expect=2"),
        "no code": upload(blank),
        "empty": upload(b""),
        "text": upload(b"no picture"),
        "damaged": upload(good[0][: len(good[0]) // 2]),
        "no file": request(form()),
        "another field": request(form((b'Content-Disposition: form-data; name="x"', b"y"))),
        "JSON that is none": request(b"{", kind=b"application/json"),
        "JSON without a picture": body({}),
        "another kind of body": request(b"<a/>", kind=b"text/xml"),
        "an unknown option": upload(good[0], b"POST /decode?exspect=1"),
        "an invalid option": upload(good[0], b"POST /decode?expect=0"),
        "pages that are not there": upload(good[0], b"POST /decode?pages=7"),
        "another method": request(line=b"GET /decode", kind=b""),
        "another path": request(line=b"GET /nothing", kind=b""),
        "ready": request(line=b"GET /readyz", kind=b""),
        "models": request(line=b"GET /models", kind=b""),
    }


def ask(server: Server, raw: bytes, lost: Counter[int]) -> tuple[Answer, float]:
    """The answer that a client gets who tries again, and the seconds of the last attempt. Raises TimeoutError."""
    for _ in range(_ATTEMPTS):
        began = time.perf_counter()
        try:
            answer = server.send(raw, timeout=150.0)
        except (OSError, HTTPException):
            lost[0] += 1
        else:
            if answer.status not in _REFUSED:
                return answer, time.perf_counter() - began
            lost[answer.status] += 1
        time.sleep(_PAUSE_SECONDS)
    raise TimeoutError


def compare(
    server: Server,
    expected: Mapping[str, Plain],
    *,
    count: int,
    connections: int,
    kill_at: int = 0,
    kill_one: Callable[[], None] = lambda: None,
) -> Compared:
    """Sends ``count`` requests, and calls ``kill_one`` after ``kill_at`` of them, if that is not 0."""
    found, lock = Compared(), threading.Lock()
    names = list(expected)
    raw = cases()

    def one(number: int) -> None:
        name = names[number % len(names)]
        lost: Counter[int] = Counter()
        try:
            answer, seconds = ask(server, raw[name], lost)
            plain: Plain | None = Plain.of(answer)
        except (TimeoutError, ValueError) as exc:
            plain, seconds = None, 0.0
            fault = f"{name}: {exc!r}"
        with lock:
            found.lost += lost
            if plain is None:
                found.wrong.append(fault)
                return
            found.seconds.append(seconds)
            found.statuses[plain.status] += 1
            if plain != expected[name]:
                found.wrong.append(f"{name}: {plain} is not {expected[name]}")
            if kill_at and len(found.seconds) == kill_at:
                found.killed_at = kill_at
                kill_one()

    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(one, range(count)))
    return found


def flood(server: Server, *, connections: int) -> tuple[Counter[int], list[str]]:
    """Sends ``connections`` pictures at once; the statuses, and which refusals are not the service's own."""
    raw = request(form(file_part(encode_png(qr_picture("too many")))))

    def one(_: int) -> Answer:
        return server.send(raw, timeout=150.0)

    with ThreadPoolExecutor(connections) as threads:
        answers = list(threads.map(one, range(connections)))
    own = "application/problem+json"
    strange = [repr(each) for each in answers if each.status not in {200, 429}]
    strange += [
        repr(each)
        for each in answers
        if each.status == 429 and (each.headers.get("content-type") != own or "retry-after" not in each.headers)
    ]
    return Counter(each.status for each in answers), strange


def measured(server: Server, expected: Mapping[str, Plain], pid: int, *, count: int, connections: int) -> Compared:
    """As `compare`, with the processor seconds that the process and all that descend from it took meanwhile."""
    before = usage(pid)
    found = compare(server, expected, count=count, connections=connections)
    after = usage(pid)
    found.processor_seconds = after.server_seconds + after.children_seconds
    found.processor_seconds -= before.server_seconds + before.children_seconds
    return found


def answers(server: Server) -> dict[str, Plain]:
    """What the service answers to every case."""
    return {name: Plain.of(server.send(raw, timeout=150.0)) for name, raw in cases().items()}


def alone() -> dict[str, Plain]:
    """What the service alone answers to every case."""
    with running(**_SETTINGS) as server:
        return answers(server)


def lines(found: Compared, where: str) -> Iterator[str]:
    """The report."""
    marks = ", ".join(f"p{100 * share:g} {1000 * percentile(found.seconds, share):.1f}" for share in (0.5, 0.95))
    yield f"{where}: {len(found.seconds)} answers, {marks} ms; {dict(sorted(found.statuses.items()))}"
    if found.processor_seconds:
        each = 1000 * found.processor_seconds / len(found.seconds)
        yield f"{each:.1f} ms of a core for each, proxy and children included"
    if found.killed_at:
        yield f"a replica was killed after {found.killed_at} answers; attempts that it cost: {dict(found.lost)}"
    yield from (f"WRONG {each[:600]}" for each in found.wrong[:3])
    yield f"{len(found.wrong)} wrong of {len(found.seconds)}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="requests (default 1000)")
    parser.add_argument("--connections", type=int, default=4, help="requests at once (default 4)")
    parser.add_argument("--measured", type=int, default=280, help="requests to each, one at a time, to compare times")
    parser.add_argument("--flood", type=int, default=60, help="pictures that are sent at once in the end (default 60)")
    parser.add_argument("--proxy", action="store_true", help="with Ray's own proxy in place of HAProxy")
    options = parser.parse_args(argv)
    if MISSING:
        parser.error("ray is not installed: it is in the extra ray")
    load = {"count": options.measured, "connections": 1}
    with running(**_SETTINGS) as server:
        expected = answers(server)
        plain = measured(server, expected, server.pid, **load)
    where = "two replicas behind " + ("Ray's proxy" if options.proxy else "HAProxy")
    settings = _SETTINGS | {"queue": 2, "uploads": 16}
    with ExitStack() as stack:
        one = stack.enter_context(cluster(1, variables=PROXY if options.proxy else shipped_variables()))
        arguments = {"min_replicas": 2, "max_replicas": 2, "num_cpus": 0.5, "settings": settings}
        server = stack.enter_context(served(one, **arguments))
        server.wait_until(lambda: len(replicas(one)) == 2 and all_read(one), _LONGEST_SECONDS)
        time.sleep(_SETTLE_SECONDS)
        on_ray = measured(server, expected, one.nodes[0].process.pid, **load)
        killed = compare(
            server,
            expected,
            count=options.count,
            connections=options.connections,
            kill_at=options.count // 3,
            kill_one=lambda: kill(replicas(one)[0]),
        )
        server.wait_until(lambda: len(replicas(one)) == 2, _LONGEST_SECONDS)
        statuses, strange = flood(server, connections=options.flood)
    report = [*lines(plain, "the service alone"), *lines(on_ray, where)]
    report += lines(killed, "and while one was killed")
    report.append(
        f"{options.flood} at once: {dict(sorted(statuses.items()))}; {len(strange)} not in the service's words"
    )
    sys.stdout.write("".join(f"{line}\n" for line in (*report, *strange[:3])))
    return 1 if killed.wrong or on_ray.wrong or strange else 0


if __name__ == "__main__":
    sys.exit(main())
