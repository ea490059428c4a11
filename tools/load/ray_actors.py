"""`python -m tools.load.ray_actors` measures how much faster two actors read an archive than one.

Each actor is a crew with one confined child, on a node of its own of one processor. What the machine itself gives is
measured beside it: two processes of `qrestore archive --ray off`, each with half of the archive, against one. Rates are
taken between three tenths and nine tenths of the rows, when all have started and none has ended. Ray hands rows over in
blocks of 64, so that few pictures give coarse rates. Prints a row of a table. Exit status 1 if a row is missing; 2 if
Ray is not installed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.support.live.ray_cluster import MISSING, cluster, environment_with
from tools.load import archive
from tools.load.processes import cores, seconds_below
from tools.load.traffic import photograph

HEAD: Final = (
    "| pictures | processors | load before | one actor | two actors | ratio | one process | two processes | ratio "
    "| ms of a core: one actor | two | one process | two |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)
_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "QRESTORE_TORCH_THREADS": "1", "QRESTORE_DEVICE": "cpu"}
_VARIETY: Final = 16
_PART_ROWS: Final = "8"
_FROM, _TO = 0.3, 0.9
_POLL_SECONDS: Final = 0.02
_LONGEST_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Rows a second, and milliseconds of a core for each, Ray's own processes included."""

    rate: float
    work: float


class Watch:
    """When how many rows of some outputs were complete, and what the processes below ``roots`` had used by then."""

    def __init__(self, outputs: Sequence[Path], count: int, roots: Sequence[int]) -> None:
        self._outputs, self._count, self._roots = outputs, count, roots
        self._seen: list[tuple[int, float, float]] = []
        self._work: dict[int, float] = {}

    def follow(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        """Looks until all have ended. Raises TimeoutError, and RuntimeError if a row is missing."""
        until = time.monotonic() + _LONGEST_SECONDS
        while any(process.poll() is None for process in processes):
            if time.monotonic() > until:
                raise TimeoutError
            rows = sum(map(archive.complete, self._outputs))
            if not self._seen or rows > self._seen[-1][0]:
                self._seen.append((rows, time.monotonic(), self._look()))
            time.sleep(_POLL_SECONDS)
        if (rows := sum(map(archive.complete, self._outputs))) != self._count:
            raise RuntimeError(f"{rows} rows of {self._count}")

    def _look(self) -> float:
        """Processor seconds of all processes so far, as they were last seen."""
        for root in self._roots:
            self._work |= seconds_below(root)
        return sum(self._work.values())

    def pace(self) -> Pace:
        """That of the middle, without the beginning and the end."""
        first = next(each for each in self._seen if each[0] >= _FROM * self._count)
        last = next(each for each in self._seen if each[0] >= _TO * self._count)
        rows, seconds, work = (after - before for before, after in zip(first, last, strict=True))
        return Pace(rows / seconds, 1000 * work / rows)


def on_actors(names: Sequence[Path], folder: Path, nodes: int) -> Pace:
    """The pace of an actor on each of so many nodes."""
    with cluster(nodes, variables=_ENVIRONMENT) as made:
        roots = [node.process.pid for node in made.nodes]
        place = folder / f"actors-{nodes}"
        return _pace([names], place, "--ray", "auto", environment=made.environment, roots=roots)


def in_processes(names: Sequence[Path], folder: Path, processes: int) -> Pace:
    """The pace of so many processes, each with its share."""
    shares = [names[number::processes] for number in range(processes)]
    return _pace(shares, folder / f"processes-{processes}", "--ray", "off", environment=environment_with(_ENVIRONMENT))


def _pace(
    shares: Sequence[Sequence[Path]],
    place: Path,
    *arguments: str,
    environment: dict[str, str],
    roots: Sequence[int] = (),
) -> Pace:
    outputs, started = [], []
    for number, share in enumerate(shares):
        listed = place.with_name(f"{place.name}-{number}.txt")
        listed.write_text("".join(f"{name}\n" for name in share))
        outputs.append(place.with_name(f"{place.name}-{number}"))
        fixed = ("--jobs", "1", "--part-rows", _PART_ROWS)
        started.append(archive.read(listed, outputs[-1], *fixed, *arguments, environment=environment))
    watch = Watch(outputs, sum(map(len, shares)), [*roots, *(process.pid for process in started)])
    watch.follow(started)
    return watch.pace()


def draw(folder: Path, count: int) -> list[Path]:
    """Writes so many files of the photographs of `tools.load.load`, which are searched for further codes."""
    rng = Random(1)
    kinds = [photograph(b"parcel %04d" % number, rng) for number in range(_VARIETY)]
    names = [folder / f"{number:06d}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        name.write_bytes(kinds[number % _VARIETY])
    return names


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1280, help="pictures (default 1280)")
    options = parser.parse_args(argv)
    if MISSING:
        parser.error("ray is not installed: it is in the extra ray")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        names = draw(folder / "pictures", options.count)
        actors = [on_actors(names, folder, nodes) for nodes in (1, 2)]
        processes = [in_processes(names, folder, count) for count in (1, 2)]
    sys.stdout.write(f"{HEAD}\n| {options.count} | {cores()} | {load:.1f} |")
    for one, two in (actors, processes):
        sys.stdout.write(f" {one.rate:.2f}/s | {two.rate:.2f}/s | {two.rate / one.rate:.2f} |")
    sys.stdout.write(f" {' | '.join(f'{each.work:.0f}' for each in (*actors, *processes))} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
