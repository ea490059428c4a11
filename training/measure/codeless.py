"""Counts false reads on pictures without a QR code: python -m training.measure.codeless.

By default the pictures are the locator's training scenes without codes, from seeds that no training run uses: dead
leaves and noise with text, bar codes, other matrix codes, lone finder patterns, chessboards and rows of windows, in
poor photographs. ``--kinds`` chooses mild photographs of `training.data.lookalikes` instead: pages of text, bar codes,
boards, halftones, keyboards, wallpaper of finder patterns. Every read is false. Prints, per kind, their number with
its upper 95 % bound, and the time per picture by the wall clock and of the processor.

``--micro`` asks only the rung for Micro QR codes, and that in every picture, knowing nothing of larger codes: quickly,
as where nothing was read, or patiently, as where a request asks for them. ``--folder`` then takes the pictures of a
folder, which must show no Micro QR code.
"""

import argparse
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median
from time import perf_counter, process_time

import cv2
import numpy as np

from app.pipeline.climb import Climb
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.micro import read_small
from app.pipeline.results import Effort, Found
from app.pipeline.tools import Tools
from training.data.degrade import to_uint8
from training.data.lookalikes import LOOKALIKES, lookalike
from training.data.scenes import scene
from training.measure.rates import Rate
from training.measure.served_tools import add_options, load_tools

SCENE = "scene"
KINDS = (SCENE, *LOOKALIKES)
_SEED = 9_000_000  # far from the seed of every recipe
_SIDES = (320, 480, 720)
_COSTLY = 0.02  # seconds


def codeless_picture(kind: str, index: int) -> GreyImage:
    """Picture number ``index`` of a kind: "scene" or one of `training.data.lookalikes`. Raises KeyError for another."""
    if kind == SCENE:
        image, _ = scene(np.random.default_rng((_SEED, index)), _SIDES[index % len(_SIDES)], empty=True)
    else:
        image = lookalike(np.random.default_rng((_SEED, zlib.crc32(kind.encode()), index)), kind)
    return to_uint8(image)


def read_codeless(
    tools: Tools, kind: str = SCENE, *, start: int, count: int, effort: Effort = Effort.BALANCED
) -> Iterator[tuple[float, float, tuple[Found, ...]]]:
    """Reads ``count`` pictures without a code, beginning with number ``start``.

    Yields seconds by the wall clock, seconds of the processor, and false reads.
    """
    ladder = Ladder(tools=tools, max_codes=16)
    for index in range(start, start + count):
        grey = codeless_picture(kind, index)
        began, processor = perf_counter(), process_time()
        outcome = ladder.run(grey, effort=effort)
        yield perf_counter() - began, process_time() - processor, outcome.codes


def read_micro_alone(
    tools: Tools, images: Iterable[GreyImage], *, is_patient: bool
) -> Iterator[tuple[float, list[bytes]]]:
    """Asks the rung for Micro QR codes alone; yields seconds of the processor and what was read, of each picture."""
    for image in images:
        climb = Climb(image, Effort.BALANCED, tools)
        processor = process_time()
        read = [one.symbol.payload for one in read_small(climb, is_patient=is_patient)]
        yield process_time() - processor, read


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.measure.codeless", description="Count false reads.")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[SCENE], help="default: scene")
    parser.add_argument("--count", type=int, default=2000, help="number of pictures of each kind (default: 2000)")
    parser.add_argument("--start", type=int, default=0, help="number of the first picture, to divide the work")
    parser.add_argument("--effort", choices=[effort.value for effort in Effort], default=Effort.BALANCED.value)
    parser.add_argument("--micro", choices=["quickly", "patiently"], help="ask the rung for Micro QR codes alone")
    parser.add_argument("--folder", type=Path, help="with --micro: read the pictures of this folder")
    add_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.folder and not arguments.micro:
        parser.error("--folder needs --micro")
    tools = load_tools(arguments)
    if arguments.micro:
        _measure_micro(tools, arguments)
        return
    for kind in arguments.kinds:
        _measure_kind(tools, kind, arguments)


def _measure_kind(tools: Tools, kind: str, arguments: argparse.Namespace) -> None:
    """Reads pictures of a kind and prints false reads and times."""
    seconds, spent, misread = [], [], 0
    results = read_codeless(tools, kind, start=arguments.start, count=arguments.count, effort=Effort(arguments.effort))
    for index, (took, processor, codes) in zip(itertools.count(arguments.start), results, strict=False):
        seconds.append(took)
        spent.append(processor)
        misread += bool(codes)
        for found in codes:
            print(f"{kind} {index}: {found.rung} read {found.symbol.payload!r}", flush=True)
    bound = 100 * Rate(misread, arguments.count).interval[1]
    print(
        f"{kind}: {arguments.count} pictures without a code, {misread} with a false read, at most {bound:.2f} % (95 %)"
    )
    times = f"median {1000 * median(seconds):.0f} ms per picture, longest {1000 * max(seconds):.0f} ms"
    print(f"  {times}, median {1000 * median(spent):.0f} ms of the processor", flush=True)


def _measure_micro(tools: Tools, arguments: argparse.Namespace) -> None:
    """Prints false Micro QR codes and what the rung costs a picture, of each kind or of a folder."""
    numbers = range(arguments.start, arguments.start + arguments.count)
    kinds: dict[str, Iterable[GreyImage]] = {
        kind: map(partial(codeless_picture, kind), numbers) for kind in arguments.kinds
    }
    if arguments.folder:
        kinds = {str(arguments.folder): _pictures_of(arguments.folder)}
    for kind, images in kinds.items():
        spent, misread = [], 0
        for index, (seconds, read) in enumerate(
            read_micro_alone(tools, images, is_patient=arguments.micro == "patiently"), arguments.start
        ):
            spent.append(seconds)
            misread += bool(read)
            for payload in read:
                print(f"{kind} {index}: micro read {payload!r}", flush=True)
        bound = 100 * Rate(misread, len(spent)).interval[1]
        print(f"{kind}: {len(spent)} pictures, {misread} with a false read, at most {bound:.2f} % (95 %)")
        costly = Rate(sum(seconds > _COSTLY for seconds in spent), len(spent))
        print(f"  mean {1000 * mean(spent):.1f} ms of the processor; more than {1000 * _COSTLY:.0f} ms: {costly} %")


def _pictures_of(folder: Path) -> Iterator[GreyImage]:
    """The pictures of a folder that OpenCV decodes, in the order of their names."""
    for path in sorted(folder.iterdir()):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is not None:
            yield np.asarray(image, dtype=np.uint8)


if __name__ == "__main__":
    main()
