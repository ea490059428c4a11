"""Reads pictures: looks for the places where codes may be, and has each climb the ladder until it is read."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from time import monotonic, perf_counter

from app.errors import UnknownNetwork
from app.pipeline.climb import Climb
from app.pipeline.fusing import FUSED, read_fused
from app.pipeline.imaging import GreyImage
from app.pipeline.restoration import restore
from app.pipeline.results import AUTO, Effort, Found, Outcome, Restoration, Stage, Unread, View
from app.pipeline.rungs import (
    DIRECT,
    LAST_RUNGS,
    QUICK_RUNGS,
    RUNGS,
    SLOW_RUNGS,
    SMALL_PICTURE,
    VARIANTS_RUNG,
    read_direct,
    read_plainly,
    read_small_picture,
)
from app.pipeline.surveys import surveys
from app.pipeline.tools import Tools


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

    def run(self, image: GreyImage, *, effort: Effort, budget: float = inf, expect: int | None = None) -> Outcome:
        """Reads the codes of a picture: with fast effort those of one plain look, else every code that can be read
        within ``budget`` seconds. Stops at ``expect`` codes."""
        return self.climb(image, effort=effort, budget=budget, expect=expect).outcome()

    def fuse(
        self, frames: Sequence[GreyImage], *, effort: Effort, budget: float = inf, expect: int | None = None
    ) -> Outcome:
        """Reads several pictures of one thing: each payload once, from the frame that read it on the lowest rung.

        Every frame climbs alone, within the ``budget`` that the frames before it left. Then, if no frame read anything
        or the effort is thorough, their readings are added up; with fast effort never. The outcome has the size of the
        first frame, and the route of a frame that read if one of these has a route, else that of any frame.
        """
        began = monotonic()
        climbs = [
            self.climb(frame, effort=effort, budget=budget - (monotonic() - began), expect=expect) for frame in frames
        ]
        found = [replace(one, frame=index) for index, climb in enumerate(climbs) for one in climb.found]
        together = Climb(climbs[0].image, effort, self._tools, max_codes=self._max_codes)
        together.is_complete = all(climb.is_complete for climb in climbs)
        together.stages = _add_up(stage for climb in climbs for stage in climb.stages.values())
        if len(climbs) > 1 and (effort is Effort.THOROUGH or (effort is Effort.BALANCED and not found)):
            fused = perf_counter()
            more = read_fused(climbs)
            together.stages[FUSED] = Stage(FUSED, perf_counter() - fused, len(more))
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
    ) -> Restoration:
        """Restores a code of a picture, which it looks for within ``budget`` seconds; see
        `app.pipeline.restoration.restore`, also for the errors raised."""
        climb = Climb(image, Effort.BALANCED, self._tools, budget=budget, max_codes=self._max_codes)
        made = restore(climb, network=network, scale=scale, binary=binary, view=view)
        outcome = replace(climb.outcome(), unread=())
        return Restoration(image=made.image, network=made.made_by, outcome=outcome, located=made.located)

    def climb(self, image: GreyImage, *, effort: Effort, budget: float = inf, expect: int | None = None) -> Climb:
        """As `run`, but returns the climb itself."""
        climb = Climb(image, effort, self._tools, budget=budget, expect=expect, max_codes=self._max_codes)
        if effort is Effort.FAST:
            climb.take(read_plainly(climb), DIRECT)
            return climb
        with climb.timed(DIRECT):
            reads, sighted = read_direct(climb)
        climb.take(reads, DIRECT)
        if not climb.found and image.size <= SMALL_PICTURE:
            climb.take(read_small_picture(climb), VARIANTS_RUNG)
        if climb.is_over:
            return climb
        for _ in climb.survey(surveys(climb, sighted), QUICK_RUNGS, SLOW_RUNGS):
            pass
        for _ in climb.ascend([place for place in climb.places if not climb.covers(place.corners)], LAST_RUNGS):
            pass
        return climb


def _add_up(stages: Iterable[Stage]) -> dict[str, Stage]:
    """One line a stage."""
    total: dict[str, Stage] = {}
    for one in stages:
        sofar = total.get(one.stage, Stage(one.stage, 0.0, 0))
        total[one.stage] = Stage(one.stage, sofar.seconds + one.seconds, sofar.codes + one.codes)
    return total


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
    order = (*RUNGS, FUSED)
    first: dict[tuple[str, bytes], Found] = {}
    for one in sorted(found, key=lambda one: order.index(one.rung)):
        first.setdefault((one.symbol.symbology, one.symbol.payload), one)
    return list(first.values())
