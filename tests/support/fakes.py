"""Fakes of the ladder, of networks and of the locator: they return what a test gives them and remember their calls."""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import UnknownNetwork
from app.pipeline.crops.redrawing import module_means
from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage, LookAgain
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.inference.severity import Route
from app.pipeline.inference.window_locator import Levels
from app.pipeline.locating.candidates import Candidate
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension
from app.pipeline.qrcode.small.versions import modules_of
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, Found, Outcome, Reason, Restoration, Stage, Unread, View
from app.pipeline.symbologies import QR_FAMILY


def symbol(text: str = "hello", payload: bytes | None = None) -> Symbol:
    return Symbol(
        payload=text.encode() if payload is None else payload,
        text=text,
        content_type="Text",
        symbology="QRCode",
        version=2,
        ec_level="M",
        engine="zxing",
        corners=Quad.of([(1.0, 2.0), (30.5, 2.0), (30.5, 31.0), (1.0, 31.0)]),
    )


def unread(reason: Reason = Reason.TOO_SMALL, **fields: Any) -> Unread:
    """A code that was seen but not read for this reason; ``fields`` as in `Unread`."""
    corners = Quad.of([(40.0, 10.0), (60.0, 12.0), (58.0, 32.0), (38.0, 30.0)])
    return Unread(**{"corners": corners, "reason": reason, "confidence": 0.6543, **fields})


@dataclass
class FakeLadder:
    """Finds `symbols` in every picture and sees `unread`, or raises `failure`; remembers how it was called.

    ``located`` is what its restorations say."""

    symbols: tuple[Symbol, ...] = ()
    route: Route | None = None
    truncated: bool = False
    unread: tuple[Unread, ...] = ()
    complete: bool = True
    failure: Exception | None = None
    located: bool = True
    calls: list[dict[str, object]] = field(default_factory=list)
    symbologies: list[frozenset[str]] = field(default_factory=list)

    def reset(self) -> None:
        """Finds nothing again; what it remembers stays."""
        for each in fields(self):
            if each.default is not MISSING:
                setattr(self, each.name, each.default)

    def run(
        self,
        image: GreyImage,
        *,
        effort: Effort,
        budget: float = inf,
        expect: int | None = None,
        look_again: LookAgain | None = None,
        symbologies: frozenset[str] = QR_FAMILY,
    ) -> Outcome:
        self.calls.append({"effort": effort, "budget": budget, "expect": expect, "shape": image.shape})
        self.symbologies.append(symbologies)
        return self._outcome(image)

    def fuse(
        self,
        frames: Sequence[GreyImage],
        *,
        effort: Effort,
        budget: float = inf,
        expect: int | None = None,
        look_again: Sequence[LookAgain] = (),
        symbologies: frozenset[str] = QR_FAMILY,
    ) -> Outcome:
        """Finds the symbols in the last frame."""
        shapes = [frame.shape for frame in frames]
        self.calls.append({"effort": effort, "budget": budget, "expect": expect, "shapes": shapes})
        self.symbologies.append(symbologies)
        outcome = self._outcome(frames[0])
        return replace(outcome, codes=tuple(replace(found, frame=len(frames) - 1) for found in outcome.codes))

    def restore(
        self,
        image: GreyImage,
        *,
        network: str = "auto",
        scale: int = 1,
        binary: bool = False,
        view: View = View.STRAIGHTENED,
        budget: float = inf,
        look_again: LookAgain | None = None,
    ) -> Restoration:
        self.calls.append({"network": network, "scale": scale, "binary": binary, "view": view, "budget": budget})
        if network not in {"auto", "modules", "lenet"}:
            raise UnknownNetwork
        restored = np.full((20 * scale, 30 * scale), 7, np.uint8)
        return Restoration(
            image=restored,
            network=self.route and self.route.network,
            outcome=self._outcome(image),
            located=self.located,
        )

    def answer(self) -> Outcome:
        """What it makes of a picture of 30 x 20 pixels."""
        return self._outcome(np.zeros((20, 30), np.uint8))

    def _outcome(self, image: GreyImage) -> Outcome:
        if self.failure is not None:
            raise self.failure
        height, width = image.shape
        return Outcome(
            codes=tuple(Found(symbol=found, rung="direct") for found in self.symbols),
            width=width,
            height=height,
            route=self.route,
            trace=(Stage(stage="direct", seconds=0.002, codes=len(self.symbols)),),
            truncated=self.truncated,
            unread=self.unread,
            complete=self.complete,
        )


