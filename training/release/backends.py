"""Compares what can run the networks, torch, ONNX Runtime and OpenVINO: python -m training.release.backends.

``--weights DIR`` names a folder of checkpoints and of their exports by ``python -m training.release.export all
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
noise64 99, 99, 99; quad-locator on scene 87, 88, 86 (of 200: 89.0 and 87.0 % by torch and int8). OpenVINO 2026.4.1 took
10.2, 24.9, 13.9, 32.7 and 10.4 ms for the same rows in full precision and 9.4, 19.0, 6.6, 13.7 and 6.0 ms in 8 bits:
less for srresnet-x4, more for lenet and quad-locator.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import process_time

import numpy as np
import torch
from numpy.typing import NDArray

from app.models import checkpoint
from app.models.checkpoint import Checkpoint, fingerprint
from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.inference.exported import INT8_SUFFIX, SUFFIX
from app.pipeline.inference.module_reader import ModuleReader, NetworkModuleReader
from app.pipeline.inference.onnx import OnnxRunner
from app.pipeline.inference.openvino import BFLOAT16 as OPENVINO_BFLOAT16
from app.pipeline.inference.openvino import OpenVinoRunner
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.runners import Runner
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.inference.window_locator import WindowLocator
from app.pipeline.locating.candidates import candidate_of
from app.pipeline.locating.regions import Region, find_regions
from app.pipeline.qrcode.patterns import dimension
from training.measure.rates import Rate
from training.measure.served_tools import set_threads
from training.measure.sets import VALIDATION, Sample, samples
from training.release.export import random_inputs

READ_SETS = {"lenet": "qrdata", "srresnet-x4": "noise64", "module-reader": "noise64", "quad-locator": "scene"}
"""The set on which each network's reads are counted; the engines alone fail on most of its pictures."""
TORCH, BFLOAT16, ONNX, INT8 = "torch", "torch bf16", "onnx", "onnx int8"
OPENVINO, SHORT_OPENVINO = "openvino", "openvino bf16"
BACKENDS = (TORCH, BFLOAT16, ONNX, INT8, OPENVINO, SHORT_OPENVINO)
_TIMED = (
    ("lenet", "crop of 180 px", 180),
    ("srresnet-x4", "picture of 64 px", 64),
    ("module-reader", "29 modules", 4 * 29),
    ("module-reader", "45 modules", 4 * 45),
    ("quad-locator", "window of 256 px", 256),
)
_REGIONS = 4  # most regions of a locator that are read

ReadSample = Callable[[Sample], list[Symbol]]


class Bfloat16Runner:
    """The backend that runs a network with torch on the CPU, in bfloat16 where autocast supports it."""

    def __init__(self, model: Checkpoint) -> None:
        self._runner = TorchRunner(model.network)

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self._runner(*inputs)


def runners(model: Checkpoint, folder: Path) -> dict[str, Runner]:
    """Every backend's runner of a network, by backend. Raises InvalidCheckpoint if an export is missing."""
    name, expected = model.name, fingerprint(model)
    export = folder / f"{name}{SUFFIX}"
    return {
        TORCH: TorchRunner(model.network),
        BFLOAT16: Bfloat16Runner(model),
        ONNX: OnnxRunner(export, name, fingerprint=expected),
        INT8: OnnxRunner(folder / f"{name}{INT8_SUFFIX}", name, fingerprint=expected),
        OPENVINO: OpenVinoRunner(export, name, fingerprint=expected),
        SHORT_OPENVINO: OpenVinoRunner(export, name, fingerprint=expected, precision=OPENVINO_BFLOAT16),
    }


def milliseconds(
    backends: Mapping[str, Runner], inputs: Sequence[NDArray[np.float32]], *, runs: int, warm_ups: int = 3
) -> dict[str, float]:
    """Median processor time of an inference, by backend.

    Processor time excludes other processes. The backends take turns, so that a busy machine affects each equally.
    """
    taken: dict[str, list[float]] = {name: [] for name in backends}
    for _ in range(warm_ups + runs):
        for name, run in backends.items():
            began = process_time()
            run(*inputs)
            taken[name].append(1000 * (process_time() - began))
    return {name: float(np.median(times[warm_ups:])) for name, times in taken.items()}


# --- reading with one network ---------------------------------------------------------------------------------------


def _region(sample: Sample) -> Region | None:
    """The region at the symbol's true place, registered as in service; None if registration fails."""
    place = candidate_of(sample.corners, dimension(sample.symbol.version), 1.0)
    return next(iter(find_regions(sample.image, [place], limit=1)), None)


