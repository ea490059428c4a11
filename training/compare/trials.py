"""Runs the compared systems on the synthetic sets and on photographs, sample by sample, in several processes."""

import argparse
import itertools
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from app.models.checkpoint import Checkpoint
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify, square
from app.pipeline.engines.symbol import Symbol
from app.pipeline.files.decoding import decode_image
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.loading import load_checkpoints, load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.restorer import NetworkRestorer, Restorer
from app.pipeline.inference.severity import laplacian_variance
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from app.pipeline.tools import Tools
from training.compare.cost import set_threads
from training.compare.mixing import interpolate
from training.compare.systems import Look, Reads, System, all_systems, look_through, network_system, seed_of
from training.data.degrade import pixel_centre_homography
from training.measure.photos import Photo, load
from training.measure.quality import psnr, ssim
from training.measure.served import chosen_tools
from training.measure.sets import Sample, samples

PHOTOGRAPHS = "photographs"
PSNR_TRAINED, GAN_TRAINED, HALFWAY = "qr-esrgan-psnr", "qr-esrgan", "qr-esrgan-half"
_MAX_PIXELS = 100_000_000
_FINE = 8  # points a pixel and a module, each way, from which a clean pixel's grey is counted


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A restored canonical crop beside the clean symbol: PSNR in dB, SSIM, and ``sharpness``, the variance of its
    Laplacian (the routing unit's measure) over that of the clean one: 1 is as sharp, more is noise."""

    psnr: float
    ssim: float
    sharpness: float

    @classmethod
    def of(cls, restored: GreyImage, clean: GreyImage) -> Self:
        """Of two pictures of one size."""
        sharpness = laplacian_variance(restored) / laplacian_variance(clean)
        return cls(psnr(restored, clean), ssim(restored, clean), sharpness)


@dataclass(frozen=True, slots=True)
class Trial:
    """One system on one picture. ``tried``: it found something that it is for. ``by_zbar`` is None where ZBar cannot be
    asked alone; ``wrong``: a payload was read that is not the truth; ``seconds``: of reading by all engines."""

    tried: bool
    by_all: bool
    by_zbar: bool | None
    wrong: bool
    seconds: float
    fidelity: Fidelity | None = None


Trials = dict[str, dict[str, list[Trial]]]
"""By set, then by system, picture by picture."""


@dataclass(frozen=True)
class Bench:
    """What pictures are put before, and the networks in it.

    ``between``: halfway between the PSNR-trained and the GAN-trained network, where a folder holds these two and not
    that.
    """

    networks: Networks
    tools: Tools
    systems: Sequence[System]
    between: NetworkRestorer | None = None


def set_up(options: argparse.Namespace, *, device: str = "cpu") -> Bench:
    """Builds the tools that the options of `training.measure.served` choose, with every network on ``device``.

    Raises InvalidCheckpoint.
    """
    set_threads(options.threads)
    networks = load_networks(options.weights, device)
    tools = chosen_tools(networks, options)
    between = _between(load_checkpoints(options.weights), device)
    systems = all_systems(tools)
    if between is not None:
        systems.append(network_system(between))
    return Bench(networks, tools, systems, between)


def _between(found: Mapping[str, Checkpoint], device: str) -> NetworkRestorer | None:
    if HALFWAY in found or not {PSNR_TRAINED, GAN_TRAINED} <= found.keys():
        return None
    made = interpolate(found[PSNR_TRAINED], found[GAN_TRAINED], 0.5, name=HALFWAY)
    return NetworkRestorer(made.card, TorchRunner.of(made, device=device))


def on_sample(bench: Bench, sample: Sample, seed: Sequence[int], *, time_only: bool = False) -> dict[str, Trial]:
    """Every system on one synthetic sample; a read counts when the payload's bytes equal the truth.

    ``time_only`` leaves out fidelity and what ZBar alone reads, which no system's time includes.
    """
    look = Look(sample.image, bench.tools, seed=seed)
    trials = {}
    for system in bench.systems:
        judged = judge(sample, look, system.restorer) if system.restorer and not time_only else None
        reads = look_through(system, look, by_zbar_too=not time_only)
        trials[system.name] = trial_of(sample, reads, judged)
    return trials


def trial_of(sample: Sample, reads: Reads, fidelity: Fidelity | None) -> Trial:
    """A read is right when the payload's bytes equal the truth, and wrong otherwise."""

    def right(symbol: Symbol) -> bool:
        return symbol.payload == sample.symbol.payload

    return _trial(reads, right, lambda symbols: not all(map(right, symbols)), fidelity)


def on_photo(bench: Bench, photo: Photo, seed: Sequence[int]) -> dict[str, Trial]:
    """Every system on one photograph; a read counts when it is one of the known payloads, outer white space aside."""

    def right(symbol: Symbol) -> bool:
        return not photo.payloads.isdisjoint({symbol.payload.strip(), symbol.text.encode().strip()})

    image = decode_image(photo.path.read_bytes(), max_pixels=_MAX_PIXELS)
    look = Look(image, bench.tools, seed=seed)
    return {
        system.name: _trial(look_through(system, look), right, photo.contradicted, None) for system in bench.systems
    }


def _trial(
    reads: Reads,
    right: Callable[[Symbol], bool],
    contradicted: Callable[[Iterable[Symbol]], bool],
    fidelity: Fidelity | None,
) -> Trial:
    return Trial(
        tried=reads.tried,
        by_all=any(map(right, reads.by_all)),
        by_zbar=None if reads.by_zbar is None else any(map(right, reads.by_zbar)),
        wrong=contradicted([*reads.by_all, *(reads.by_zbar or ())]),
        seconds=reads.seconds,
        fidelity=fidelity,
    )


def judge(sample: Sample, look: Look, restorer: Restorer) -> Fidelity | None:
    """Fidelity at the symbol's true place; None for an enlarger where the modules are not small.

    What an enlarger makes is straightened to the canonical crop as well, and held to what the clean symbol enlarged
    without fault, grey on its edges as pixels make it, becomes when it is straightened in the same way.
    """
    modules = dimension(sample.symbol.version)
    crop = rectify(sample.image, sample.corners, modules)
    if restorer.scale == 1:
        return Fidelity.of(restorer.restore([crop])[0], render(sample.symbol.modules, pixels=PIXELS_PER_MODULE))
    truth = Registration(corners=sample.corners, version=sample.symbol.version, agreement=1.0, inverted=False)
    region = Region(truth, crop)
    if not region.is_small:
        return None
    _, offset = region.cut_out(sample.image)
    enlarged = look.enlarged(region, restorer)
    corners = (sample.corners - np.array(offset)) * restorer.scale

    def straightened() -> GreyImage:
        return rectify(_printed(sample, corners, enlarged.shape), corners, modules)

    clean = look.once(("clean", offset, enlarged.shape), straightened)  # the same for all that enlarge as much
    return Fidelity.of(rectify(enlarged, corners, modules), clean)


def _printed(sample: Sample, corners: NDArray[np.float64], shape: tuple[int, ...]) -> GreyImage:
    """The clean symbol with its outer corners at ``corners`` of a white picture, every pixel the mean over its area."""
    fine = render(sample.symbol.modules, pixels=_FINE)
    inner = _FINE * (square(dimension(sample.symbol.version)) + QUIET_ZONE)
    matrix = cv2.getPerspectiveTransform(inner.astype(np.float32), (corners * _FINE).astype(np.float32))
    height, width = shape
    large = cv2.warpPerspective(
        fine,
        pixel_centre_homography(matrix),
        (_FINE * width, _FINE * height),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=255.0,
    )
    return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


# --- many -----------------------------------------------------------------------------------------------------------

Task = Callable[[Bench], tuple[str, dict[str, Trial]]]
_bench: Bench | None = None  # of a worker process, which makes it once for all its tasks


def set_task(name: str, index: int) -> Task:
    """Sample ``index`` of a set."""
    return partial(_run_sample, name=name, index=index)


def photo_task(photo: Photo, index: int) -> Task:
    """One photograph."""
    return partial(_run_photo, photo=photo, index=index)


def _run_sample(bench: Bench, *, name: str, index: int) -> tuple[str, dict[str, Trial]]:
    return name, on_sample(bench, next(samples(name, start=index, count=1)), seed_of(name, index))


def _run_photo(bench: Bench, *, photo: Photo, index: int) -> tuple[str, dict[str, Trial]]:
    return PHOTOGRAPHS, on_photo(bench, photo, seed_of(PHOTOGRAPHS, index))


def known_photos(directory: Path, count: int) -> list[Photo]:
    """At most ``count`` photographs, evenly spread over the folder's list; those of unknown payload are left out."""
    known = [photo for photo in load(directory) if photo.payloads]
    chosen = np.unique(np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int))
    return [known[index] for index in chosen.tolist()]


