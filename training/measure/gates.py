"""Measures the gates of the ladder: python -m training.measure.gates PHOTOS... [--set NAME...] [--every N].

PHOTOS are folders as `training.measure.photos` takes them, or plain folders of pictures without a code; sets are those
of `training.measure.many`. Each gate but ``credible`` in turn takes another value while the others keep theirs. Prints
how many codes are read and how many are named as unread then, and the processor's seconds, beside those of the standard
gates. Labels are not compared. Compare seconds within one run on an idle machine only.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Final

from app.errors import RequestError
from app.pipeline.gates import Gates
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from training.measure.many.sets import pictures
from training.measure.photos import load_photos, load_picture
from training.measure.served_tools import MAX_CODES, add_options, load_tools

_MANIFEST: Final = "manifest.json"
ALTERNATIVES: Final[Mapping[str, Sequence[float]]] = {
    "rough": (0.3, 0.5),
    "suspicion": (0.0, 0.03),
    "rough_in_fine": (0.4, 0.6),
    "score": (0.6, 0.9),
    "score_beside": (0.8, 0.92),
    "unstriped": (0.5, 0.7),
    "start": (0.0, 0.2),
    "realigned": (0.7, 1.0),
    "realigned_beside": (0.85, 0.95),
    "rectified": (0.3, 0.5),
    "modules": (0.42, 0.57),
    "modules_beside": (0.35, 0.5),
    "modules_of_high": (0.42, 0.57),
    "variants": (0.7, 1.0),
    "flattened": (0.45, 0.65),
    "restored": (0.45, 0.65),
    "hope": (0.4, 0.57),
}
"""Values that each gate takes: one that lets more through, one that lets less."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a setting of the gates gives on a list of pictures: codes read, codes named as unread, processor seconds."""

    codes: int
    unread: int
    seconds: float


def measure(images: Sequence[GreyImage], tools: Tools, gates: Gates) -> Point:
    """Reads pictures at balanced effort without a budget."""
    ladder = Ladder(tools=replace(tools, gates=gates), max_codes=MAX_CODES)
    began = process_time()
    outcomes = [ladder.run(image, effort=Effort.BALANCED) for image in images]
    seconds = process_time() - began
    return Point(sum(len(one.codes) for one in outcomes), sum(len(one.unread) for one in outcomes), seconds)


def settings() -> Iterator[tuple[str, Gates]]:
    """Every setting that is measured, with its name; the standard one first."""
    standard = Gates()
    yield "standard", standard
    for name, values in ALTERNATIVES.items():
        for value in values:
            yield f"{name} {getattr(standard, name):g} -> {value:g}", replace(standard, **{name: value})


def load_pictures(folder: Path, *, every: int) -> list[GreyImage]:
    """Every ``every``-th picture of a folder. Raises OSError, and InvalidImage for a bad picture of a manifest; in a
    folder without one, files that are no pictures are skipped."""
    if (folder / _MANIFEST).is_file():
        return [photo.load() for photo in load_photos(folder)[::every]]
    return list(_decodable(sorted(path for path in folder.iterdir() if path.is_file())))[::every]


def _decodable(files: Sequence[Path]) -> Iterator[GreyImage]:
    for file in files:
        try:
            yield load_picture(file)
        except RequestError:
            continue


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure the gates of the ladder.")
    parser.add_argument("folders", nargs="*", type=Path, help="labelled photographs, or pictures without a code")
    parser.add_argument("--set", nargs="*", default=[], help="synthetic sets")
    parser.add_argument("--count", type=int, default=4, help="pictures of each synthetic set (default: 4)")
    parser.add_argument("--every", type=int, default=1, help="take every so many pictures of a folder (default: 1)")
    add_options(parser)
    options = parser.parse_args(arguments)
    tools = load_tools(options)
    lists = {folder.name: load_pictures(folder, every=options.every) for folder in options.folders}
    lists |= {name: [one.image for one in pictures(name, count=options.count)] for name in options.set}
    standard: dict[str, Point] = {}
    for label, gates in settings():
        for name, images in lists.items():
            point = measure(images, tools, gates)
            base = standard.setdefault(name, point)
            print(
                f"{label:28} {name:12} codes {point.codes:5} ({point.codes - base.codes:+d})  "
                f"unread {point.unread:3}  processor {point.seconds:7.1f} s ({point.seconds / base.seconds:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
