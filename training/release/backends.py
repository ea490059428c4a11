"""Compares the backends that can run the networks, torch and ONNX Runtime: python -m training.release.backends.

``--weights DIR`` names a folder of checkpoints and of their exports by ``python -m training.release.export NAME
--int8``. Prints two tables: milliseconds per inference on one thread, and how many pictures of a synthetic set the
engines read with each backend. All backends see the same samples, so reads lost and gained against torch are counted
one by one.

Measured on two virtual cores (AVX-512, VNNI, bfloat16; torch 2.13.0, onnxruntime 1.32.0), one of them busy:

    ms                             torch   bf16   onnx   int8
    lenet, 180 px                   12.4   18.9    8.2    6.7
    srresnet-x4, 64 px              33.2   48.5   32.9   22.7
    module-reader, 29 modules       18.5   28.7   13.6    6.5
    module-reader, 45 modules       36.7   62.4   31.9   14.9
    quad-locator, 256 px            12.8   19.2    8.9    4.8

Reads of 100 by torch, onnx and int8: lenet on qrdata 78, 78, 77; srresnet-x4 on noise64 96, 96, 95; module-reader on
noise64 99, 99, 99; quad-locator on scene 87, 88, 86 (of 200: 89.0 and 87.0 % by torch and int8). OpenVINO 2026.4.1,
asked in the same order from the same files for pictures of any size, took 10.2, 24.9, 13.9, 32.7 and 10.4 ms in full
precision and 9.4, 19.0, 6.6, 13.7 and 6.0 ms in 8 bits: less for srresnet-x4, more for lenet and quad-locator.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import process_time

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from app.models import checkpoint
from app.models.checkpoint import Checkpoint, fingerprint
from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.inference.module_reader import ModuleReader, NetworkModuleReader
from app.pipeline.inference.onnx import INT8_SUFFIX, SUFFIX, OnnxRunner
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.runners import Runner
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.inference.window_locator import WindowLocator
from app.pipeline.locating.candidates import candidate_of
from app.pipeline.locating.regions import Region, find_regions
from app.pipeline.qrcode.patterns import dimension
from training.measure.quality import Rate
from training.measure.sets import VALIDATION, Sample, samples
from training.release.export import random_inputs

READS = {"lenet": "qrdata", "srresnet-x4": "noise64", "module-reader": "noise64", "quad-locator": "scene"}
"""The set on which each network's reads are counted: one that the engines alone mostly fail on."""
TORCH, BFLOAT16, ONNX, INT8 = "torch", "torch bf16", "onnx", "onnx int8"
_TIMED = (
    ("lenet", "crop of 180 px", 180),
    ("srresnet-x4", "picture of 64 px", 64),
    ("module-reader", "29 modules", 4 * 29),
    ("module-reader", "45 modules", 4 * 45),
    ("quad-locator", "window of 256 px", 256),
)
_REGIONS = 4  # that a locator's candidates may become, as when the service balances

Reads = Callable[[Sample], list[Symbol]]


class Bfloat16Runner:
    """Runs a network with torch on the CPU, in bfloat16 wherever torch has it."""

    def __init__(self, card: Checkpoint) -> None:
        self._runner = TorchRunner(card.network)

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self._runner(*inputs)


def runners(card: Checkpoint, folder: Path) -> dict[str, Runner]:
    """Everything that may run a checkpoint's network. Raises InvalidCheckpoint where an export is missing."""
    return {
        TORCH: TorchRunner(card.network),
        BFLOAT16: Bfloat16Runner(card),
        ONNX: OnnxRunner(folder / f"{card.name}{SUFFIX}", card.name, fingerprint=fingerprint(card)),
        INT8: OnnxRunner(folder / f"{card.name}{INT8_SUFFIX}", card.name, fingerprint=fingerprint(card)),
    }


def milliseconds(
    rivals: Mapping[str, Runner], inputs: Sequence[NDArray[np.float32]], *, runs: int, warm_ups: int = 3
) -> dict[str, float]:
    """Median processor time of an inference: on one thread, what it takes while nothing else has the processor.

    The rivals take turns, so that a busy machine is as busy for each.
    """
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(warm_ups + runs):
        for name, run in rivals.items():
            began = process_time()
            run(*inputs)
            taken[name].append(1000 * (process_time() - began))
    return {name: float(np.median(times[warm_ups:])) for name, times in taken.items()}


# --- reading with one network ---------------------------------------------------------------------------------------


