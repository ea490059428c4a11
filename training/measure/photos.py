"""Measures a labelled folder of photographs along the served path: python -m training.measure.photos DIR.

DIR holds ``manifest.json``, a list of ``{"file", "set", "codes", "payloads_hex"}``: ``codes`` counts the codes in the
picture, ``payloads_hex`` lists the known payloads, possibly not all. A picture counts as read if any code is read, and
as wrong if all payloads are known and another is read. ``quads``, where a row has it, lists the corners of every code
of the picture, in pixels as stored; these codes are counted by place as `training.measure.places` says.

Unlike in the service, the ladder has no budget. Prints, per category (``set``), rates with 95 % intervals and seconds
per picture; then reads by rung, and the time of pictures that read directly, compared with zxing-cpp alone. The last
line is the field's own figure: the share of labelled codes that are hit, averaged over the categories, beside the
number of extra answers.
"""

import argparse
import collections
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from app.pipeline.engines.symbol import Symbol
from app.pipeline.files.decoding import decode_image
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, Outcome
from app.pipeline.tools import Tools
from training.measure.places import PlaceCount, count_places
from training.measure.ratchet import Row, hold
from training.measure.ratchet import add_options as add_ratchet_options
from training.measure.rates import Rate
from training.measure.served_tools import MAX_CODES, add_options, load_tools

_MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Photo:
    """A photograph and its label: the number of codes, the known payloads without outer white space, and the outlines
    of all codes, none if they are not known."""

    path: Path
    group: str
    codes: int
    payloads: frozenset[bytes]
    quads: tuple[Quad, ...] = ()

    def load(self) -> GreyImage:
        """Decodes the file. Raises as `load_picture`."""
        return load_picture(self.path)

    def count(self, answers: Sequence[Quad]) -> PlaceCount:
        """Labelled codes, hits and extra answers; zeros if the outlines are not known."""
        return count_places(self.quads, answers) if self.quads else PlaceCount()

    def is_contradicted(self, symbols: Iterable[Symbol]) -> bool:
        """Whether all payloads are known and a symbol differs from each of them by more than outer white space."""
        if not self.payloads or len(self.payloads) < self.codes:
            return False
        return any(texts_of(symbol).isdisjoint(self.payloads) for symbol in symbols)


@dataclass(frozen=True)
class Result:
    """One photograph read by zxing-cpp alone and by the ladder; seconds exclude the decoding of the file."""

    photo: Photo
    by_zxing: bool
    zxing_seconds: float
    outcome: Outcome
    seconds: float

    @property
    def wrong(self) -> bool:
        """Whether the ladder contradicts the label."""
        return self.photo.is_contradicted(found.symbol for found in self.outcome.codes)

    @property
    def places(self) -> PlaceCount:
        """As `Photo.count` counts the ladder's answers."""
        return self.photo.count([found.symbol.corners for found in self.outcome.codes])

    @property
    def rung(self) -> str:
        """The rung of the first code, or "none"."""
        return self.outcome.codes[0].rung if self.outcome.codes else "none"


def load_picture(path: Path) -> GreyImage:
    """Decodes a photograph's file. Raises OSError, and InvalidImage if it is no picture or exceeds 100 megapixels."""
    return decode_image(path.read_bytes(), max_pixels=_MAX_PIXELS)


def texts_of(symbol: Symbol) -> set[bytes]:
    """What a label may say of a symbol: its bytes or its text, without outer white space."""
    return {symbol.payload.strip(), symbol.text.encode().strip()}


def load_photos(directory: Path) -> list[Photo]:
    """The photographs in a folder's manifest. Raises OSError, and ValueError or KeyError for a malformed manifest."""
    rows = json.loads((directory / "manifest.json").read_text())
    return [
        Photo(
            path=directory / row["file"],
            group=row["set"],
            codes=row["codes"],
            payloads=frozenset(bytes.fromhex(payload).strip() for payload in row["payloads_hex"]),
            quads=tuple(map(Quad.of, row.get("quads", ()))),
        )
        for row in rows
    ]


def select_photos(directory: Path, count: int) -> list[Photo]:
    """At most ``count`` photographs with known payloads, evenly spread over the folder's manifest."""
    known = [photo for photo in load_photos(directory) if photo.payloads]
    indices = np.unique(np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int))
    return [known[index] for index in indices.tolist()]


def measure_photo(photo: Photo, tools: Tools, effort: Effort) -> Result:
    """Reads one photograph by zxing-cpp alone and by the ladder."""
    image = photo.load()
    tools.zxing.read(image)  # so that neither of the two pays for first touching the pixels
    began = perf_counter()
    by_zxing = bool(tools.zxing.read(image))
    middle = perf_counter()
    outcome = Ladder(tools=tools, max_codes=MAX_CODES).run(image, effort=effort)
    return Result(photo, by_zxing, middle - began, outcome, perf_counter() - middle)