def run(tasks: Sequence[Task], options: argparse.Namespace, *, jobs: int) -> Iterator[tuple[str, dict[str, Trial]]]:
    """The tasks' results in their order, from ``jobs`` processes; one runs them in this process."""
    if jobs == 1:
        bench = set_up(options)
        yield from (task(bench) for task in tasks)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (options,)) as pool:
        yield from pool.map(_work, tasks)


def _start_worker(options: argparse.Namespace) -> None:
    global _bench  # noqa: PLW0603 - what a pool's initialiser makes has no other place
    _bench = set_up(options)


def _work(task: Task) -> tuple[str, dict[str, Trial]]:
    if _bench is None:
        raise RuntimeError("the worker was not set up")
    return task(_bench)


def gathered(results: Iterable[tuple[str, Mapping[str, Trial]]]) -> Trials:
    """Results by set and system."""
    trials: Trials = {}
    for name, each in results:
        for system, trial in each.items():
            trials.setdefault(name, {}).setdefault(system, []).append(trial)
    return trials


def timed(
    bench: Bench, names: Sequence[str], *, count: int, threads: Sequence[int], repeats: int = 3
) -> dict[int, Trials]:
    """The first ``count`` samples of each set again at each number of threads, for their seconds: the median of
    ``repeats``, after one picture that warms up."""
    trials: dict[int, Trials] = {}
    for number in threads:
        set_threads(number)
        on_sample(bench, next(samples(names[0], count=1)), (0,), time_only=True)
        results = []
        for name, index in itertools.product(names, range(count)):
            sample = next(samples(name, start=index, count=1))
            again = [on_sample(bench, sample, seed_of(name, index), time_only=True) for _ in range(repeats)]
            results.append((name, _typical(again)))
        trials[number] = gathered(results)
    return trials


def _typical(again: Sequence[Mapping[str, Trial]]) -> dict[str, Trial]:
    """The first of several runs of one picture, with the median of their seconds."""
    return {
        system: replace(first, seconds=statistics.median(trials[system].seconds for trials in again))
        for system, first in again[0].items()
    }
