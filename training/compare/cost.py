"""Measures what a network costs: parameters, multiply-accumulates and milliseconds per inference."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from app.models.contract import PLANES, Card
from app.models.registry import NETWORKS
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.restorer import Restorer
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension
from training.compare.trials import Bench
from training.measure.served_tools import set_threads

VERSION = 3
MODULES = dimension(VERSION) + 2 * QUIET_ZONE
CROP_SIDE = PIXELS_PER_MODULE * MODULES
PATCH_SIDE = 64
"""A code of ``VERSION`` with its quiet zone has ``MODULES`` per side: ``CROP_SIDE`` pixels in a canonical crop, and
``PATCH_SIDE``, 1.7 per module, as the input of an upscaler."""
Inference = Callable[[], object]
"""Runs one inference."""
_ENOUGH = 2.0  # seconds of timed runs, after which no more are made
_REPEATS = 9
THREADS = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one network.

    ``macs``: multiply-accumulates of convolutions and matrix products for an input of ``side`` x ``side`` pixels,
    padding included. ``milliseconds``: medians of one inference, by "1", "2" (threads) or "cuda".
    """

    parameters: int
    macs: int
    side: int
    milliseconds: Mapping[str, float]


def input_side(architecture: str, config: Mapping[str, object]) -> int:
    """Pixels per side of the input for which a network's cost is measured: a code of ``VERSION``, padded to the
    network's size multiple."""
    if architecture == "ModuleReader":
        return CROP_SIDE
    network = _on_meta(architecture, config)
    wanted = PATCH_SIDE if int(getattr(network, "scale")) > 1 else CROP_SIDE  # noqa: B009 - an attribute of every network
    multiple = int(getattr(network, "size_multiple"))  # noqa: B009
    return -(-wanted // multiple) * multiple


def macs(architecture: str, config: Mapping[str, object], side: int) -> int:
    """A network's cost in multiply-accumulates for an input of ``side`` x ``side``, half the operations that torch's
    counter finds in convolutions and matrix products.

    Runs on the meta device, which needs no memory.
    """
    network = _on_meta(architecture, config).eval()
    inputs = [torch.empty(1, int(getattr(network, "channels", 1)), side, side, device="meta")]
    if architecture == "ModuleReader":
        modules = side // PIXELS_PER_MODULE
        inputs.append(torch.empty(1, PLANES, modules, modules, device="meta"))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    return int(counter.get_total_flops()) // 2


def _on_meta(architecture: str, config: Mapping[str, object]) -> nn.Module:
    with torch.device("meta"):
        return NETWORKS[architecture](**config)


def median_ms(run: Inference, *, threads: int) -> float:
    """Median milliseconds that an inference costs with this number of threads, after a warm-up run.

    Times up to ``_REPEATS`` runs, fewer if they are slow. Leaves the process with this number of threads.
    """
    set_threads(threads)
    run()
    spent: list[float] = []
    while len(spent) < _REPEATS and sum(spent) < _ENOUGH:
        began = perf_counter()
        run()
        spent.append(perf_counter() - began)
    return 1000 * statistics.median(spent)


def restorer_inference(restorer: Restorer) -> Inference:
    """An inference of a restorer whose cost is measured, with the service's preparation of the picture."""
    side = PATCH_SIDE if restorer.scale > 1 else CROP_SIDE
    picture = _noise(side)
    return lambda: restorer.restore([picture])


def reader_inference(reader: ModuleReader) -> Inference:
    """An inference of a module reader whose cost is measured."""
    picture = _noise(CROP_SIDE)
    return lambda: reader.read([picture], VERSION)


def _noise(side: int) -> GreyImage:
    return np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)


def measure_cost(card: Card, devices: Mapping[str, Inference], *, threads: Sequence[int]) -> Cost:
    """Measures a network's cost; ``devices`` maps "cpu", and other devices, to an inference there."""
    side = input_side(card.architecture, card.config)
    milliseconds = {str(number): median_ms(devices["cpu"], threads=number) for number in threads}
    for device, run in devices.items():
        if device != "cpu":
            milliseconds[device] = median_ms(run, threads=threads[-1])
    return Cost(
        parameters=card.parameters,
        macs=macs(card.architecture, card.config, side),
        side=side,
        milliseconds=milliseconds,
    )


def measure_costs(bench: Bench, elsewhere: Mapping[str, Networks]) -> dict[str, Cost]:
    """Measures what every restorer and module reader costs; returns the costs by checkpoint's name.

    ``elsewhere``: the same networks on other devices, by device.
    """
    costs = {}
    for name, restorer in bench.networks.restorers.items():
        others = {device: restorer_inference(networks.restorers[name]) for device, networks in elsewhere.items()}
        costs[name] = measure_cost(restorer.card, {"cpu": restorer_inference(restorer), **others}, threads=THREADS)
    for name, reader in bench.networks.readers.items():
        others = {device: reader_inference(networks.readers[name]) for device, networks in elsewhere.items()}
        costs[name] = measure_cost(reader.card, {"cpu": reader_inference(reader), **others}, threads=THREADS)
    if (halfway := bench.halfway) is not None:
        costs[halfway.name] = measure_cost(halfway.card, {"cpu": restorer_inference(halfway)}, threads=THREADS)
    return costs
