"""Runs the compared systems on the synthetic sets and on photographs, in one or more processes."""

import argparse
import itertools
import statistics
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

from app.models.checkpoint import Checkpoint, load_checkpoints
from app.pipeline.engines.symbol import Symbol
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.tools import Tools
from training.compare.fidelity import Fidelity, measure_fidelity
from training.compare.systems import SharedPicture, System, SystemResult, all_systems, network_system, run_system
from training.compare.weight_interpolation import interpolate_weights
from training.measure.photos import Photo, texts_of
from training.measure.served_tools import build_tools, set_threads
from training.measure.sets import Sample, samples

PHOTOGRAPHS = "photographs"
PSNR_TRAINED, GAN_TRAINED, HALFWAY = "qr-esrgan-psnr", "qr-esrgan", "qr-esrgan-half"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial: one system on one picture, and whether it read the truth.

    ``applicable``: the picture has a region that the system applies to. ``by_all`` and ``by_zbar``: the true payload
    was read by all engines, by ZBar alone (None where it cannot run alone). ``wrong``: another payload was read.
    ``seconds``: of reading by all engines.
    """

    applicable: bool
    by_all: bool
    by_zbar: bool | None
    wrong: bool
    seconds: float
    fidelity: Fidelity | None = None


Trials = dict[str, dict[str, list[Trial]]]
"""Trials by set and system, picture by picture."""


@dataclass(frozen=True)
class Bench:
    """What trials run on: the systems of a comparison, with their tools and networks.

    ``halfway``: the mean of the PSNR-trained and the GAN-trained network, if the folder holds both but no checkpoint of
    the mean.
    """

    networks: Networks
    tools: Tools
    systems: Sequence[System]
    halfway: NetworkRestorer | None = None


def build_bench(options: argparse.Namespace, *, device: str = "cpu") -> Bench:
    """Builds the bench on which trials run: the tools that the options of `training.measure.served_tools` choose, with
    every network on ``device``.

    Raises InvalidCheckpoint.
    """
    set_threads(options.threads)
    networks = load_networks(options.weights, device)
    tools = build_tools(networks, options)
    halfway = _halfway(load_checkpoints(options.weights), device)
    systems = all_systems(tools)
    if halfway is not None:
        systems.append(network_system(halfway))
    return Bench(networks, tools, systems, halfway)


def _halfway(checkpoints: Mapping[str, Checkpoint], device: str) -> NetworkRestorer | None:
    if HALFWAY in checkpoints or not {PSNR_TRAINED, GAN_TRAINED} <= checkpoints.keys():
        return None
    mixed = interpolate_weights(checkpoints[PSNR_TRAINED], checkpoints[GAN_TRAINED], 0.5, name=HALFWAY)
    return NetworkRestorer(mixed.card, TorchRunner.of(mixed, device=device))


def try_sample(bench: Bench, sample: Sample, seed: Sequence[int], *, time_only: bool = False) -> dict[str, Trial]:
    """Runs every system on one synthetic sample; returns the trials by system.

    ``time_only`` omits fidelity and ZBar alone, which are not part of a system's time.
    """
    picture = SharedPicture(sample.image, bench.tools, seed=seed)
    trials = {}
    for system in bench.systems:
        fidelity = measure_fidelity(sample, picture, system.restorer) if system.restorer and not time_only else None
        result = run_system(system, picture, zbar_alone=not time_only)
        trials[system.name] = sample_trial(sample, result, fidelity)
    return trials


def sample_trial(sample: Sample, result: SystemResult, fidelity: Fidelity | None) -> Trial:
    """A trial on a synthetic sample: a read is right if the payload's bytes equal the truth, and otherwise wrong."""

    def is_right(symbol: Symbol) -> bool:
        return symbol.payload == sample.symbol.payload

    return _trial(result, is_right, lambda symbols: not all(map(is_right, symbols)), fidelity)


def try_photo(bench: Bench, photo: Photo, seed: Sequence[int]) -> dict[str, Trial]:
    """Runs every system on one photograph; returns the trials by system.

    A read is right if it is one of the known payloads but for outer white space.
    """

    def is_right(symbol: Symbol) -> bool:
        return not photo.payloads.isdisjoint(texts_of(symbol))

    picture = SharedPicture(photo.load(), bench.tools, seed=seed)
    return {
        system.name: _trial(run_system(system, picture), is_right, photo.is_contradicted, None)
        for system in bench.systems
    }


