"""Compares two networks over trainings that differ in the seed alone:

    python -m training.compare.trainings RUNS srresnet-mse srresnet-l1

RUNS holds a folder for every seed, which ``python -m training NAME --seed SEED --out RUNS/SEED`` makes. A difference
between two networks that were trained once says nothing of how much of it the seed made; here its interval is over
trainings, not over pictures.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from training.compare.alone import WHOLE_CODE_SETS, try_alone
from training.compare.claims import Difference, mean_difference, psnr_of, ssim_of
from training.compare.tables import NOTHING, table
from training.compare.trials import Trial
from training.measure.served_tools import set_threads
from training.measure.sets import VALIDATION, samples

LEAST_SEEDS = 3


@dataclass(frozen=True)
class Figure:
    """A figure of a trained network: the mean of ``of`` over trials, shown with ``digits`` decimals."""

    name: str
    of: Callable[[Trial], float]
    digits: int

    def mean(self, trials: Sequence[Trial]) -> float:
        return fmean(map(self.of, trials))

    def show(self, difference: Difference) -> tuple[str, str]:
        """A difference with its interval, and the smallest detectable difference. If every training differs by the
        same, neither is known."""
        low, high, digits = difference.low, difference.high, self.digits
        mean = f"{difference.mean:+.{digits}f}"
        if low == high:
            return f"{mean} each time", NOTHING
        return f"{mean} [{low:+.{digits}f} to {high:+.{digits}f}]", f"{difference.detectable:.{digits}f}"


def _read(trial: Trial) -> float:
    return 100.0 * trial.by_all


FIGURES = (Figure("PSNR, dB", psnr_of, 2), Figure("SSIM", ssim_of, 4), Figure("read, %", _read, 1))


def try_trainings(
    runs: Path, names: Sequence[str], *, sets: Sequence[str] = WHOLE_CODE_SETS, count: int
) -> dict[str, dict[str, list[Trial]]]:
    """Trials of every seed's networks, ``[seed][name]``, on the first ``count`` samples of each set.

    Raises ValueError for fewer than `LEAST_SEEDS` seeds that hold every one of the networks, since two say nothing of
    what the seed makes, and CheckpointError for a file that is not a checkpoint.
    """
    found = {
        folder.name: {name: folder / name / f"{name}{SUFFIX}" for name in names} for folder in sorted(runs.iterdir())
    }
    whole = {seed: files for seed, files in found.items() if all(file.is_file() for file in files.values())}
    if len(whole) < LEAST_SEEDS:
        finished = f"finished trainings of {' and '.join(names)}"
        raise ValueError(f"{runs} holds {len(whole)} folder(s) with {finished}, at least {LEAST_SEEDS} are needed")
    shown = [sample for name in sets for sample in samples(name, count=count)]
    return {
        seed: {name: [try_alone(_restorer(file), sample) for sample in shown] for name, file in files.items()}
        for seed, files in whole.items()
    }


def _restorer(file: Path) -> NetworkRestorer:
    loaded = checkpoint.load(file)
    return NetworkRestorer(loaded.card, TorchRunner.of(loaded))


def trainings_table(trials: Mapping[str, Mapping[str, Sequence[Trial]]], first: str, second: str) -> str:
    """Markdown table of two networks' figures for every seed; below, the mean difference over seeds with its 95 %
    interval (Student's t), and the smallest difference that as many seeds would have shown."""
    head = ["seed", *(f"{figure.name}: {name}" for figure in FIGURES for name in (first, second))]
    lines = [
        [seed, *(f"{figure.mean(by_name[name]):.{figure.digits}f}" for figure in FIGURES for name in (first, second))]
        for seed, by_name in trials.items()
    ]
    differences = []
    for figure in FIGURES:
        pairs = [[figure.mean(by_name[name]) for by_name in trials.values()] for name in (first, second)]
        difference = mean_difference(*pairs)
        if difference is not None:
            differences.append([figure.name, *figure.show(difference), str(difference.n)])
    below = table([f"{first} minus {second}", "over trainings", "smallest detectable difference", "seeds"], differences)
    return f"{table(head, lines)}\n\n{below}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.compare.trainings",
        description="Compare two networks over trainings that differ in the seed alone.",
    )
    parser.add_argument("runs", type=Path, help="folder with a folder of runs for every seed")
    parser.add_argument("first", help="name of a network, such as srresnet-mse")
    parser.add_argument("second", help="name of the network that it is compared with")
    parser.add_argument(
        "--sets", choices=WHOLE_CODE_SETS, nargs="+", default=list(WHOLE_CODE_SETS), help="(default: all)"
    )
    parser.add_argument("--count", type=int, default=50, help=f"samples a set, at most {VALIDATION} (default: 50)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and OpenCV (default: 1)")
    arguments = parser.parse_args(argv)
    if not arguments.runs.is_dir():
        parser.error(f"{arguments.runs} is no folder")
    if not 1 <= arguments.count <= VALIDATION:
        parser.error(f"--count must be in [1, {VALIDATION}]")
    set_threads(arguments.threads)
    try:
        trials = try_trainings(
            arguments.runs, (arguments.first, arguments.second), sets=arguments.sets, count=arguments.count
        )
    except ValueError as error:
        parser.error(str(error))
    print(f"{', '.join(arguments.sets)}: n = {arguments.count} each\n")
    print(trainings_table(trials, arguments.first, arguments.second))


if __name__ == "__main__":
    main()
