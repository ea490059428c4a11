"""Measures a labelled folder of photographs along the served path: python -m training.measure.photos DIR.

DIR holds ``manifest.json``, a list of ``{"file", "set", "codes", "payloads_hex"}``: ``codes`` counts the codes in the
picture, ``payloads_hex`` lists the known payloads, possibly not all. A picture counts as read if any code is read, and
as wrong if all payloads are known and another is read. Prints rates with 95 % intervals, reads by rung, and the time of
pictures that read directly, compared with zxing-cpp alone.
"""

import argparse
import collections
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from app.pipeline.engines.symbol import Symbol
from app.pipeline.files.decoding import decode_image
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort, Outcome
from app.pipeline.tools import Tools
from training.measure.rates import Rate
from training.measure.served_tools import add_options, load_tools

_MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Photo:
    """A photograph and its label: the number of codes and the known payloads without outer white space."""

    path: Path
    group: str
    codes: int
    payloads: frozenset[bytes]

    def load(self) -> GreyImage:
        """Decodes the file. Raises OSError, and InvalidImage if it is no picture or exceeds 100 megapixels."""
        return decode_image(self.path.read_bytes(), max_pixels=_MAX_PIXELS)

    def is_contradicted(self, symbols: Iterable[Symbol]) -> bool:
        """Whether all payloads are known and a symbol differs from each of them by more than outer white space."""
        if not self.payloads or len(self.payloads) < self.codes:
            return False
        return any(
            {symbol.payload.strip(), symbol.text.encode().strip()}.isdisjoint(self.payloads) for symbol in symbols
        )


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
    def rung(self) -> str:
        """The rung of the first code, or "none"."""
        return self.outcome.codes[0].rung if self.outcome.codes else "none"


def load_photos(directory: Path) -> list[Photo]:
    """The photographs in a folder's manifest. Raises OSError, and ValueError or KeyError for a malformed manifest."""
    rows = json.loads((directory / "manifest.json").read_text())
    return [
        Photo(
            path=directory / row["file"],
            group=row["set"],
            codes=row["codes"],
            payloads=frozenset(bytes.fromhex(payload).strip() for payload in row["payloads_hex"]),
        )
        for row in rows
    ]


def measure_photo(photo: Photo, tools: Tools, effort: Effort) -> Result:
    """Reads one photograph by zxing-cpp alone and by the ladder."""
    image = photo.load()
    tools.zxing.read(image)  # so that neither of the two pays for first touching the pixels
    began = perf_counter()
    by_zxing = bool(tools.zxing.read(image))
    middle = perf_counter()
    outcome = Ladder(tools=tools, max_codes=256).run(image, effort=effort)
    return Result(photo, by_zxing, middle - began, outcome, perf_counter() - middle)


def report_photos(results: list[Result]) -> Iterable[str]:
    """Lines of the table of photographs, by the manifest's sets."""
    groups: dict[str, list[Result]] = collections.defaultdict(list)
    for result in results:
        groups[result.photo.group].append(result)
    yield f"{'set':22s} {'n':>4s} {'zxing-cpp %':>16s} {'qrestore %':>16s} wrong"
    for name, members in [*sorted(groups.items()), ("all", results)]:
        zxing = Rate(sum(result.by_zxing for result in members), len(members))
        read = Rate(sum(bool(result.outcome.codes) for result in members), len(members))
        wrong = sum(result.wrong for result in members)
        yield f"{name:22s} {len(members):4d} {zxing!s:>16s} {read!s:>16s} {wrong:5d}"
    counted = collections.Counter(result.rung for result in results)
    yield "pictures by rung: " + ", ".join(f"{rung} {count}" for rung, count in counted.most_common())
    for result in results:
        if result.wrong:
            yield f"contradicts its label: {result.photo.path.name}"
    direct = [result for result in results if result.rung == "direct"]
    if direct:
        own = 1000 * statistics.median(result.zxing_seconds for result in direct)
        ours = 1000 * statistics.median(result.seconds for result in direct)
        ratio = statistics.median(result.seconds / result.zxing_seconds for result in direct)
        yield f"read directly: median {ours:.2f} ms, zxing-cpp alone {own:.2f} ms, median ratio {ratio:.2f}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.photos", description="Measure a folder of photographs."
    )
    parser.add_argument("directory", type=Path, help="folder with manifest.json")
    parser.add_argument("--effort", choices=[effort.value for effort in Effort], default=Effort.BALANCED.value)
    add_options(parser)
    arguments = parser.parse_args(argv)
    tools = load_tools(arguments)
    effort = Effort(arguments.effort)
    for line in report_photos([measure_photo(photo, tools, effort) for photo in load_photos(arguments.directory)]):
        print(line)


if __name__ == "__main__":
    main()


def select_photos(directory: Path, count: int) -> list[Photo]:
    """At most ``count`` photographs with known payloads, evenly spread over the folder's manifest."""
    known = [photo for photo in load_photos(directory) if photo.payloads]
    indices = np.unique(np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int))
    return [known[index] for index in indices.tolist()]
