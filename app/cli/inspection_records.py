"""The records of an inspection: plain values of what each step saw, which become `report.json`."""

from dataclasses import dataclass

from app.pipeline.engines.symbol import Symbol
from app.pipeline.quad import Point, Quad

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
    def of(cls, symbol: Symbol, *, rung: str = "") -> "SymbolRecord":
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
class StepRecord:
    """The record of one way to read one place: what it ``read``; or else why it read nothing, and the symbols
    ``doubted``, which the engines read but the pipeline does not believe. ``notes`` are figures by name, ``files`` what
    shows the step."""

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
    """The record of a place that a locator proposes; ``modules`` a side, as far as it knows."""

    number: int
    corners: Corners
    modules: int | None
    score: float
    registrations: tuple[RegistrationRecord, ...]


@dataclass(frozen=True, slots=True)
class LocatorRecord:
    """The record of a locator, its candidates and the ``picture`` that outlines them. ``asked``: the ladder asked it,
    too."""

    number: int
    name: str
    asked: bool
    picture: str
    candidates: tuple[CandidateRecord, ...]


@dataclass(frozen=True, slots=True)
class RegionRecord:
    """The record of a region and every step tried on it. ``module``: pixels a module in the picture. ``ladder``: what
    the ladder did with it. ``folder`` holds its pictures."""

    number: int
    locator: int
    candidate: int
    version: int
    agreement: float
    inverted: bool
    module: float
    corners: Corners
    laplacian_variance: float
    threshold: float
    network: str
    ladder: str
    folder: str
    steps: tuple[StepRecord, ...]


def rounded(corners: Quad) -> Corners:
    """Corners for a record, to a hundredth of a pixel."""
    first, second, third, fourth = ((round(x, 2), round(y, 2)) for x, y in corners.as_tuple)
    return first, second, third, fourth
