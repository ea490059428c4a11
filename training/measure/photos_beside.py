"""Reads a labelled folder of photographs with every installed decoder beside the ladder, one after the other on each
photograph: python -m training.measure.photos_beside DIR.

DIR is as `training.measure.photos` describes it. Every decoder sees the untouched grey picture. Prints a row for each
of them and for the ladder: photographs with any answer; photographs all of whose payloads are known and one answer is
none of them (``wrong``); labelled outlines that hold the centre of an answer, whatever its payload, and answers that
lie in none; rates with 95 % intervals; and seconds per photograph, without decoding the file. The last line counts the
photographs with an answer of any decoder but the ladder. ``--wechat`` gives WeChat's decoder, which only OpenCV's
contributed modules have, its two networks; ``--expect`` ends the ladder's search at so many codes.
"""

import argparse
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort
from training.measure import decoders, served_tools
from training.measure.decoders import IsolatedEngine
from training.measure.photos import Photo, add_photo_options, photos_of
from training.measure.places import PlaceCount
from training.measure.rates import Rate

QRESTORE = "qrestore"
"""The name of the ladder among the decoders."""

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
    """Reads with an engine. The time of a guarded one is that of its own process, without the transfer to it."""

    def read(image: GreyImage) -> tuple[list[Symbol], float]:
        began = perf_counter()
        symbols = engine.read(image)
        return symbols, engine.seconds if isinstance(engine, IsolatedEngine) else perf_counter() - began

    return read


def climbing(ladder: Ladder, effort: Effort, expect: int | None) -> Read:
    """Reads with the ladder, without a budget, up to ``expect`` codes."""

    def read(image: GreyImage) -> tuple[list[Symbol], float]:
        began = perf_counter()
        outcome = ladder.run(image, effort=effort, expect=expect)
        return [found.symbol for found in outcome.codes], perf_counter() - began

    return read


def answer(read: Read, photo: Photo, image: GreyImage) -> Answer:
    """Reads a photograph and judges the answer by its label."""
    symbols, seconds = read(image)
    places = photo.count([one.corners for one in symbols])
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
    """Lines of the table, a decoder each, and of all but the ladder together."""
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
    stock = [given for name, given in answers.items() if name != QRESTORE]
    together = [any(one.read for one in of_photo) for of_photo in zip(*stock, strict=True)]
    yield f"read by any of the others: {Rate(sum(together), len(together))}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.photos_beside", description="Read photographs with every decoder."
    )
    add_photo_options(parser)
    parser.add_argument("--expect", type=int, metavar="N", help="the ladder ends its search at N codes")
    decoders.add_wechat_option(parser)
    served_tools.add_options(parser)
    options = parser.parse_args(argv)
    photos = photos_of(options, parser)
    ladder = Ladder(tools=served_tools.load_tools(options), max_codes=served_tools.MAX_CODES)
    reads = {engine.name: timed(engine) for engine in decoders.stock_decoders(options.wechat)}
    reads[QRESTORE] = climbing(ladder, Effort(options.effort), options.expect)
    for line in report(measure(reads, photos)):
        print(line)


if __name__ == "__main__":
    main()