def _trial(
    result: SystemResult,
    is_right: Callable[[Symbol], bool],
    is_contradicted: Callable[[Iterable[Symbol]], bool],
    fidelity: Fidelity | None,
) -> Trial:
    return Trial(
        applicable=result.applicable,
        by_all=any(map(is_right, result.by_all)),
        by_zbar=None if result.by_zbar is None else any(map(is_right, result.by_zbar)),
        wrong=is_contradicted([*result.by_all, *(result.by_zbar or ())]),
        seconds=result.seconds,
        fidelity=fidelity,
    )


# --- many pictures --------------------------------------------------------------------------------------------------

Task = Callable[[Bench], tuple[str, dict[str, Trial]]]
"""Runs every system on one picture; returns the picture's set and the trials by system."""
_bench: Bench | None = None  # of a worker process, for all its tasks


def sample_task(name: str, index: int) -> Task:
    """The task that runs the trials on sample ``index`` of a set."""
    return partial(_run_sample, name=name, index=index)


def photo_task(photo: Photo, index: int) -> Task:
    """The task that runs the trials on a photograph; ``index`` seeds random routing."""
    return partial(_run_photo, photo=photo, index=index)


def _run_sample(bench: Bench, *, name: str, index: int) -> tuple[str, dict[str, Trial]]:
    return name, try_sample(bench, next(samples(name, start=index, count=1)), seed_of(name, index))


def _run_photo(bench: Bench, *, photo: Photo, index: int) -> tuple[str, dict[str, Trial]]:
    return PHOTOGRAPHS, try_photo(bench, photo, seed_of(PHOTOGRAPHS, index))


def run_tasks(
    tasks: Sequence[Task], options: argparse.Namespace, *, jobs: int
) -> Iterator[tuple[str, dict[str, Trial]]]:
    """Runs trials: yields the tasks' results in order, from ``jobs`` processes; a single job runs in this process."""
    if jobs == 1:
        bench = build_bench(options)
        yield from (task(bench) for task in tasks)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (options,)) as pool:
        yield from pool.map(_work, tasks)


def _start_worker(options: argparse.Namespace) -> None:
    global _bench  # noqa: PLW0603 - a pool's initialiser can hand over its result in no other way
    _bench = build_bench(options)


def _work(task: Task) -> tuple[str, dict[str, Trial]]:
    if _bench is None:
        raise RuntimeError("the worker has not been initialised")
    return task(_bench)


def group_trials(results: Iterable[tuple[str, Mapping[str, Trial]]]) -> Trials:
    """Groups trials, the results of tasks, by set and system, in their order."""
    trials: Trials = {}
    for name, each in results:
        for system, trial in each.items():
            trials.setdefault(name, {}).setdefault(system, []).append(trial)
    return trials


def time_trials(
    bench: Bench, names: Sequence[str], *, count: int, threads: Sequence[int], repeats: int = 3
) -> dict[int, Trials]:
    """Runs trials for their time: every system on the first ``count`` samples of each set, for each number of threads.

    ``seconds`` is the median of ``repeats`` runs; a first picture warms up and does not count.
    """
    trials: dict[int, Trials] = {}
    for number in threads:
        set_threads(number)
        try_sample(bench, next(samples(names[0], count=1)), (0,), time_only=True)
        results = []
        for name, index in itertools.product(names, range(count)):
            sample = next(samples(name, start=index, count=1))
            runs = [try_sample(bench, sample, seed_of(name, index), time_only=True) for _ in range(repeats)]
            results.append((name, _median(runs)))
        trials[number] = group_trials(results)
    return trials


def _median(runs: Sequence[Mapping[str, Trial]]) -> dict[str, Trial]:
    """The first of several runs on one picture, with the median of the seconds."""
    return {
        system: replace(first, seconds=statistics.median(trials[system].seconds for trials in runs))
        for system, first in runs[0].items()
    }


def seed_of(name: str, index: int) -> tuple[int, int]:
    """The seed of random routing in the trials on picture ``index`` of a set."""
    return zlib.crc32(name.encode()), index
