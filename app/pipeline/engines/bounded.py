"""Bounds calls of engines in time: some pictures, such as wallpaper made of finder patterns, keep them busy for a
minute."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Unfinished(Exception):
    """The call has not returned in time."""


def run_within(seconds: float, call: Callable[[], T]) -> T:
    """The result of ``call``, or what it raises. Raises Unfinished after ``seconds``.

    Nothing can stop native code but the end of its process: an unfinished call goes on in a thread of its own, and its
    result is dropped. The engines do not hold the interpreter's lock meanwhile.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(exc)

    thread = threading.Thread(target=run, name="bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise Unfinished
    return results[0]