def _region(sample: Sample) -> Region | None:
    """The region at the truth, as the service registers it."""
    place = candidate_of(sample.corners, dimension(sample.symbol.version), 1.0)
    return next(iter(find_regions(sample.image, [place], limit=1)), None)


def reads_of(card: Checkpoint, runner: Runner | None, engines: Sequence[Engine], reader: ModuleReader) -> Reads:
    """What the engines read with a network run by ``runner``, or as the service runs it with torch.

    A restorer of scale 1 and a module reader are given the true place; an enlarging one the whole picture; a locator
    finds the place itself, and ``reader`` reads what it found.
    """
    runner = runner or TorchRunner.of(card)
    if card.architecture == "QuadLocator":
        locator = WindowLocator(card.card, runner)
        return lambda sample: _read_first(
            find_regions(sample.image, locator.locate(sample.image), limit=_REGIONS), reader, engines
        )
    if card.architecture == "ModuleReader":
        own = NetworkModuleReader(card.card, runner)
        return lambda sample: _read_first([region] if (region := _region(sample)) else [], own, engines)
    restorer = NetworkRestorer(card.card, runner)

    def restored(sample: Sample) -> list[Symbol]:
        if restorer.scale > 1:
            larger = restorer.restore([sample.image])[0]
            return next((found for engine in engines if (found := engine.read(larger))), [])
        region = _region(sample)
        return region.read(restorer.restore([region.crop])[0], engines, restored=True) if region else []

    return restored


def _read_first(regions: Sequence[Region], reader: ModuleReader, engines: Sequence[Engine]) -> list[Symbol]:
    for region in regions:
        log_odds = reader.read([region.crop], region.version)[0]
        if symbols := region.read_modules(region.crop, log_odds, engines):
            return symbols
    return []


def hits(rivals: Mapping[str, Reads], name: str, *, count: int) -> dict[str, list[bool]]:
    """Whether each rival read each of the first ``count`` samples of a set rightly."""
    found: dict[str, list[bool]] = {rival: [] for rival in rivals}
    for sample in samples(name, count=count):
        for rival, read in rivals.items():
            found[rival].append(any(symbol.payload == sample.symbol.payload for symbol in read(sample)))
    return found


def row(rival: str, found: Sequence[bool], before: Sequence[bool]) -> str:
    """A rival's rate, and what it lost and gained against ``before``."""
    lost = sum(was and not now for was, now in zip(before, found, strict=True))
    gained = sum(now and not was for was, now in zip(before, found, strict=True))
    return f"{rival:12s} {Rate(sum(found), len(found))!s:>16s} {lost:5d} {gained:6d}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.release.backends", description="Compare torch and ONNX Runtime."
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of checkpoints and exports")
    parser.add_argument("--runs", type=int, default=40, help="timed inferences of each (default: 40; 0: none)")
    parser.add_argument("--count", type=int, default=100, help=f"samples a set, at most {VALIDATION} (default: 100)")
    parser.add_argument("--reads", nargs="*", default=list(READS), choices=READS, help="networks whose reads to count")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    folder = arguments.weights
    cards = {name: checkpoint.load(folder / f"{name}{checkpoint.SUFFIX}") for name in READS}
    if arguments.runs:
        print(f"{'':33s}" + "".join(f"{rival:>12s}" for rival in (TORCH, BFLOAT16, ONNX, INT8)) + "  (ms, one thread)")
    for name, what, side in _TIMED if arguments.runs else ():
        inputs = random_inputs(cards[name].network, np.random.default_rng(0), count=1, height=side, width=side)
        medians = milliseconds(runners(cards[name], folder), inputs, runs=arguments.runs)
        print(f"{name:15s} {what:17s}" + "".join(f"{value:12.1f}" for value in medians.values()), flush=True)
    count = min(arguments.count, VALIDATION)
    engines = (ZXing(), ZBar())
    reader = NetworkModuleReader(cards["module-reader"].card, TorchRunner.of(cards["module-reader"]))
    for name in arguments.reads:
        chosen = {TORCH: None, **{key: run for key, run in runners(cards[name], folder).items() if key in {ONNX, INT8}}}
        rivals = {key: reads_of(cards[name], run, engines, reader) for key, run in chosen.items()}
        found = hits(rivals, READS[name], count=count)
        for rival in rivals:
            print(f"{name:15s} {READS[name]:8s} {row(rival, found[rival], found[TORCH])}", flush=True)


if __name__ == "__main__":
    main()