def group_results(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results of each category, by name."""
    groups: dict[str, list[Result]] = collections.defaultdict(list)
    for result in results:
        groups[result.photo.group].append(result)
    return dict(sorted(groups.items()))


def count_group(members: Iterable[Result]) -> PlaceCount:
    """Labelled codes, hits and extra answers of several photographs."""
    return sum((result.places for result in members), PlaceCount())


def ratchet_rows(results: Iterable[Result], effort: Effort) -> Iterator[Row]:
    """A row of a ratchet for each category."""
    for name, members in group_results(results).items():
        places = count_group(members)
        reads = sum(bool(result.outcome.codes) for result in members)
        yield Row(name, effort.value, len(members), places.codes, reads, places.hits, places.extras)


def report_photos(results: list[Result]) -> Iterator[str]:
    """Lines of the table of photographs, by category, and the field's figure."""
    groups = group_results(results)
    yield (
        f"{'set':22s} {'n':>4s} {'zxing-cpp %':>16s} {'qrestore %':>16s} wrong "
        f"{'codes':>5s} {'hit':>5s} {'hit %':>14s} extra {'p50 s':>7s} {'p95 s':>7s}"
    )
    for name, members in [*groups.items(), ("all", results)]:
        yield _line(name, members)
    counted = collections.Counter(result.rung for result in results)
    yield "pictures by rung: " + ", ".join(f"{rung} {count}" for rung, count in counted.most_common())
    for result in results:
        if result.wrong:
            yield f"contradicts its label: {result.photo.path.name}"
    yield from _compare_direct(results)
    yield _field_figure(results, groups)


def _line(name: str, members: Sequence[Result]) -> str:
    zxing, read = (
        Rate(hits, len(members))
        for hits in (sum(one.by_zxing for one in members), sum(bool(one.outcome.codes) for one in members))
    )
    wrong, places = sum(result.wrong for result in members), count_group(members)
    share = str(Rate(places.hits, places.codes)) if places.codes else "-"
    middle, late = np.percentile([result.seconds for result in members], (50, 95))
    return (
        f"{name:22s} {len(members):4d} {zxing!s:>16s} {read!s:>16s} {wrong:5d} "
        f"{places.codes:5d} {places.hits:5d} {share:>14s} {places.extras:5d} {middle:7.3f} {late:7.3f}"
    )


def _compare_direct(results: Sequence[Result]) -> Iterator[str]:
    """How long pictures that read directly take, beside zxing-cpp alone."""
    direct = [result for result in results if result.rung == "direct"]
    if direct:
        own = 1000 * statistics.median(result.zxing_seconds for result in direct)
        ours = 1000 * statistics.median(result.seconds for result in direct)
        ratio = statistics.median(result.seconds / result.zxing_seconds for result in direct)
        yield f"read directly: median {ours:.2f} ms, zxing-cpp alone {own:.2f} ms, median ratio {ratio:.2f}"


def _field_figure(results: Sequence[Result], groups: Mapping[str, Sequence[Result]]) -> str:
    """The mean of the categories beside the pictures with any code read."""
    read = Rate(sum(bool(result.outcome.codes) for result in results), len(results))
    any_read = f"any code read in {read.hits} of {read.n} pictures, {str(read).strip()} %"
    counts = [places for members in groups.values() if (places := count_group(members)).codes]
    if not counts:
        return any_read
    mean, total = statistics.fmean(places.hits / places.codes for places in counts), sum(counts, PlaceCount())
    return (
        f"labelled codes hit, mean of {len(counts)} categories: {100 * mean:.1f} %; "
        f"{total.hits} of {total.codes}, {total.extras} extra; {any_read}"
    )


def add_photo_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options ``directory`` and ``--effort``."""
    parser.add_argument("directory", type=Path, help="folder with manifest.json")
    parser.add_argument("--effort", choices=[effort.value for effort in Effort], default=Effort.BALANCED.value)


def photos_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Photo]:
    """The photographs of the folder that ``directory`` names; ends the program with an error if there are none."""
    photos = load_photos(options.directory)
    if not photos:
        parser.error(f"{options.directory} lists no photographs")
    return photos


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.photos", description="Measure a folder of photographs."
    )
    add_photo_options(parser)
    parser.add_argument("--ratchet", type=Path, metavar="FILE", help="fail if less is read than in this table")
    add_ratchet_options(parser)
    add_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.raised and not arguments.ratchet:
        parser.error("--raise needs --ratchet")
    photos = photos_of(arguments, parser)
    tools = load_tools(arguments)
    effort = Effort(arguments.effort)
    results = [measure_photo(photo, tools, effort) for photo in photos]
    for line in report_photos(results):
        print(line)
    if arguments.ratchet:
        for line in hold(arguments.ratchet, list(ratchet_rows(results, effort)), raised=arguments.raised):
            print(line)


if __name__ == "__main__":
    main()
