"""What the pipeline returns: plain values, which a child process sends to its parent."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route
from app.pipeline.payload.appending import AppendedMessage
from app.pipeline.quad import Quad

SOFT = "soft"
"""``Symbol.engine`` of symbols that soft decoding read."""
ENGINES = ("zxing", "zbar", SOFT)
"""Every ``Symbol.engine``."""


class Effort(StrEnum):
    """The effort that a result may take: "fast" looks once at the untouched picture, "balanced" reads every code that
    can be read within a budget, "thorough" makes every survey, without a budget unless one is given."""

    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"

    @property
    def max_fusions(self) -> int:
        """Most codes that fusing tries."""
        return {Effort.FAST: 0, Effort.BALANCED: 4, Effort.THOROUGH: 24}[self]

    @property
    def max_fused(self) -> int:
        """Most readings of a frame that fusing compares with those of other frames."""
        return {Effort.FAST: 0, Effort.BALANCED: 16, Effort.THOROUGH: 64}[self]


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of a result's trace: decoding the file, looking for places, a rung, or a network; all its seconds and
    the number of codes read."""

    stage: str
    seconds: float
    codes: int


def add_up(stages: Iterable[Stage]) -> dict[str, Stage]:
    """One line a stage, by its name."""
    total: dict[str, Stage] = {}
    for one in stages:
        sofar = total.get(one.stage, Stage(one.stage, 0.0, 0))
        total[one.stage] = Stage(one.stage, sofar.seconds + one.seconds, sofar.codes + one.codes)
    return total


@dataclass(frozen=True, slots=True)
class Found:
    """One code of a result: a symbol and the rung that read it. Corners are in pixels of the input picture, ``size``
    wide and high; of several files it is number ``frame``, of the pictures in its file number ``page``, both counted
    from 0."""

    symbol: Symbol
    rung: str
    frame: int = 0
    page: int = 0
    size: tuple[int, int] = (1, 1)


class Reason(StrEnum):
    """Why a code that was seen was not read: its modules are too small; a part of it lies outside the picture; nothing
    that was tried made it readable; the budget ended first; it is of a symbology that was not asked for."""

    TOO_SMALL = "too_small"
    CUT_OFF = "cut_off"
    UNREADABLE = "unreadable"
    BUDGET = "budget"
    OTHER_SYMBOLOGY = "other_symbology"


@dataclass(frozen=True, slots=True)
class Unread:
    """A code that was seen but not read.

    ``corners`` are in pixels of the input picture, ``page`` of the file ``frame``. ``confidence``, 0 to 1, is the
    agreement of the picture with the function patterns of a symbol there. ``module_pixels``, the side of a module, and
    ``version`` are None if unknown. ``symbology`` is as in `app.pipeline.symbologies`.
    """

    corners: Quad
    reason: Reason
    confidence: float
    module_pixels: float | None = None
    version: int | None = None
    frame: int = 0
    page: int = 0
    symbology: str = "QRCode"


@dataclass(frozen=True, slots=True)
class PageInfo:
    """A picture that was looked at, number ``index`` of its file, counted from 0; ``width`` and ``height`` in pixels.

    ``dpi``: pixels an inch, None if the file does not say. ``orientation``, 1 to 8 as EXIF counts them, says how
    viewers turn it; positions refer to the picture as it is before that. ``seconds``: when a video shows it.
    ``problem``: why it could not be decoded; its size is then 0 x 0.
    """

    index: int
    width: int
    height: int
    dpi: float | None = None
    orientation: int = 1
    problem: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of reading a picture.

    ``route`` is that of the region that a network made readable, else of the first region that one was tried on; None
    if no network ran. ``truncated``: there are more codes or pages than the limit. ``unread``: codes that were seen but
    not read, the most credible first. ``complete``: the search ended by itself, before its budget did. ``pages`` are
    those that were looked at, ``page_count`` is how many the file has. ``messages``: those that several of the codes
    hold together. ``orientation``: how viewers turn the picture whose ``width`` and ``height`` these are, see
    `PageInfo`.
    """

    codes: tuple[Found, ...]
    width: int
    height: int
    route: Route | None
    trace: tuple[Stage, ...]
    truncated: bool
    unread: tuple[Unread, ...] = ()
    complete: bool = True
    pages: tuple[PageInfo, ...] = ()
    page_count: int = 1
    messages: tuple[AppendedMessage, ...] = ()
    orientation: int = 1


class Frame(StrEnum):
    """How a result sees a picture: as its pixels are "stored", or "upright", as viewers turn it."""

    STORED = "stored"
    UPRIGHT = "upright"


AUTO, MODULES, COMPARE = "auto", "modules", "compare"
"""Ways to restore that name no network."""


class View(StrEnum):
    """How a result shows a restored code: "straightened", cut out and upright, or in its place in the "original"."""

    STRAIGHTENED = "straightened"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Compared:
    """One network's line in the result of a comparison. ``seconds`` is None if it was not run, for want of time.

    ``text`` is what reads in what it made, None if nothing does. ``agrees``: whether that is what the redrawn symbol
    says, ``psnr``: in dB against the redrawn symbol; both None where no symbol was redrawn.
    """

    network: str
    seconds: float | None = None
    text: str | None = None
    agrees: bool | None = None
    psnr: float | None = None


@dataclass(frozen=True, slots=True)
class Restoration:
    """The result of restoring a code. ``network`` is what made it, "modules" or a network, None if nothing did;
    ``outcome`` is what reads in it. Where no code was ``located``, ``image`` is the picture as it is, perhaps reduced.
    ``comparison`` is empty unless all networks were compared. ``whole``: the image shows the whole picture, perhaps
    reduced, not the code alone.
    """

    image: GreyImage
    network: str | None
    outcome: Outcome
    located: bool = True
    comparison: tuple[Compared, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored code as a child sends it: a grey PNG of ``width`` x ``height`` pixels; ``network``, ``outcome``,
    ``located`` and ``comparison`` as in `Restoration`."""

    png: bytes
    width: int
    height: int
    network: str | None
    outcome: Outcome
    located: bool = True
    comparison: tuple[Compared, ...] = ()
