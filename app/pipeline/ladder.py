"""Reads pictures: looks for the places where codes may be, and has each climb the ladder until it is read."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from math import inf
from time import monotonic, perf_counter
from typing import Final

from app.errors import UnknownNetwork
from app.pipeline.climb import Climb, Original, Survey
from app.pipeline.comparing import compare
from app.pipeline.fusing import FUSED, read_fused
from app.pipeline.imaging import Colours, GreyImage, LookAgain
from app.pipeline.inference.views import evened
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.dots import merge_dots
from app.pipeline.locating.squares import shows_square_beside
from app.pipeline.micro import MICRO, read_small
from app.pipeline.nesting import painted_over
from app.pipeline.other_symbologies import name_others, read_others
from app.pipeline.place import by_version
from app.pipeline.restoration import Picture, restore
from app.pipeline.results import AUTO, COMPARE, Effort, Found, Outcome, Restoration, Unread, View, add_up
from app.pipeline.rungs import (
    DIRECT,
    FLATTENED,
    LAST_RUNGS,
    QUICK_RUNGS,
    RUNGS,
    SLOW_RUNGS,
    SMALL_PICTURE,
    VARIANTS_RUNG,
    read_direct,
    read_enlarged,
    read_plainly,
    read_small_picture,
    shows_small_codes,
)
from app.pipeline.surveys import further_surveys, surveys, surveys_of_rest, usual_surveys
from app.pipeline.symbologies import QR_FAMILY, SMALL
from app.pipeline.tools import Tools

COLOURS = "colours"
"""The stage of a trace that decodes a file again for its colours and its transparency."""
EVENED: Final = "evened"
"""The stage of a trace that takes the shading out of a picture."""
DOTS: Final = "dots"
"""The stage of a trace that looks for a lattice of dots and runs them together."""
# Several places may overlap at one code. Of the 43 that flattening read in the set creased, n = 200, it read 37 at the
# first of them and all by the fifth. In wallpaper of finder patterns up to 70 places agree.
_PATIENCE: Final = 12  # places, one after another, of which one of the last rungs reads nothing
# Flattening a credible place costs less than asking other locators, which find the same place again: of 60 creased
# codes the same ones are read, in 0.8 of the time.
_FLATTENED_FIRST: Final = 2  # credible places that are flattened before other locators are asked
_SHARE_OF_LOOK: Final = 0.5  # of the time left that another look may take, where places are left for the last rungs
_EVENED_SIDE: Final = 800  # longest side, in pixels, at which a picture without its shading is read


class Ladder:
    """Reads and restores pictures. Keeps no state between calls, so threads may share it.

    An outcome has at most ``max_codes`` codes and is ``truncated`` if there are more. Raises UnknownNetwork if
    ``tools`` names a restorer that is not loaded.
    """

    def __init__(self, *, tools: Tools, max_codes: int) -> None:
        missing = [name for name in (tools.light, tools.heavy, tools.upscaler) if name not in tools.restorers]
        if missing:
            raise UnknownNetwork(f"No network named {', '.join(missing)} is loaded.")
        self._tools = tools
        self._max_codes = max_codes

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
        """Reads the codes of a picture: with fast effort those of one plain look, else every code that can be read
        within ``budget`` seconds. Stops at ``expect`` codes.

        Where nothing is read, or a code is seen but not read, what ``look_again`` yields is read as well, each picture
        from the first rung on; with fast effort not its colours. Otherwise a transparent picture is read on black, too,
        unless the effort is fast. Codes of ``symbologies`` outside the QR family are
        read as the pictures show them; where only codes of that family are asked for and none is there, a code of
        another symbology is named among the unread ones.
        """
        climb = self._climb_for(symbologies, image, effort=effort, budget=budget, expect=expect, look_again=look_again)
        outcome = climb.outcome()
        if symbologies <= QR_FAMILY and effort is not Effort.FAST and not (climb.found or outcome.unread):
            return replace(outcome, unread=tuple(name_others(climb)), trace=tuple(climb.stages.values()))
        return outcome

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
        """Reads several pictures of one thing: each payload once, from the frame that read it on the lowest rung.

        Every frame climbs alone. The frames share the ``budget`` evenly; what one leaves is for the others. Then, if no
        frame read anything or the effort is thorough, their readings are added up; with fast effort never. The outcome
        has the size of the first frame, and the route of a frame that read if one of these has a route, else that of
        any frame. ``look_again`` is empty or has one for each frame.
        """
        began = monotonic()
        climbs = [
            self._climb_for(
                symbologies,
                frame,
                effort=effort,
                budget=(budget - (monotonic() - began)) / (len(frames) - number),
                expect=expect,
                look_again=looks,
            )
            for number, (frame, looks) in enumerate(zip_longest(frames, look_again))
        ]
        found = [replace(one, frame=index) for index, climb in enumerate(climbs) for one in climb.found]
        together = Climb(climbs[0].image, effort, self._tools, max_codes=self._max_codes)
        together.is_complete = all(climb.is_complete for climb in climbs)
        together.stages = add_up(stage for climb in climbs for stage in climb.stages.values())
        if len(climbs) > 1 and (effort is Effort.THOROUGH or (effort is Effort.BALANCED and not found)):
            fused = perf_counter()
            more = read_fused(climbs)
            together.spend(FUSED, perf_counter() - fused, codes=len(more))
            found += more
        routes = [climb.route for climb in sorted(climbs, key=lambda climb: not climb.found) if climb.route]
        together.route = next(iter(routes), None)
        together.found = _deduplicate(found)
        unread = [replace(one, frame=index) for index, climb in enumerate(climbs) for one in climb.unread]
        return replace(together.outcome(), unread=tuple(one for one in unread if not _is_read(one, found)))

    def restore(
        self,
        image: GreyImage,
        *,
        network: str = AUTO,
        scale: int = 1,
        binary: bool = False,
        view: View = View.STRAIGHTENED,
        budget: float = inf,
        look_again: LookAgain | None = None,
    ) -> Restoration:
        """Restores a code of a picture, which it looks for within ``budget`` seconds; see
        `app.pipeline.restoration.restore`, also for the errors raised. The network "compare" stands for all of them,
        straightened and at scale 1; see `app.pipeline.comparing.compare`.

        Where nothing that reads came of it, the first picture of ``look_again`` of which something does is restored
        instead, and at last the picture with its dots run together or without its shading, painted over as it was given
        in the original view.
        """

        def make(climb: Climb) -> Picture:
            if network == COMPARE:
                return compare(climb)
            return restore(climb, network=network, scale=scale, binary=binary, view=view)

        def attempt(picture: GreyImage, seconds: float) -> tuple[Climb, Restoration]:
            climb = Climb(picture, Effort.BALANCED, self._tools, budget=seconds, max_codes=self._max_codes)
            return climb, _restoration(make(climb), climb)

        began = monotonic()
        climb, first = attempt(image, budget)
        if first.outcome.codes:
            return first
        for picture in look_again(colours=Colours.ALL) if look_again else ():
            left = budget - (monotonic() - began)
            if left <= 0:
                break
            _, other = attempt(picture, left)
            if other.outcome.codes:
                return other
        for remade in self._remade(climb):
            made = make(remade)
            if remade.found:
                climb.take_made(remade)
                return _restoration(made, climb)
        return first

    def climb(
        self,
        image: GreyImage,
        *,
        effort: Effort,
        budget: float = inf,
        expect: int | None = None,
        look_again: LookAgain | None = None,
        symbologies: frozenset[str] = QR_FAMILY,
    ) -> Climb:
        """As `run`, but returns the climb of the picture itself; it holds what was read in the others, too.
        ``symbologies`` only says whether, and how patiently, Micro QR and rMQR codes are looked for."""
        climb, others = self._search(
            image, effort=effort, budget=budget, expect=expect, look_again=look_again, symbologies=symbologies
        )
        if _shows_more(climb):
            rest = self._rest(climb)
            self._read_made(rest, symbologies, surveys_of_rest)
            climb.take_made(rest)
        for remade in self._remade(climb):
            self._read_made(remade, symbologies)
            climb.take_made(remade)
        left = [place for place in climb.places if not climb.covers(place.corners)]
        for _ in climb.ascend(by_version(left), LAST_RUNGS, patience=_PATIENCE):
            pass
        climb.places += (place for other in others for place in other.places)
        return climb

    def _search(
        self,
        image: GreyImage,
        *,
        effort: Effort,
        budget: float,
        expect: int | None,
        look_again: LookAgain | None,
        symbologies: frozenset[str],
    ) -> tuple[Climb, list[Climb]]:
        """Climbs a picture up to the last rungs; returns its climb, and those of its other looks."""
        climb = Climb(image, effort, self._tools, budget=budget, expect=expect, max_codes=self._max_codes)
        if effort is Effort.FAST:
            climb.take(read_plainly(climb), DIRECT)
            return climb, self._read_looks(climb, look_again, symbologies)
        with climb.timed(DIRECT):
            reads, sighted = read_direct(climb)
        climb.take(reads, DIRECT)
        if not climb.found and image.size <= SMALL_PICTURE:
            climb.take(read_small_picture(climb), VARIANTS_RUNG)
        if not climb.is_over and shows_small_codes(climb, sighted):
            climb.take(read_enlarged(climb), VARIANTS_RUNG)
        if climb.is_over:
            return climb, []
        for _ in climb.survey(usual_surveys(climb, sighted), QUICK_RUNGS, SLOW_RUNGS):
            pass
        if not (climb.found or climb.is_over):
            credible = [place for place in climb.places if place.agreement >= climb.gates.credible and place.readings]
            for _ in climb.ascend(by_version(credible)[:_FLATTENED_FIRST], (FLATTENED,)):
                pass
        for _ in climb.survey(further_surveys(climb), QUICK_RUNGS, SLOW_RUNGS):
            pass
        _take_small(climb, symbologies)
        return climb, self._read_looks(climb, look_again, symbologies)

    def _climb_for(
        self,
        symbologies: frozenset[str],
        image: GreyImage,
        *,
        effort: Effort,
        budget: float,
        expect: int | None,
        look_again: LookAgain | None,
    ) -> Climb:
        """A climb that holds the codes of these symbologies. The rungs are climbed only for those of the QR family."""
        wanted, others = symbologies & QR_FAMILY, symbologies - QR_FAMILY
        if wanted:
            climb = self.climb(
                image, effort=effort, budget=budget, expect=expect, look_again=look_again, symbologies=wanted
            )
            climb.found[:] = [one for one in climb.found if one.symbol.symbology in wanted]
        else:
            climb = Climb(image, effort, self._tools, budget=budget, expect=expect, max_codes=self._max_codes)
        if others:
            read_others(climb, others, look_again)
        return climb

    def _read_looks(self, climb: Climb, look_again: LookAgain | None, symbologies: frozenset[str]) -> list[Climb]:
        """Reads the other pictures of a climb, one after another, while its own leaves something to read; returns their
        climbs. Unless the effort is fast, a transparent picture is read on black in any case, and the colours of a
        picture that was searched are looked at if grey hides a square. This comes before the last rungs, which cost
        most: a code of hidden colours is plain to see in its projection."""
        others: list[Climb] = []
        leaves_some, is_fast = bool(climb.unread or not climb.found), climb.effort is Effort.FAST
        if look_again is None or (is_fast and not leaves_some):
            return others
        colours = Colours.NONE
        if not is_fast and (leaves_some or climb.surveys):
            colours = Colours.ALL if leaves_some else Colours.SQUARES
        looks = look_again(colours=colours)
        while not climb.is_over and (climb.unread or not climb.found or not leaves_some):
            began = perf_counter()
            picture = next(looks, None)
            if picture is not None or leaves_some or colours is not Colours.NONE:
                climb.spend(COLOURS, perf_counter() - began)
            if picture is None:
                break
            left = climb.left * (_SHARE_OF_LOOK if climb.places else 1.0)
            expect = climb.still_expected
            other = self.climb(picture, effort=climb.effort, budget=left, expect=expect, symbologies=symbologies)
            climb.take_made(other)
            others.append(other)
        return others

    def _remade(self, climb: Climb) -> Iterator[Climb]:
        """Climbs, of which nothing is read yet, of what is made of a picture that gave nothing: with its dots run
        together if it shows a lattice of them, then without its shading if that hides a code; not with fast effort."""
        if not (climb.effort is Effort.FAST or climb.found or climb.is_over):
            with climb.timed(DOTS):
                merged = merge_dots(climb.image)
            if merged:
                yield self._made(climb, *merged)
        if _hides_a_code(climb):
            with climb.timed(EVENED):
                even = evened(climb.image, _EVENED_SIDE)
            yield self._made(climb, *even)

    def _read_made(
        self,
        climb: Climb,
        symbologies: frozenset[str],
        look: Callable[[Climb, Sequence[Candidate]], Iterator[Survey]] = surveys,
    ) -> None:
        """Reads a picture that was made of another one: as it is, then the places of the surveys that ``look`` makes,
        on all rungs before the last ones, then small codes."""
        with climb.timed(DIRECT):
            reads, sighted = read_direct(climb)
        climb.take(reads, DIRECT)
        if not climb.found and climb.image.size <= SMALL_PICTURE:
            climb.take(read_small_picture(climb), VARIANTS_RUNG)
        for _ in climb.survey(look(climb, sighted), QUICK_RUNGS, SLOW_RUNGS):
            pass
        if not climb.found:
            _take_small(climb, symbologies)

    def _rest(self, climb: Climb) -> Climb:
        """A climb, of which nothing is read yet, of a picture whose codes are painted over."""
        painted = painted_over(climb.image, [one.symbol.corners for one in climb.found])
        return Climb(painted, climb.effort, self._tools, climb.left, climb.still_expected, max_codes=self._max_codes)

    def _made(self, climb: Climb, picture: GreyImage, factor: float) -> Climb:
        """A climb, of which nothing is read yet, of a ``picture`` that was made of another one's, its sides reduced by
        ``factor``, within what is left of the budget."""
        original = Original(climb.image, 1 / factor)
        return Climb(
            picture, climb.effort, self._tools, climb.left, climb.expect, max_codes=self._max_codes, original=original
        )


def _take_small(climb: Climb, symbologies: frozenset[str]) -> None:
    """Takes Micro QR and rMQR codes, if they are among the ``symbologies``: of every picture if these name no QR code,
    else of a picture that was searched."""
    small = symbologies & SMALL
    is_patient = climb.is_thorough or "QRCode" not in symbologies
    if small and (is_patient or climb.surveys) and not climb.is_over:
        climb.take(read_small(climb, small, is_patient=is_patient), MICRO)


def _shows_more(climb: Climb) -> bool:
    """Whether a picture that was searched shows a square of strong texture outside the codes that were read and the
    places that are answered as unread."""
    if not (climb.found and climb.surveys) or climb.is_over:
        return False
    unread = (place.corners for place in climb.places if place.agreement >= climb.gates.credible)
    return shows_square_beside(climb.image, [*(one.symbol.corners for one in climb.found), *unread], plainly=True)


def _hides_a_code(climb: Climb) -> bool:
    """Whether a picture that gave nothing seems to show a code, and of no other symbology, without its shading."""
    return climb.shows_evened and not (climb.found or climb.is_over or name_others(climb))


def _restoration(made: Picture, climb: Climb) -> Restoration:
    """What was made of a picture, and what its climb holds."""
    outcome = replace(climb.outcome(), unread=())
    return Restoration(made.image, made.made_by, outcome, made.located, made.comparison, made.whole)


def _is_read(unread: Unread, found: Iterable[Found]) -> bool:
    """Whether a code was read there or, in another frame of the label, one of the same version."""
    return any(
        one.symbol.corners.overlap(unread.corners) > 0
        if one.frame == unread.frame
        else one.symbol.version == unread.version
        for one in found
    )


def _deduplicate(found: Iterable[Found]) -> list[Found]:
    """Keeps each payload once: as the lowest rung and, on equal rungs, the first frame read it."""
    order = (*RUNGS, MICRO, FUSED)
    first: dict[Hashable, Found] = {}
    for one in sorted(found, key=lambda one: order.index(one.rung)):
        first.setdefault(one.symbol.identity, one)
    return list(first.values())