def sample_reader(
    model: Checkpoint, runner: Runner | None, engines: Sequence[Engine], reader: ModuleReader
) -> ReadSample:
    """Builds a function that reads a sample with the engines and one network, run by ``runner`` or, if None, by torch.

    A restorer of scale 1 and a module reader get the region at the true place, an upscaler the whole picture. A locator
    finds the regions itself, and ``reader`` reads them.
    """
    runner = runner or TorchRunner.of(model)
    if model.architecture == "QuadLocator":
        locator = WindowLocator(model.card, runner)
        return lambda sample: _read_first(
            find_regions(sample.image, locator.locate(sample.image), limit=_REGIONS), reader, engines
        )
    if model.architecture == "ModuleReader":
        module_reader = NetworkModuleReader(model.card, runner)
        return lambda sample: _read_first([region] if (region := _region(sample)) else [], module_reader, engines)
    restorer = NetworkRestorer(model.card, runner)

    def restore_and_read(sample: Sample) -> list[Symbol]:
        if restorer.scale > 1:
            upscaled = restorer.restore([sample.image])[0]
            return next((symbols for engine in engines if (symbols := engine.read(upscaled))), [])
        region = _region(sample)
        return region.read(restorer.restore([region.crop])[0], engines, restored=True) if region else []

    return restore_and_read


def _read_first(regions: Sequence[Region], reader: ModuleReader, engines: Sequence[Engine]) -> list[Symbol]:
    for region in regions:
        log_odds = reader.read([region.crop], region.version)[0]
        if symbols := region.read_modules(region.crop, log_odds, engines):
            return symbols
    return []


def hits(backends: Mapping[str, ReadSample], name: str, *, count: int) -> dict[str, list[bool]]:
    """Whether each backend reads the true payload of each of the first ``count`` samples of a set."""
    found: dict[str, list[bool]] = {backend: [] for backend in backends}
    for sample in samples(name, count=count):
        for backend, read in backends.items():
            found[backend].append(any(symbol.payload == sample.symbol.payload for symbol in read(sample)))
    return found


def row(backend: str, found: Sequence[bool], reference: Sequence[bool]) -> str:
    """A line of the table of backends: one's rate, and the samples that it lost and gained relative to
    ``reference``."""
    lost = sum(was and not now for was, now in zip(reference, found, strict=True))
    gained = sum(now and not was for was, now in zip(reference, found, strict=True))
    return f"{backend:14s} {Rate(sum(found), len(found))!s:>16s} {lost:5d} {gained:6d}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.release.backends", description="Compare torch, ONNX Runtime and OpenVINO."
    )
    parser.add_argument(
        "--weights", type=Path, default=Path("weights"), help="checkpoints and exports (default: weights)"
    )
    parser.add_argument("--runs", type=int, default=40, help="timed inferences per backend (default: 40; 0: no times)")
    parser.add_argument("--count", type=int, default=100, help=f"samples per set, at most {VALIDATION} (default: 100)")
    parser.add_argument(
        "--reads", nargs="*", default=list(READ_SETS), choices=READ_SETS, help="networks whose reads to count"
    )
    arguments = parser.parse_args(argv)
    set_threads(1)
    folder = arguments.weights
    models = {name: checkpoint.load(folder / f"{name}{checkpoint.SUFFIX}") for name in READ_SETS}
    if arguments.runs:
        _print_times(models, folder, runs=arguments.runs)
    _print_reads(models, folder, names=arguments.reads, count=min(arguments.count, VALIDATION))


def _print_times(models: Mapping[str, Checkpoint], folder: Path, *, runs: int) -> None:
    print(f"{'':33s}" + "".join(f"{backend:>14s}" for backend in BACKENDS) + "  (ms, one thread)")
    for name, size, side in _TIMED:
        inputs = random_inputs(models[name].network, np.random.default_rng(0), count=1, height=side, width=side)
        medians = milliseconds(runners(models[name], folder), inputs, runs=runs)
        print(f"{name:15s} {size:17s}" + "".join(f"{value:14.1f}" for value in medians.values()), flush=True)


def _print_reads(models: Mapping[str, Checkpoint], folder: Path, *, names: Sequence[str], count: int) -> None:
    engines = (ZXing(), ZBar())
    reader = NetworkModuleReader(models["module-reader"].card, TorchRunner.of(models["module-reader"]))
    for name in names:
        every = runners(models[name], folder)
        served: dict[str, Runner | None] = {TORCH: None}
        served |= {backend: every[backend] for backend in (ONNX, INT8, OPENVINO, SHORT_OPENVINO)}
        readers = {key: sample_reader(models[name], runner, engines, reader) for key, runner in served.items()}
        found = hits(readers, READ_SETS[name], count=count)
        for backend in readers:
            print(f"{name:15s} {READ_SETS[name]:8s} {row(backend, found[backend], found[TORCH])}", flush=True)


if __name__ == "__main__":
    main()
