"""How an encoded image best reaches a child: pickled over its pipe, or in shared memory.

    python -m tools.load.handover [--repeats 50]

Prints, for images of several sizes, the median milliseconds from handing a job over to its answer, less those of an
empty job: the child takes the whole image into its memory either way.
"""

import argparse
import time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.workers.pool import Pool
from app.workers.process import Arrays, Handler, Infer, Limits

SIZES: Final = (50_000, 300_000, 1_000_000, 5_000_000, 20_000_000)
"""Bytes: a screenshot, a photograph of 0.3 megapixels, one of 1, one of 12, and the largest upload."""
_SECONDS: Final = 60.0


def factory(_: Infer) -> Handler:
    return _taken


def _taken(job: Any) -> int:
    """The bytes that arrived: of ``bytes`` themselves, or of the shared memory that a name and a size tell."""
    if isinstance(job, bytes):
        return len(job)
    name, size = job
    shared = SharedMemory(name)
    try:
        return len(bytes(shared.buf[:size]))
    finally:
        shared.close()


def no_networks(name: str, _: Arrays) -> NDArray[np.float32]:
    raise KeyError(name)


def piped(pool: Pool, image: bytes) -> int:
    """Hands an image over as the service does."""
    size: int = pool.run(image, deadline=time.monotonic() + _SECONDS, seconds=_SECONDS)
    return size


def shared(pool: Pool, image: bytes) -> int:
    """Hands an image over in shared memory of its own."""
    memory = SharedMemory(create=True, size=len(image))
    try:
        memory.buf[: len(image)] = image
        size: int = pool.run((memory.name, len(image)), deadline=time.monotonic() + _SECONDS, seconds=_SECONDS)
    finally:
        memory.close()
        memory.unlink()
    return size


def measured(repeats: int) -> list[tuple[int, float, float]]:
    """(bytes, milliseconds by pipe, milliseconds by shared memory) of each size, the two in turn."""
    resource_tracker.ensure_running()  # before children are: one of their own would need a program
    pool = Pool(factory, no_networks, size=1, limits=Limits(jobs=1 << 30))
    rows = []
    try:
        empty = median(_timed(piped, pool, b"") for _ in range(repeats))
        for size in SIZES:
            image = np.random.default_rng(size).bytes(size)
            pairs = [(_timed(piped, pool, image), _timed(shared, pool, image)) for _ in range(repeats)]
            by_pipe, by_sharing = (median(column) - empty for column in zip(*pairs, strict=True))
            rows.append((size, by_pipe, by_sharing))
    finally:
        pool.close()
    return rows


def _timed(hand_over: Any, pool: Pool, image: bytes) -> float:
    began = time.perf_counter()
    if hand_over(pool, image) != len(image):
        raise RuntimeError("the image did not arrive whole")
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.load.handover", description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=50)
    print("| bytes | pipe, ms | shared memory, ms |\n|---|---|---|")
    for size, by_pipe, by_sharing in measured(parser.parse_args().repeats):
        print(f"| {size:,} | {by_pipe:.2f} | {by_sharing:.2f} |")


if __name__ == "__main__":
    main()
