"""Regions: registered candidates with their canonical crops, and the ways to read from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.plausibility import explained_correlation
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify, surroundings
from app.pipeline.crops.redrawing import clean_symbol, dark_modules, module_means, repaint_quiet_zone
from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.registering import Registration, register
from app.pipeline.qrcode.contents import read_contents
from app.pipeline.qrcode.log_odds import LogOdds, probability, rebuild_modules
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from app.pipeline.quad import Quad, homography, side_length, square

_CREDIBLE = 0.5  # agreement from which a read is believed without further test
PROMISING = 0.4
"""Agreement from which a region is worth several inferences."""
# Explained correlation that a read needs where the agreement is lower. In test_plausibility readings of textures stay
# below 0.45 and those of other codes below 0.6; true readings with a tenth of the modules wrong exceed 0.8.
_EXPLAINED = 0.7
_HOPELESS = 0.3  # agreement below which nothing is tried
SMALL_MODULE = 3.0
"""Pixels a module below which super-resolution is worth its time."""
_LONGEST_SIDE = 32_766  # pixels a side that OpenCV can resample
_OWN_PLACE = 0.6  # overlap with the region from which a symbol in its crop is its own
# Of the 14 codes that engines read in crops of 380 photographs, as they were, none had less than 0.93.
_IN_PLACE = 0.9  # overlap of what an engine saw in a crop with the region, below which the region is misplaced
_HYPOTHESES = 2  # registrations kept of each candidate
_INNER = slice(QUIET_ZONE, -QUIET_ZONE)


@dataclass(frozen=True, eq=False)
class Exhibit:
    """What a region shows the engines, ``pictures``, one after another until one reads; and, for the test of
    plausibility, a canonical ``crop`` (S, S) and the probabilities ``dark`` (M, M) that its modules are dark.

    The last ``photographed`` of the pictures are photographs, not drawn, so that they show neighbours as well.
    """

    pictures: tuple[GreyImage, ...]
    crop: GreyImage
    dark: NDArray[np.float32]
    photographed: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was read in a region's exhibit: ``symbols`` has the region's own one, if it is believed, then those of its
    neighbours. Otherwise ``doubted`` has the symbols that engines read but that are not believed, and ``refusal`` says
    in words why; it is empty if only neighbours were read."""

    symbols: list[Symbol]
    refusal: str = ""
    doubted: tuple[Symbol, ...] = ()


