"""Measures what batching inference across requests brings: threads that call one network, alone or batched.

    python -m tools.load.batching [--device cpu] [--threads 2] [--calls 40]

Prints pictures a second without and with batching, for each network that requests wait for.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from app.models.contract import PLANES
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.runners import BatchingRunner, Runner

Inputs = tuple[NDArray[np.float32], ...]
_WAIT: Final = 0.002
_MOST: Final = 8


def inputs() -> dict[str, Inputs]:
    """Network -> its inputs for one request: the crop of a version-3 code, a window of the locator."""
    random = np.random.default_rng(0)
    crop = random.random((1, 1, 148, 148), dtype=np.float32)
    return {
        "lenet": (random.random((1, 1, 160, 160), dtype=np.float32),),
        "module-reader": (crop, random.random((1, PLANES, 37, 37), dtype=np.float32)),
        "quad-locator": (random.random((1, 1, 256, 256), dtype=np.float32),),
    }


def rate(runner: Runner, arrays: Inputs, *, threads: int, calls: int) -> float:
    """Calls a second of ``threads`` threads that make ``calls`` calls each."""
    runner(*arrays)

    def ask(_: int) -> None:
        for _ in range(calls):
            runner(*arrays)

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, range(threads)))
    return threads * calls / (time.perf_counter() - began)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.load.batching", description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="calls at once (default 2)")
    parser.add_argument("--calls", type=int, default=40, help="calls of each thread (default 40)")
    parser.add_argument("--torch-threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.torch_threads)
    runners = load_networks(options.weights, options.device).runners
    print(f"| network, {options.threads} requests at once | alone, 1/s | batched, 1/s |\n|---|---|---|")
    for name, arrays in inputs().items():
        batching = BatchingRunner(runners[name], most=_MOST, wait=_WAIT)
        work = {"threads": options.threads, "calls": options.calls}
        pairs = [(rate(runners[name], arrays, **work), rate(batching, arrays, **work)) for _ in range(3)]
        batching.close()
        alone, together = (sorted(column)[1] for column in zip(*pairs, strict=True))
        print(f"| `{name}` | {alone:.1f} | {together:.1f} |")


if __name__ == "__main__":
    main()
