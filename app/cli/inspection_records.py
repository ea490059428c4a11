"""The records of an inspection: plain values of what each step saw, which become `report.json`."""

from dataclasses import dataclass
from typing import Self

from app.pipeline.engines.symbol import Symbol
from app.pipeline.quad import Point, Quad
from app.pipeline.results import Unread

Corners = tuple[Point, Point, Point, Point]
"""As x, y in pixels of the picture, from its outer edge."""


@dataclass(frozen=True, slots=True)
class SymbolRecord:
    """The record of a symbol that was read; ``rung`` is set where the ladder read it. ``payload``: the stored bytes,
    hexadecimal."""

    text: str
    payload: str
    engine: str
    version: int | None
    ec_level: str | None
    symbology: str
    corners: Corners
    rung: str = ""

    @classmethod
    def of(cls, symbol: Symbol, *, rung: str = "") -> Self:
        return cls(
            text=symbol.text,
            payload=symbol.payload.hex(),
            engine=symbol.engine,
            version=symbol.version,
            ec_level=symbol.ec_level,
            symbology=symbol.symbology,
            corners=rounded(symbol.corners),
            rung=rung,
        )

    @property
    def line(self) -> str:
        kind = self.symbology if self.version is None else f"{self.symbology} version {self.version}"
        return f"{self.text!r} ({self.engine}, {kind})"


@dataclass(frozen=True, slots=True)
class UnreadRecord:
    """The record of a code that the ladder saw but did not read: the number of its place, and as `Unread`."""

    place: int
    reason: str
    confidence: float
    module: float | None
    version: int | None
    corners: Corners

    @classmethod
    def of(cls, unread: Unread, *, place: int) -> Self:
        return cls(
            place=place,
            reason=unread.reason.value,
            confidence=unread.confidence,
            module=unread.module_pixels,
            version=unread.version,
            corners=rounded(unread.corners),
        )

    @property
    def line(self) -> str:
        return f"place {self.place}, {self.reason}, agreement {self.confidence:.2f}"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The record of one way to read one place: what it ``read``; else, or where that lies beside the place, why it read
    nothing there, and the symbols ``doubted``, which the engines read but the pipeline does not believe. ``notes`` are
    figures by name, ``files`` what shows the step."""

    name: str
    read: tuple[SymbolRecord, ...] = ()
    refusal: str = ""
    doubted: tuple[SymbolRecord, ...] = ()
    notes: dict[str, float | str] | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegistrationRecord:
    """The record of a registration of a candidate, or None for each of its figures where it has none; ``region`` is the
    number of the region made of it, ``twin`` that of the earlier region it resembles."""

    version: int | None
    agreement: float | None
    inverted: bool | None
    region: int | None
    refusal: str
    twin: int | None


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """The record of a place that a survey proposes; ``modules`` a side, as far as its locator knows. ``place`` is the
    number of the place made of it. Without ``registrations`` it was not looked at."""

    number: int
    corners: Corners
    modules: int | None
    score: float
    place: int | None
    registrations: tuple[RegistrationRecord, ...]


@dataclass(frozen=True, slots=True)
class SurveyRecord:
    """The record of a survey, its candidates and the ``picture`` that outlines them, "" without candidates.
    ``by_ladder``: the ladder made it, too."""

    number: int
    name: str
    by_ladder: bool
    picture: str
    candidates: tuple[CandidateRecord, ...]


@dataclass(frozen=True, slots=True)
class RungRecord:
    """The record of what the ladder did with a place on one rung, ``done``, in words."""

    name: str
    done: str


@dataclass(frozen=True, slots=True)
class PlaceRecord:
    """The record of a place, as `Place`: candidate ``candidate`` of survey ``survey``. ``result`` says in words what
    became of it, ``ladder`` what the ladder tried. ``steps`` are those that need no region; ``regions`` are numbers."""

    number: int
    survey: int
    candidate: int
    score: float
    agreement: float
    corners: Corners
    result: str
    ladder: tuple[RungRecord, ...]
    steps: tuple[StepRecord, ...]
    regions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RegionRecord:
    """The record of a region and every step tried on it. ``module``: pixels a module in the picture. ``folder`` holds
    its pictures."""

    number: int
    place: int
    version: int
    agreement: float
    inverted: bool
    module: float
    corners: Corners
    laplacian_variance: float
    threshold: float
    network: str
    folder: str
    steps: tuple[StepRecord, ...]


def rounded(corners: Quad) -> Corners:
    """Corners for a record, to a hundredth of a pixel."""
    first, second, third, fourth = ((round(x, 2), round(y, 2)) for x, y in corners.as_tuple)
    return first, second, third, fourth