@dataclass(frozen=True, eq=False)
class Region:
    """A registered candidate. ``crop`` (S, S) uint8 is its canonical crop, dark on light, S = 4 (modules + 8)."""

    registration: Registration
    crop: GreyImage

    @property
    def version(self) -> int:
        return self.registration.version

    @property
    def module(self) -> float:
        """Pixels a module in the picture."""
        return side_length(self.registration.corners) / dimension(self.version)

    @cached_property
    def corners(self) -> Quad:
        """Outer corners in picture pixels, clockwise from the symbol's own top left."""
        return Quad.of(self.registration.corners)

    @property
    def is_promising(self) -> bool:
        """Whether the region is worth several inferences."""
        return self.registration.agreement >= PROMISING

    @property
    def is_small(self) -> bool:
        return self.module < SMALL_MODULE

    def resembles(self, other: "Region") -> bool:
        """Whether both have the same version, and corners within half a module."""
        apart = np.abs(self.registration.corners - other.registration.corners).max()
        return self.version == other.version and bool(apart < 0.5 * self.module)

    def read(self, crop: GreyImage, engines: Sequence[Engine], *, restored: bool) -> list[Symbol]:
        """Reads the clean symbol redrawn from a canonical crop of this region, or the crop itself: at most one symbol
        of its own, and those of neighbours.

        Modules of ``restored`` crops, whose light is even, are redrawn by mid-grey, others by their neighbourhood.
        """
        return self.judge(self.show(crop, restored=restored), engines).symbols

    def read_modules(self, crop: GreyImage, log_odds: LogOdds, engines: Sequence[Engine]) -> list[Symbol]:
        """Reads the symbol rebuilt from log-odds (M, M) of ``crop``, which may be straighter than the region's own."""
        return self.judge(self.show_modules(crop, log_odds), engines).symbols

    def show(self, crop: GreyImage, *, restored: bool) -> Exhibit:
        """The exhibit of `read`: the symbol redrawn, the crop with a clean quiet zone, and the crop."""
        redrawn = clean_symbol(crop, self.version, local=not restored, pixels=PIXELS_PER_MODULE)
        dark = 1 - module_means(crop if restored else redrawn, self.version)[_INNER, _INNER] / np.float32(255)
        pictures = (redrawn, repaint_quiet_zone(crop, self.version), crop)
        return Exhibit(pictures, self.crop, dark, photographed=0 if restored else 2)

    def show_modules(self, crop: GreyImage, log_odds: LogOdds) -> Exhibit:
        """The exhibit of `read_modules`: the symbol rebuilt."""
        clean = render(rebuild_modules(log_odds, self.version), pixels=PIXELS_PER_MODULE)
        return Exhibit((clean,), crop, probability(log_odds))

    def show_symbol(self, crop: GreyImage, modules: NDArray[np.bool_]) -> Exhibit:
        """An exhibit of ``modules`` (M, M), True is dark, which error correction made of a reading of ``crop``."""
        return Exhibit((render(modules, pixels=PIXELS_PER_MODULE),), crop, modules.astype(np.float32))

    def judge(self, exhibit: Exhibit, engines: Sequence[Engine]) -> Verdict:
        """The first symbol that an engine reads in an exhibit, if it is believed. It has the corners of the
        registration, or those of the engine if nothing states its version or the engine saw it elsewhere in a picture
        that was not drawn.

        A symbol is believed if it has the registered version, and if either the known patterns agree with the picture
        or the modules that were read, blurred as the picture is, explain these patterns. Symbols of neighbours, read in
        the margin of a photographed picture, join it with corners of their own.
        """
        strangers: list[Symbol] = []
        neighbours: list[Symbol] = []
        drawn = len(exhibit.pictures) - exhibit.photographed
        for number, picture in enumerate(exhibit.pictures):
            for engine in engines:
                for symbol in engine.read(picture):
                    beside = self._beside(symbol, picture)
                    if symbol.symbology != "QRCode" or (beside and number < drawn):
                        strangers.append(symbol)
                    elif beside:
                        neighbours.append(self.as_pictured(symbol).at(beside))
                    elif symbol.version in (None, self.version):
                        doubt = self._doubt(exhibit)
                        if doubt:
                            return Verdict(neighbours, doubt, (symbol,))
                        own = self.as_pictured(self._stating(symbol, picture))
                        is_drawn = number < drawn
                        return Verdict([own.at(self._place_of(own, symbol, picture, is_drawn)), *neighbours])
                    else:
                        strangers.append(symbol)
        if strangers:
            reason = f"read a symbol of another version or kind than {self.version}"
            return Verdict(neighbours, reason, tuple(strangers))
        return Verdict(neighbours, "" if neighbours else "the engines read nothing")

    def _place_of(self, own: Symbol, symbol: Symbol, picture: GreyImage, is_drawn: bool) -> Quad:
        """The corners in the picture of the region's ``own`` symbol, which an engine read as ``symbol``: those of the
        registration, unless the symbol's version is unknown or the engine saw it elsewhere in a photograph."""
        seen = self._in_modules(symbol, picture)
        is_in_place = is_drawn or self._overlap(seen) >= _IN_PLACE
        return self.corners if own.version is not None and is_in_place else self._in_picture(seen)

    def _stating(self, symbol: Symbol, picture: GreyImage) -> Symbol:
        """The region's own symbol with what its codewords say, if the engine that read it in ``picture``, an exhibit's,
        states none and hard decisions give them."""
        if not symbol.exact:
            looks = (dark_modules(picture, self.version, local=local) for local in (False, True))
            if contents := next(filter(None, map(read_contents, looks)), None):
                return symbol.stating(contents)
        return symbol

    def as_pictured(self, symbol: Symbol) -> Symbol:
        """A symbol in a crop of this region as the picture shows it: crops of inverted regions are inverted."""
        return replace(symbol, inverted=symbol.inverted != self.registration.inverted)

    def _beside(self, symbol: Symbol, picture: GreyImage) -> Quad | None:
        """Where in the picture a symbol lies that an engine read in a crop of this region, if it is not in the region's
        own place; None if it is."""
        corners = self._in_modules(symbol, picture)
        if self._overlap(corners) >= _OWN_PLACE:
            return None
        return self._in_picture(corners)

    def _overlap(self, corners: Quad) -> float:
        """Of corners in modules of this region with its own place, 0 to 1."""
        return corners.overlap(Quad.of(square(dimension(self.version))))

    def _in_modules(self, symbol: Symbol, picture: GreyImage) -> Quad:
        """The corners of a symbol that an engine read in a crop, in modules of this region."""
        scale = (dimension(self.version) + 2 * QUIET_ZONE) / picture.shape[0]
        return symbol.corners.scaled(scale).moved(-QUIET_ZONE, -QUIET_ZONE)

    def _in_picture(self, corners: Quad) -> Quad:
        """Corners in modules of this region, in pixels of the picture."""
        matrix = homography(self.registration.corners, dimension(self.version))
        return Quad.of(cv2.perspectiveTransform(np.asarray(corners)[None], matrix)[0])

    def _doubt(self, exhibit: Exhibit) -> str:
        """Why a read of an exhibit is not believed; empty if it is."""
        agreement = self.registration.agreement
        if agreement >= _CREDIBLE:
            return ""
        correlation = explained_correlation(exhibit.crop, exhibit.dark, self.version)
        if correlation >= _EXPLAINED:
            return ""
        return (
            f"read but not believed: agreement {agreement:.2f} is below {_CREDIBLE} "
            f"and explained {correlation:.2f} below {_EXPLAINED}"
        )

    def binarise(self, crop: GreyImage) -> GreyImage:
        """Redraws the symbol in a restored crop of this region, at the scale of the crop."""
        pixels = crop.shape[0] // (self.crop.shape[0] // PIXELS_PER_MODULE)
        return clean_symbol(crop, self.version, local=False, pixels=pixels)

    def scaled(self, factor: float) -> "Region":
        """The region in the frame of a picture ``factor`` times as large; its crop stays."""
        return replace(self, registration=replace(self.registration, corners=self.registration.corners * factor))

    def cut_out(self, image: GreyImage) -> tuple[GreyImage, tuple[int, int]]:
        """Cuts out the upright box around the region with four modules to spare, dark on light; returns it and its
        offset (x, y) in the picture."""
        patch, (left, top) = surroundings(image, self.registration.corners, 4 * self.module)
        return (~patch if self.registration.inverted else patch), (int(left), int(top))