@dataclass
class FakeRestorer:
    """Restores by ``answer``; ``calls`` remembers the shape of every crop."""

    name: str
    answer: Callable[[GreyImage], GreyImage] = field(default=lambda crop: crop)
    scale: int = 1
    calls: list[tuple[int, ...]] = field(default_factory=list)

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]:
        self.calls += [crop.shape for crop in crops]
        return [self.answer(crop) for crop in crops]


def mean_reading(crop: GreyImage, version: int) -> LogOdds:
    """A simple module reader: the mean of each module against mid-grey, from -10 to 10."""
    means = module_means(crop, version)[QUIET_ZONE:-QUIET_ZONE, QUIET_ZONE:-QUIET_ZONE]
    return np.asarray(10 - means / np.float32(12.75), dtype=np.float32)


def blank_reading(crop: GreyImage, version: int) -> LogOdds:
    """A module reader without any confidence: soft decoding gives such a reading up at once."""
    return np.zeros((dimension(version),) * 2, np.float32)


@dataclass
class FakeReader:
    """Reads modules by ``answer``; ``calls`` remembers the version and the shape of every crop."""

    answer: Callable[[GreyImage, int], LogOdds] = mean_reading
    calls: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)

    def read(self, crops: Sequence[GreyImage], version: int) -> list[LogOdds]:
        self.calls += [(version, crop.shape) for crop in crops]
        return [self.answer(crop, version) for crop in crops]

    def read_small(self, crops: Sequence[GreyImage], version: str, columns: int | None = None) -> list[LogOdds]:
        return [np.zeros(modules_of(version) or (), np.float32) for _ in crops]


@dataclass
class FakeLocator:
    """Locates ``quads``, each of ``modules`` modules a side, and counts its calls."""

    quads: Sequence[NDArray[np.float64]] = ()
    modules: int | None = 25
    asked: int = 0

    def locate(self, image: GreyImage) -> list[Candidate]:
        self.asked += 1
        return [Candidate(Quad.of(quad), self.modules, 1.0) for quad in self.quads]


@dataclass
class FakeWindows:
    """A quad locator that sees ``quads``, each of ``modules`` modules a side, whatever the size.

    Like the real one it leaves out what is ``covered`` and, in its closer look, keeps the others as they are. ``sizes``
    are those that it was asked for, ``suspicions`` what must speak for a code at each of them, ``negatives`` those at
    which it looked for inverted codes: it sees none.
    """

    quads: Sequence[NDArray[np.float64]] = ()
    modules: int | None = 25
    score: float = 1.0
    sizes: list[int] = field(default_factory=list)
    negatives: list[int] = field(default_factory=list)
    suspicions: list[float] = field(default_factory=list)

    def glance(
        self,
        levels: Levels,
        size: int,
        *,
        covered: Sequence[Quad] = (),
        inverted: bool = False,
        suspicion: float = 0.0,
    ) -> list[Candidate]:
        if inverted:
            self.negatives.append(size)
            return []
        self.sizes.append(size)
        self.suspicions.append(suspicion)
        seen = [Candidate(Quad.of(quad), self.modules, self.score) for quad in self.quads]
        return [one for one in seen if all(one.corners.overlap(other) < 0.5 for other in covered)]

    def look_closer(
        self, levels: Levels, candidates: Sequence[Candidate], *, inverted: bool = False
    ) -> list[Candidate]:
        return list(candidates)
