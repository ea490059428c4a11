"""Small volleys of `tools.load.poison`. Bounds are loose, for machines that are busy with other things."""

import pytest

from tests.live.conftest import Misbehaving
from tests.support.live.servers import Server
from tools.attack.figures import percentile
from tools.load.poison import KINDS, Report, fire, volley

pytestmark = pytest.mark.slow


@pytest.fixture
def server(misbehaving: Misbehaving) -> Server:
    return misbehaving.server


def account(report: Report) -> str:
    return "\n".join(report.lines())


def test_poison_at_twice_the_capacity(server: Server) -> None:
    report = fire(server, volley(100, poison=0.1))
    assert not report.wrong, account(report)
    assert not report.surprising, account(report)
    assert all(report.of(kind) for kind in KINDS), account(report)
    assert report.refused, account(report)
    assert percentile([reply.milliseconds for reply in report.refused], 0.5) < 250, account(report)
    assert report.livez.lacking == 0, account(report)
    assert report.livez.p(0.9) < 250, account(report)
    assert report.same_process, account(report)
    assert report.restarts["timeout"] >= 1, account(report)
    server.assert_well()


def test_children_killed_under_load(server: Server) -> None:
    """Each kill costs at most one answer; the retry usually saves that one too."""
    report = fire(server, volley(100, poison=0), load=0.4, kill_every=0.5)
    failed = [reply for reply in report.good_admitted if not reply.right]
    assert report.killed, account(report)
    assert len(failed) <= report.killed, account(report)
    assert report.livez.lacking == 0, account(report)
    assert report.same_process, account(report)
    server.assert_well()
