"""The service on Ray Serve: the same answers, its own refusals, and metrics of every replica.

Behind HAProxy, as docker/ray/environment sets Ray up, and behind Ray's own proxy.
"""

import re
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.live.ray_cluster import MISSING, Cluster, cluster
from tests.support.live.ray_serve import PROXY, kill, replicas, served, shipped_variables
from tests.support.live.servers import GOOD, Server
from tools.load import ray_scaling, ray_serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING, reason="ray is not installed: it is in the extra ray"),
    pytest.mark.timeout(900),
]

SETTINGS = {"workers": 1, "queue": 1, "uploads": 16, "torch_threads": 1, "budget_seconds": 60.0, "work_seconds": 90.0}


@pytest.fixture(scope="module", params=[shipped_variables(), PROXY], ids=["haproxy", "proxy"])
def one(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster(1, "--num-gpus=1", variables=request.param) as made:
        yield made


@pytest.fixture(scope="module")
def server(one: Cluster) -> Iterator[Server]:
    settings = SETTINGS | {"device": "cpu"}
    arguments = {"min_replicas": 2, "max_replicas": 2, "num_cpus": 0.3, "num_gpus": 0.25, "settings": settings}
    with served(one, **arguments) as running:
        running.wait_until(lambda: len(replicas(one)) == 2, 240)
        yield running


def test_answers_are_those_of_the_service_alone(server: Server) -> None:
    expected = ray_serve.alone()
    found = ray_serve.compare(server, expected, count=2 * len(expected), connections=2)
    assert found.wrong == []
    assert len(found.seconds) == 2 * len(expected)
    assert {200, 404, 405, 415, 422} <= set(found.statuses)


def test_one_request_id_is_in_an_answer(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine-7\r\nConnection: close\r\n\r\n")
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"(?i)\r\nx-request-id: ([^\r]*)", raw) == [b"mine-7"]


def test_what_is_too_much_is_refused_in_the_service_s_words(server: Server) -> None:
    statuses, strange = ray_serve.flood(server, connections=40)
    assert strange == []
    assert statuses[429] > 0
    assert statuses[200] > 0


def test_metrics_of_every_replica_are_scraped(server: Server, one: Cluster) -> None:
    """At the node, beside Ray's own."""

    def seen() -> set[str]:
        url = f"http://127.0.0.1:{one.nodes[0].metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        return set(re.findall(r'(?m)^ray_qrestore_ready\{[^}]*replica="([^"]+)"[^}]*\} 1\.0$', text))

    server.wait_until(lambda: len(seen()) == 2, 60)


def test_a_killed_replica_is_replaced_and_no_answer_is_wrong(server: Server, one: Cluster) -> None:
    first = replicas(one)
    kill(first[0])
    server.wait_until(server.reads, 60)
    server.wait_until(lambda: len(set(replicas(one)) - set(first)) == 1 and len(replicas(one)) == 2, 240)
    assert server.upload(GOOD, query=b"?expect=1").status == 200


def test_replicas_confine_their_children_without_ray(one: Cluster, server: Server) -> None:
    """No child has loaded Ray, which multiprocessing would import with the main module of Ray's worker."""
    children = [pid for node in one.nodes for pid in node.pids() if b"forkserver" in _bytes(pid, "cmdline")]
    confined = [pid for pid in children if b"Seccomp:\t2" in _bytes(pid, "status")]
    assert len(confined) >= 2
    assert [pid for pid in children if b"_raylet" in _bytes(pid, "maps")] == []


def _bytes(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_a_second_replica_comes_with_the_load_and_goes_with_it() -> None:
    """No answer meanwhile but the picture's text and the service's own refusals."""
    with cluster(1, variables=shipped_variables()) as one, ray_scaling.scaled(one) as server:
        _, strange = ray_scaling.up_and_down(one, server, connections=8)
    assert strange == []
