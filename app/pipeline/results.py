"""What comes of a picture: values without behaviour, which a child process hands to its parent."""

from dataclasses import dataclass
from enum import StrEnum

from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route

SOFT = "soft"
"""Engine of symbols that soft decoding read."""


class Effort(StrEnum):
    """How far up the ladder a request may go: "fast" reads the untouched picture only, "balanced" stops at the first
    rung that reads, "thorough" climbs every rung for codes that lower ones left unread."""

    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"

    @property
    def regions(self) -> int:
        """Most regions that the rungs above the whole picture take from one locator."""
        return {Effort.FAST: 0, Effort.BALANCED: 4, Effort.THOROUGH: 12}[self]

    @property
    def flattened(self) -> int:
        """Most regions that are flattened, which takes several inferences each."""
        return {Effort.FAST: 0, Effort.BALANCED: 3, Effort.THOROUGH: 12}[self]

    @property
    def decoded_softly(self) -> int:
        """Most readings that soft decoding is tried on."""
        return {Effort.FAST: 0, Effort.BALANCED: 4, Effort.THOROUGH: 24}[self]

    @property
    def fused(self) -> int:
        """Most readings of a frame that are compared with those of other frames."""
        return {Effort.FAST: 0, Effort.BALANCED: 16, Effort.THOROUGH: 64}[self]


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the trace: a rung, or the locating before the first that needs it; its seconds and codes."""

    stage: str
    seconds: float
    codes: int


@dataclass(frozen=True, slots=True)
class Found:
    """A symbol and the rung that read it; its corners are in pixels of the picture handed in: of several, ``frame``."""

    symbol: Symbol
    rung: str
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a picture. ``route`` is of the region that was read, else of the best; None if no network ran."""

    codes: tuple[Found, ...]
    width: int
    height: int
    route: Route | None
    trace: tuple[Stage, ...]
    truncated: bool


AUTO, MODULES = "auto", "modules"
"""Ways to restore that are no network's name."""


class View(StrEnum):
    """How a restored code is shown: "straightened", cut out and upright, or in its place in the "original"."""

    STRAIGHTENED = "straightened"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Restoration:
    """A restored code; ``network`` is None where no network made it. ``outcome`` is what reads from it."""

    image: GreyImage
    network: str | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored code as a grey PNG of so many pixels; ``network`` and ``outcome`` as in a Restoration."""

    png: bytes
    width: int
    height: int
    network: str | None
    outcome: Outcome
