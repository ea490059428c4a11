"""What is left when every ordinary row has been sent to one service: the same process, well, and no larger."""

from tests.live.conftest import Beginning
from tests.support.live.servers import Server


def test_the_service_has_survived(server: Server, beginning: Beginning) -> None:
    assert server.pid == beginning.pid
    assert server.process.poll() is None
    assert server.get("/livez").status == 200
    assert server.get("/readyz").status == 200
    grown = (server.memory() - beginning.memory) >> 20
    assert grown < 96  # mebibytes
    for reason in ("crash", "timeout"):
        assert server.metric("qrestore_child_restarts_total", reason=reason) == 0
    assert server.metric("qrestore_in_flight") == 1  # this question
    assert server.metric("qrestore_errors_total", category="internal") == 0
    assert "Traceback" not in server.log_text()
