"""Reads a labelled folder of photographs with every installed decoder beside the ladder, in turns on each photograph:
python -m training.measure.photos_beside DIR.

DIR is as `training.measure.photos` describes it. Every decoder sees the untouched grey picture. Prints a row for each
of them and for the ladder: photographs with any code read, photographs that contradict their label, labelled codes hit
by place and answers that hit none, rates with 95 % intervals, and seconds per photograph without those of decoding the
file. ``--wechat`` gives WeChat's decoder, which only OpenCV's contributed modules have, its two networks.
"""

import argparse
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort
from training.measure import decoders, served_tools
from training.measure.decoders import IsolatedEngine
from training.measure.photos import Photo, load_photos
from training.measure.places import PlaceCount, count_places
from training.measure.rates import Rate

_QRESTORE = "qrestore"
_MAX_CODES = 256

Read = Callable[[GreyImage], tuple[list[Symbol], float]]
"""Reads a picture; returns the symbols and the seconds that it took."""


@dataclass(frozen=True)
class Answer:
    """What a decoder made of one photograph: ``read``, anything; ``wrong``, what contradicts the label."""

    read: bool
    wrong: bool
    places: PlaceCount
    seconds: float


def timed(engine: Engine) -> Read:
    """Reads with an engine. The time of a guarded one is that of its own process, without the way there."""

    def read(image: GreyImage) -> tuple[list[Symbol], float]:
        began = perf_counter()
        symbols = engine.read(image)
        return symbols, engine.seconds if isinstance(engine, IsolatedEngine) else perf_counter() - began

    return read


def climbing(ladder: Ladder, effort: Effort) -> Read:
    """Reads with the ladder, without a budget."""

    def read(image: GreyImage) -> tuple[list[Symbol], float]:
        began = perf_counter()
        outcome = ladder.run(image, effort=effort)
        return [found.symbol for found in outcome.codes], perf_counter() - began

    return read


def answer(read: Read, photo: Photo, image: GreyImage) -> Answer:
    """Reads a photograph and judges the answer by its label."""
    symbols, seconds = read(image)
    places = count_places(photo.quads, [one.corners for one in symbols]) if photo.quads else PlaceCount()
    return Answer(bool(symbols), photo.is_contradicted(symbols), places, seconds)


def measure(reads: Mapping[str, Read], photos: Iterable[Photo]) -> dict[str, list[Answer]]:
    """The answers of every decoder, photograph by photograph."""
    answers: dict[str, list[Answer]] = {name: [] for name in reads}
    for photo in photos:
        image = photo.load()
        for name, read in reads.items():
            answers[name].append(answer(read, photo, image))
    return answers


def report(answers: Mapping[str, Sequence[Answer]]) -> Iterator[str]:
    """Lines of the table, a decoder each."""
    rates = f"{'read %':>16s} wrong {'codes':>5s} {'hit %':>16s} extra"
    yield f"{'decoder':9s} {'n':>4s} {rates} {'mean s':>7s} {'p50 s':>7s}"
    for name, given in answers.items():
        places = sum((one.places for one in given), PlaceCount())
        read, hit = Rate(sum(one.read for one in given), len(given)), Rate(places.hits, places.codes)
        seconds = [one.seconds for one in given]
        yield (
            f"{name:9s} {read.n:4d} {read!s:>16s} {sum(one.wrong for one in given):5d} {hit.n:5d} "
            f"{str(hit) if hit.n else '-':>16s} {places.extras:5d} {statistics.fmean(seconds):7.3f} "
            f"{statistics.median(seconds):7.3f}"
        )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.photos_beside", description="Read photographs with every decoder."
    )
    parser.add_argument("directory", type=Path, help="folder with manifest.json")
    parser.add_argument("--effort", choices=[effort.value for effort in Effort], default=Effort.BALANCED.value)
    decoders.add_wechat_option(parser)
    served_tools.add_options(parser)
    options = parser.parse_args(argv)
    photos = load_photos(options.directory)
    if not photos:
        parser.error(f"{options.directory} lists no photographs")
    ladder = Ladder(tools=served_tools.load_tools(options), max_codes=_MAX_CODES)
    reads = {engine.name: timed(engine) for engine in decoders.stock_decoders(options.wechat)}
    reads[_QRESTORE] = climbing(ladder, Effort(options.effort))
    for line in report(measure(reads, photos)):
        print(line)


if __name__ == "__main__":
    main()
