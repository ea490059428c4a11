"""What batching inference across requests brings: threads that ask one network, each alone or together.

    python -m tools.load.batching [--device cpu] [--threads 2] [--calls 40]

Prints, for each network of the weights folder that requests wait for, pictures a second without and with batching.
"""

import argparse
import time
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


def asked() -> dict[str, Inputs]:
    """What one request asks of each network: a crop of a version-3 code, a window of the locator."""
    random = np.random.default_rng(0)
    crop = random.random((1, 1, 148, 148), dtype=np.float32)
    return {
        "lenet": (random.random((1, 1, 160, 160), dtype=np.float32),),
        "module-reader": (crop, random.random((1, PLANES, 37, 37), dtype=np.float32)),
        "quad-locator": (random.random((1, 1, 256, 256), dtype=np.float32),),
    }


def rate(runner: Runner, inputs: Inputs, *, threads: int, calls: int) -> float:
    """Pictures a second that so many threads get, each asking one after the other."""
    runner(*inputs)

    def ask(_: int) -> None:
        for _ in range(calls):
            runner(*inputs)

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, range(threads)))
    return threads * calls / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.load.batching", description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="requests at once")
    parser.add_argument("--calls", type=int, default=40, help="of each")
    parser.add_argument("--torch-threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.torch_threads)
    runners = load_networks(options.weights, options.device).runners
    print(f"| network, {options.threads} requests at once | alone, 1/s | batched, 1/s |\n|---|---|---|")
    for name, inputs in asked().items():
        batching = BatchingRunner(runners[name], most=_MOST, wait=_WAIT)
        work = {"threads": options.threads, "calls": options.calls}
        pairs = [(rate(runners[name], inputs, **work), rate(batching, inputs, **work)) for _ in range(3)]
        batching.close()
        alone, together = (sorted(column)[1] for column in zip(*pairs, strict=True))
        print(f"| `{name}` | {alone:.1f} | {together:.1f} |")


if __name__ == "__main__":
    main()
