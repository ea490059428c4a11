"""An application served in a thread of this process, over fakes that a test changes while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI


@contextmanager
def in_thread(app: FastAPI) -> Iterator[str]:
    """Serves the application inside the block; gives its origin."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    ready = threading.Event()
    start = server.startup

    async def started(**arguments: Any) -> None:
        await start(**arguments)
        ready.set()

    server.startup = started  # type: ignore[method-assign]
    thread.start()
    try:
        assert ready.wait(30)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
