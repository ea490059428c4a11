"""Reads pictures of many codes along the served path and counts what was read, by place and payload."""

import collections
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time

from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad
from app.pipeline.results import Outcome
from training.measure.many.picture import Picture
from training.measure.places import assign
from training.measure.ratchet import Row

Read = Callable[[GreyImage], Outcome]
"""Reads one picture, as `Ladder.run` does."""


@dataclass(frozen=True)
class Misread:
    """An answer with another payload than the code in its place; ``misplaced`` if it is another code's payload."""

    read: bytes
    truth: bytes
    rung: str
    misplaced: bool


@dataclass(frozen=True)
class PictureResult:
    """What was read in one picture: labelled codes, answers and seconds.

    ``hits``: codes that hold the centre of an answer of their own with their payload; ``wrong``: answers with another
    payload. ``extras``: answers left over. ``by_rung`` counts hits. ``by_trait`` has (hits, codes) of each trait of the
    codes.
    """

    codes: int
    hits: int
    wrong: tuple[Misread, ...]
    extras: int
    truncated: bool
    wall: float
    processor: float
    by_rung: collections.Counter[str] = field(default_factory=collections.Counter)
    by_trait: dict[str, tuple[int, int]] = field(default_factory=dict)


def measure(read: Read, picture: Picture) -> PictureResult:
    """Reads one picture. Processor seconds include every thread of this process."""
    wall, processor = perf_counter(), process_time()
    outcome = read(picture.image)
    wall, processor = perf_counter() - wall, process_time() - processor
    return count(picture, outcome, wall=wall, processor=processor)


def count(picture: Picture, outcome: Outcome, *, wall: float, processor: float) -> PictureResult:
    """Counts the outcome of a picture, read within ``wall`` and ``processor`` seconds."""
    quads = [Quad.of(code.corners) for code in picture.codes]
    owners = assign(quads, [found.symbol.corners for found in outcome.codes])
    by_rung: collections.Counter[str] = collections.Counter()
    by_trait: dict[str, tuple[int, int]] = {}
    wrong: list[Misread] = []
    payloads = {code.symbol.payload for code in picture.codes}
    for code, owner in zip(picture.codes, owners, strict=True):
        found, truth = None if owner is None else outcome.codes[owner], code.symbol.payload
        is_hit = found is not None and found.symbol.payload == truth
        if found is not None:
            read = found.symbol.payload
            if is_hit:
                by_rung[found.rung] += 1
            else:
                wrong.append(Misread(read, truth, found.rung, misplaced=read in payloads))
        for trait in code.traits:
            hits, codes = by_trait.get(trait, (0, 0))
            by_trait[trait] = hits + is_hit, codes + 1
    return PictureResult(
        codes=len(quads),
        hits=by_rung.total(),
        wrong=tuple(wrong),
        extras=len(outcome.codes) - by_rung.total() - len(wrong),
        truncated=outcome.truncated,
        wall=wall,
        processor=processor,
        by_rung=by_rung,
        by_trait=by_trait,
    )


def ratchet_row(name: str, effort: str, results: Sequence[PictureResult]) -> Row:
    """The row of a ratchet for the pictures of a set; wrong payloads count as extra."""
    return Row(
        name=name,
        effort=effort,
        pictures=len(results),
        labelled=sum(result.codes for result in results),
        reads=sum(bool(result.hits) for result in results),
        codes=sum(result.hits for result in results),
        extras=sum(result.extras + len(result.wrong) for result in results),
    )


def trait_totals(results: Sequence[PictureResult]) -> Iterator[tuple[str, int, int]]:
    """Each trait with its hits and codes, by name."""
    totals: dict[str, tuple[int, int]] = {}
    for result in results:
        for trait, (hits, codes) in result.by_trait.items():
            before = totals.get(trait, (0, 0))
            totals[trait] = before[0] + hits, before[1] + codes
    for trait in sorted(totals):
        yield trait, *totals[trait]
