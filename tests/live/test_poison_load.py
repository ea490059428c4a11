"""A small volley of `tests.support.live.poison_load`: bounds are loose here, for machines that have other things to do."""

import pytest

from tests.live.conftest import Poisoned
from tests.support.live.poison_load import Report, fire, percentile, volley
from tests.support.live.servers import Server


@pytest.fixture
def server(poisoned: Poisoned) -> Server:
    return poisoned.server


def told(report: Report) -> str:
    return "\n".join(report.lines())


def test_poison_at_twice_the_capacity(server: Server) -> None:
    report = fire(server, volley(100, poison=0.08))
    assert not report.wrong, told(report)
    assert not report.surprising, told(report)
    assert report.refused, told(report)
    assert percentile([reply.milliseconds for reply in report.refused], 50) < 250, told(report)
    assert None not in report.livez, told(report)
    assert percentile([each for each in report.livez if each is not None], 90) < 250, told(report)
    assert report.same_process, told(report)
    assert report.restarts["timeout"] >= 1, told(report)
    server.assert_well()


def test_children_killed_under_load(server: Server) -> None:
    """Each costs one answer at most; the retry makes it none as a rule."""
    report = fire(server, volley(100, poison=0), load=0.4, kill_every=0.5)
    failed = [reply for reply in report.good_admitted if not reply.right]
    assert report.killed, told(report)
    assert len(failed) <= report.killed, told(report)
    assert None not in report.livez, told(report)
    assert report.same_process, told(report)
    server.assert_well()
