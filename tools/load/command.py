"""Measures how fast `qrestore decode` reads a folder: `python -m tools.load.command [--count 400] [--jobs 1 2]`.

Prints a table: files a second of one process that reads them one after another without children, and of the command
with each number of jobs, from its first line to its last; its start is told beside. The share is the rate over that of
one process, by the number of jobs or of processors, whichever is less. Exit status 1 if a share is below 0.9, or if
what the command read is not what is in the files. Run it on a machine that does nothing else; on another one only the
processor time of a file means something, of the command and its children together.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import cv2
import numpy as np

from app import machine
from app.pipeline.results import Effort
from app.settings import Settings
from app.startup import load_pipeline
from app.workers.jobs import DecodeJob
from tests.support.codes import encode, photograph, square_at
from tests.support.paths import ROOT
from tools.load.processes import usage
from training.release.sample import PAYLOAD

LEAST_SHARE: Final = 0.9
_BLURRED: Final = 8  # one file of so many is docs/label.jpg, which needs the networks
_DIFFERENT: Final = 2 * _BLURRED
_WARM: Final = 2 * _BLURRED
_BUDGET_SECONDS: Final = 60.0  # for each file, so that a busy machine reads it, too


@dataclass(frozen=True, slots=True)
class Row:
    """A measured way to read all files: files a second, processor seconds a file, and seconds until the first was
    read."""

    name: str
    rate: float
    cost: float
    start: float


def write_pictures(folder: Path, count: int) -> dict[str, str]:
    """Writes photographs of 1200 x 900 pixels with a code each, so many different ones in turns; returns the payload of
    every file.

    The dear one is the first of its turn: were it the last that warms up, the other jobs would read ahead of the
    measurement while one of them loads the networks.
    """
    rng = np.random.default_rng(1)
    label = (ROOT / "docs" / "label.jpg").read_bytes()
    different: list[tuple[str, bytes]] = []
    for number in range(min(count, _DIFFERENT)):
        payload = f"https://example.org/lot/{number:05}"
        if number % _BLURRED == 0:
            data, payload = label, PAYLOAD
        else:
            corners = square_at(*rng.uniform((100, 100), (700, 400)), rng.uniform(180, 320))
            picture = photograph(encode(payload), corners + rng.normal(0, 4, (4, 2)), (900, 1200))
            noisy = np.clip(picture + rng.normal(0, 5, picture.shape), 0, 255).astype(np.uint8)
            data = bytes(cv2.imencode(".jpg", noisy, (cv2.IMWRITE_JPEG_QUALITY, 85))[1])
        different.append((payload, data))
    payloads = {}
    for number in range(count):
        file = folder / f"{number:05}.jpg"
        payloads[str(file)], data = different[number % len(different)]
        file.write_bytes(data)
    return payloads


def one_process(settings: Settings, payloads: dict[str, str]) -> Row:
    """Reads the files in this process, after some that warm it up. Raises ValueError for a code that is wrong."""
    began = time.monotonic()
    pipeline = load_pipeline(settings)

    def read(file: str) -> None:
        outcome = pipeline.do(DecodeJob(Path(file).read_bytes(), Effort.BALANCED, budget=_BUDGET_SECONDS))
        _check(file, [one.symbol.text for one in outcome.codes], payloads)

    for file in list(payloads)[:_WARM]:
        read(file)
    start = time.monotonic() - began
    began, spent = time.monotonic(), time.process_time()
    for file in payloads:
        read(file)
    cost = (time.process_time() - spent) / len(payloads)
    return Row("one process", len(payloads) / (time.monotonic() - began), cost, start)


def command(folder: Path, payloads: dict[str, str], jobs: int) -> Row:
    """Has the command read the files. Raises ValueError for a file that is missing or a code that is wrong."""
    began = time.monotonic()
    options = ["--jobs", str(jobs), "--budget", str(_BUDGET_SECONDS)]
    arguments = [sys.executable, "-m", "app.cli", "decode", str(folder), *options]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        times, left, spent = [], set(payloads), {}
        warm = min(_WARM, len(payloads) // 2)
        for line in process.stdout:
            times.append(time.monotonic())
            if len(times) >= warm and (len(times) - warm) % _BLURRED == 0:
                used = usage(process.pid)
                spent[len(times)] = used.server_seconds + used.children_seconds
            answer = json.loads(line)
            _check(answer["file"], [code["text"] for code in answer["codes"]], payloads)
            left.remove(answer["file"])
    if left or process.returncode:
        raise ValueError(f"{len(left)} files are missing; exit status {process.returncode}")
    rate = (len(times) - 1 - warm) / (times[-1] - times[warm])
    last = max(spent, key=lambda lines: spent[lines])  # the sum falls when children end: the largest one has them all
    cost = (spent[last] - spent[warm]) / max(1, last - warm)
    return Row(f"{jobs} {'job' if jobs == 1 else 'jobs'}", rate, cost, times[0] - began)


def _check(file: str, texts: list[str], payloads: dict[str, str]) -> None:
    if texts != [payloads[file]]:
        raise ValueError(f"{file}: {texts}, not {payloads[file]}")


def share(row: Row, alone: Row, jobs: int, processors: int) -> float:
    """How much of what so many jobs could read at most, on so many processors, a row read."""
    return row.rate / (alone.rate * min(jobs, processors))


def _middle(way: Sequence[Row]) -> Row:
    """The medians of what was measured of one way in several rounds."""
    rate, cost, start = (
        median(values) for values in zip(*((each.rate, each.cost, each.start) for each in way), strict=True)
    )
    return Row(way[0].name, rate, cost, start)


def measure(count: int, jobs: Sequence[int], rounds: int) -> Iterator[str]:
    """The lines of the table, medians over the rounds, in which the ways take turns; the last is the verdict."""
    settings, processors = Settings(torch_threads=1), machine.look().usable_processors
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        payloads = write_pictures(folder, count)
        turns = [
            [one_process(settings, payloads), *(command(folder, payloads, each) for each in jobs)]
            for _ in range(rounds)
        ]
    rows = [_middle(way) for way in zip(*turns, strict=True)]
    yield f"| {count} files, {processors} processors | files a second | share | processors a file | first file after |"
    yield "|---|---|---|---|---|"
    yield f"| {rows[0].name} | {rows[0].rate:.1f} | | {1000 * rows[0].cost:.1f} ms | {rows[0].start:.1f} s |"
    shares = [share(row, rows[0], each, processors) for row, each in zip(rows[1:], jobs, strict=True)]
    for row, each in zip(rows[1:], shares, strict=True):
        yield f"| {row.name} | {row.rate:.1f} | {each:.2f} | {1000 * row.cost:.1f} ms | {row.start:.1f} s |"
    yield "fast enough" if min(shares) >= LEAST_SHARE else "TOO SLOW"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.load.command", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=400, help="files (default 400)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="numbers of jobs (default 1 2)")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (default 3)")
    options, line = parser.parse_args(argv), ""
    for line in measure(options.count, options.jobs, options.rounds):
        print(line, flush=True)
    return 0 if line == "fast enough" else 1


if __name__ == "__main__":
    sys.exit(main())
