"""What a network costs: learned values, multiply-accumulates, milliseconds of one inference."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from app.models.contract import PLANES, Card
from app.models.registry import NETWORKS
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.inference.restorer import Restorer
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension

VERSION = 3
MODULES = dimension(VERSION) + 2 * QUIET_ZONE
CROP_SIDE = PIXELS_PER_MODULE * MODULES
PATCH_SIDE = 64
"""A code of ``VERSION`` with its quiet zone is ``MODULES`` a side: ``CROP_SIDE`` pixels in a canonical crop, and
``PATCH_SIDE``, 1.7 a module, where an enlarging network gets it."""

Inference = Callable[[], object]
_ENOUGH = 2.0  # seconds after which a slow network is timed no more
_REPEATS = 9


@dataclass(frozen=True, kw_only=True)
class Cost:
    """``macs``: multiply-accumulates of convolutions and matrix products for an input of ``side`` pixels square, its
    padding included. ``milliseconds``: medians of one inference, by "1", "2" (threads) or "cuda"."""

    parameters: int
    macs: int
    side: int
    milliseconds: Mapping[str, float]


def input_side(architecture: str, config: Mapping[str, object]) -> int:
    """Pixels a side of the measured input: that of a code of ``VERSION``, padded as the network needs it."""
    if architecture == "ModuleReader":
        return CROP_SIDE
    network = _weightless(architecture, config)
    wanted = PATCH_SIDE if int(getattr(network, "scale")) > 1 else CROP_SIDE  # noqa: B009 - an attribute of every network
    multiple = int(getattr(network, "size_multiple"))  # noqa: B009
    return -(-wanted // multiple) * multiple


def macs(architecture: str, config: Mapping[str, object], side: int) -> int:
    """Multiply-accumulates of an input of ``side`` x ``side``, by torch's own counter of convolutions and matrix
    products (two operations each); needs no memory, whatever the size."""
    network = _weightless(architecture, config).eval()
    inputs = [torch.empty(1, int(getattr(network, "channels", 1)), side, side, device="meta")]
    if architecture == "ModuleReader":
        told = side // PIXELS_PER_MODULE
        inputs.append(torch.empty(1, PLANES, told, told, device="meta"))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    return int(counter.get_total_flops()) // 2


def _weightless(architecture: str, config: Mapping[str, object]) -> nn.Module:
    with torch.device("meta"):
        return NETWORKS[architecture](**config)


def set_threads(threads: int) -> None:
    """Threads of torch and OpenCV in this process."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def median_ms(run: Inference, *, threads: int) -> float:
    """Median milliseconds with this number of threads, after a run that warms up: of one run, if it is slow, to
    ``_REPEATS``."""
    set_threads(threads)
    run()
    spent: list[float] = []
    while len(spent) < _REPEATS and sum(spent) < _ENOUGH:
        began = perf_counter()
        run()
        spent.append(perf_counter() - began)
    return 1000 * statistics.median(spent)


def restoring(restorer: Restorer) -> Inference:
    """One inference of a restorer, with all that the service does around it."""
    side = PATCH_SIDE if restorer.scale > 1 else CROP_SIDE
    picture = _noise(side)
    return lambda: restorer.restore([picture])


def reading(reader: ModuleReader) -> Inference:
    """One inference of a module reader."""
    picture = _noise(CROP_SIDE)
    return lambda: reader.read([picture], VERSION)


def _noise(side: int) -> GreyImage:
    return np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)


def measure(card: Card, devices: Mapping[str, Inference], *, threads: Sequence[int]) -> Cost:
    """What a checkpoint's network costs; ``devices`` says how one inference is run on "cpu" and elsewhere."""
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