NO_VERSION: Final = "no registration: no version fits this outline"
"""The refusal of a candidate that cannot be registered."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """What became of a candidate, or of one of its registrations: a ``region``, or none; then ``refusal`` says in words
    why. ``rank``: its number in the locator's list, from 0. ``twin``: the earlier region that it resembles."""

    rank: int
    candidate: Candidate
    registration: Registration | None = None
    region: Region | None = None
    refusal: str = ""
    twin: Region | None = None


def find_regions(image: GreyImage, candidates: Iterable[Candidate], *, limit: int) -> list[Region]:
    """Registers the first ``limit`` candidates; returns at most ``limit`` regions, the highest agreement first.

    Pictures longer than OpenCV can resample, or narrower than the smallest symbol, have none.
    """
    return [one.region for one in weigh_candidates(image, candidates, limit=limit) if one.region]


def weigh_candidates(
    image: GreyImage,
    candidates: Iterable[Candidate],
    *,
    limit: int,
    known: Sequence[Region] = (),
    least_start: float = 0.0,
    is_patient: bool = False,
) -> list[Hypothesis]:
    """As `find_regions`, for every candidate: first the hypotheses with a region, in that order, then the refused ones.

    Refuses regions that resemble one of ``known``. ``least_start``, ``is_patient``: see `register`.
    """
    refused: list[Hypothesis] = []
    registered: list[tuple[Registration, Hypothesis]] = []
    for rank, candidate in enumerate(candidates):
        here = Hypothesis(rank, candidate)
        if max(image.shape) > _LONGEST_SIDE or min(image.shape) < dimension(1):
            refused.append(replace(here, refusal="the picture is too long or too narrow to be searched"))
        elif rank >= limit:
            refused.append(replace(here, refusal=f"over the limit of {limit} candidates a locator"))
        elif found := register(
            image,
            candidate.corners,
            candidate.dimension,
            keep=_HYPOTHESES,
            least_start=least_start,
            is_patient=is_patient,
        ):
            registered += ((one, replace(here, registration=one)) for one in found)
        else:
            refused.append(replace(here, refusal=NO_VERSION))
    registered.sort(key=lambda one: -one[0].agreement)
    regions: list[Hypothesis] = []
    for place, (registration, one) in enumerate(registered):
        if registration.agreement < _HOPELESS:
            refused.append(replace(one, refusal=f"agreement {registration.agreement:.2f} is below {_HOPELESS}"))
        elif place >= limit:
            refused.append(replace(one, refusal=f"over the limit of {limit} regions a locator"))
        else:
            region = _region(image, registration)
            twin = next((other for other in known if region.resembles(other)), None)
            if twin:
                refused.append(replace(one, refusal="resembles an earlier region", twin=twin))
            else:
                regions.append(replace(one, region=region))
    return regions + refused


def _region(image: GreyImage, registration: Registration) -> Region:
    crop = rectify(image, registration.corners, dimension(registration.version))
    return Region(registration=registration, crop=~crop if registration.inverted else crop)
