"""Labels photographs by the service's own reading, checks the labels that they have, and cuts out their codes.

What a label says is taken for true if the picture bears it out: a payload that is read, or that fits the modules far
better than any other. What is read where there is no label is taken for true as well; how often that is wrong is
measured where there are labels, and bounded.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from app.errors import InvalidImage
from app.pipeline.climb import Climb
from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region, find_regions
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.quad import SAME_PLACE, Quad
from app.pipeline.reading import Reading
from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from training.finetune.examples import Example, append_row, cut_out, make_example, read_rows
from training.finetune.folder import CodeLabel, Photograph
from training.finetune.truth import Truth, match_truth, read_truth
from training.measure.photos import load_picture, texts_of
from training.measure.served_tools import MAX_CODES

LABEL, READ = "label", "read"
_HYPOTHESES = 2  # registrations of a place that are tried
_AROUND = 0.25  # of a box's longer side, that is searched beside it
_MOST_REGIONS = 12  # unread places of a picture that a label's payload is compared with


@dataclass(frozen=True)
class Labelled:
    """What labelling made of a photograph.

    ``digest``: of its bytes and its label. ``group``: that which is stated, if any. ``payloads``: hexadecimal, those of
    its labels, else those that were read. ``right`` and ``wrong``: reads that its labels bear out, and contradict.
    ``unread``: codes that labels name or outline but that were not read. ``problem``: why the file could not be
    decoded.
    """

    file: str
    digest: str
    group: str | None = None
    payloads: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    right: int = 0
    wrong: int = 0
    unread: int = 0
    labelled: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class _Sight:
    """A code seen in a photograph, and its truth."""

    region: Region
    truth: Truth
    source: str


class Labeller:
    """Labels photographs with the served tools; ``folder`` keeps patches and what was found, so that a photograph is
    labelled once. ``budget``: seconds that the ladder has for a photograph."""

    def __init__(self, tools: Tools, folder: Path, *, effort: Effort = Effort.BALANCED, budget: float = 20.0) -> None:
        self._tools = tools
        self._ladder = Ladder(tools=tools, max_codes=MAX_CODES)
        self._folder = folder
        self._effort = effort
        self._budget = budget
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def _list(self) -> Path:
        return self._folder / "labelled.jsonl"

    def label(self, photographs: Sequence[Photograph]) -> Iterator[Labelled]:
        """Labels photographs one by one; those that were labelled before, with the same label, cost nothing."""
        known = {one.digest: one for one in self._known()}
        for photograph in photographs:
            digest = self._digest(photograph)
            one = known.get(digest)
            if one is None:
                one = self._label(photograph, digest)
                append_row(self._list, one)
            yield one

    def _known(self) -> Iterator[Labelled]:
        if self._list.exists():
            for row in read_rows(self._list):
                yield Labelled(**{**row, "examples": [Example(**example) for example in row["examples"]]})

    def _digest(self, photograph: Photograph) -> str:
        content = hashlib.sha256(photograph.path.read_bytes())
        content.update(
            repr((photograph.name, photograph.group, photograph.codes, self._effort.value, self._budget)).encode()
        )
        return content.hexdigest()

    def _label(self, photograph: Photograph, digest: str) -> Labelled:
        try:
            image = load_picture(photograph.path)
        except (InvalidImage, OSError) as error:
            return Labelled(photograph.name, digest, photograph.group, problem=str(error))
        height, width = image.shape
        labels = [code.in_pixels(width, height) for code in photograph.codes]
        climb = self._read(image, labels)
        symbols = [found.symbol for found in climb.found if found.symbol.symbology == "QRCode"]
        stated = photograph.payloads
        borne_out = [symbol for symbol in symbols if not stated or not stated.isdisjoint(texts_of(symbol))]
        payloads = sorted(stated or {symbol.payload for symbol in symbols})
        return Labelled(
            file=photograph.name,
            digest=digest,
            group=photograph.group,
            payloads=[payload.hex() for payload in payloads],
            examples=self._examples(photograph, image, self._sights(climb, borne_out, stated, labels)),
            right=len(borne_out) if stated else 0,
            wrong=len(symbols) - len(borne_out),
            unread=max(0, count_codes(labels) - len(borne_out)),
            labelled=bool(stated),
        )

    def _read(self, image: GreyImage, labels: Iterable[CodeLabel]) -> Climb:
        """Reads a picture, then the parts of it that labels outline and where nothing was read."""
        climb = self._ladder.climb(image, effort=self._effort, budget=self._budget)
        for outline in (label.outline for label in labels):
            if outline is None or climb.covers(outline):
                continue
            if not any(outline.contains(found.symbol.corners.centre) for found in climb.found):
                part, offset = _part(image, outline)
                inner = self._ladder.climb(part, effort=self._effort, budget=self._budget)
                for one in inner.found:
                    moved = one.symbol.at(one.symbol.corners.moved(*offset))
                    climb.found.append(replace(one, symbol=moved))
        return climb

    def _sights(
        self, climb: Climb, symbols: Sequence[Symbol], stated: frozenset[bytes], labels: Sequence[CodeLabel]
    ) -> Iterator[_Sight]:
        source = LABEL if stated else READ
        seen: list[Quad] = []
        for symbol in symbols:
            seen.append(symbol.corners)
            made = (reading for place in climb.places for reading in place.readings)
            own = (reading for reading in made if reading.region.corners.overlap(symbol.corners) >= SAME_PLACE)
            anew = self._readings(climb.image, symbol.corners, symbol.version)
            for reading in itertools.chain(own, anew, self._as_found(climb.image, symbol)):
                if reading.has_other_crop:
                    continue
                truth = read_truth(reading, symbol.payload, symbol.contents)
                if truth:
                    yield _Sight(reading.region, truth, source)
                    break
        missing = stated - {text for symbol in symbols for text in texts_of(symbol)}
        if missing:
            outlines = [label.outline for label in labels if label.outline]
            outlined = [one for outline in outlines for one in self._readings(climb.image, outline, None)]
            yield from self._unread([*outlined, *climb.best_readings(_MOST_REGIONS)], missing, seen)

    def _unread(self, readings: Iterable[Reading], payloads: Set[bytes], seen: list[Quad]) -> Iterator[_Sight]:
        """Finds codes that were not read by what they are known to hold."""
        for reading in readings:
            if any(reading.region.corners.overlap(corners) > 0 for corners in seen):
                continue
            truth = None if reading.has_other_crop else match_truth(reading, list(payloads))
            if truth:
                seen.append(reading.region.corners)
                yield _Sight(reading.region, truth, LABEL)

    def _readings(self, image: GreyImage, corners: Quad, version: int | None) -> Iterator[Reading]:
        candidate = Candidate(corners, None if version is None else dimension(version), 1.0)
        for region in find_regions(image, [candidate], limit=_HYPOTHESES):
            if region.corners.overlap(corners) >= SAME_PLACE:
                yield self._reading(region)

    def _as_found(self, image: GreyImage, symbol: Symbol) -> Iterator[Reading]:
        """The reading of a symbol by the corners with which it was read."""
        if symbol.version is not None:
            corners = np.asarray(symbol.corners)
            crop = cut_out(image, corners, symbol.version, inverted=symbol.inverted)
            yield self._reading(Region(Registration(corners, symbol.version, 0.0, symbol.inverted), crop))

    def _reading(self, region: Region) -> Reading:
        return Reading(region, region.crop, self._tools.reader.read([region.crop], region.version)[0])

    def _examples(self, photograph: Photograph, image: GreyImage, sights: Iterable[_Sight]) -> list[Example]:
        made = (
            make_example(
                image,
                sight.region,
                sight.truth,
                file=photograph.name,
                source=sight.source,
                folder=self._folder,
                number=number,
            )
            for number, sight in enumerate(sights)
        )
        return [example for example in made if example]


def count_codes(labels: Sequence[CodeLabel]) -> int:
    """Codes that labels speak of: payloads and outlines may be those of the same codes."""
    payloads = sum(label.payload is not None for label in labels)
    return max(payloads, sum(label.outline is not None for label in labels))


def _part(image: GreyImage, outline: Quad) -> tuple[GreyImage, tuple[int, int]]:
    """The part of a picture around an outline, and its offset (x, y)."""
    height, width = image.shape
    left, top, right, bottom = outline.bounds
    spare = _AROUND * max(right - left, bottom - top)
    x, y = (int(min(max(0, start - spare), side - 1)) for start, side in ((left, width), (top, height)))
    end_x, end_y = (int(min(max(end + spare, 1), side)) for end, side in ((right, width), (bottom, height)))
    return image[y : max(end_y, y + 1), x : max(end_x, x + 1)], (x, y)
