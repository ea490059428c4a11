"""Reads pictures by climbing the ladder, up to the first rung that reads or, when thorough, to the top."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from time import perf_counter

from app.errors import UnknownNetwork
from app.pipeline.climb import Climb
from app.pipeline.fusing import FUSED, read_fused
from app.pipeline.imaging import GreyImage
from app.pipeline.restoration import restore
from app.pipeline.results import AUTO, Effort, Found, Outcome, Restoration, Stage, View
from app.pipeline.rungs import LADDER, RUNGS
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
        """Reads a picture: the codes of the first rung that reads any or, when thorough, of all rungs."""
        return self.climb(image, effort=effort).outcome(max_codes=self._max_codes)

    def fuse(
        self, frames: Sequence[GreyImage], *, effort: Effort, budget: float = inf, expect: int | None = None
    ) -> Outcome:
        """Reads several pictures of one thing: each payload once, from the frame that read it on the lowest rung.

        Every frame climbs alone. Then, if no frame read anything or the effort is thorough, their readings are added
        up; with fast effort never. The outcome has the size of the first frame, and the route of a frame that read if
        one of these has a route, else that of any frame.
        """
        climbs = [self.climb(frame, effort=effort) for frame in frames]
        found = [replace(one, frame=index) for index, climb in enumerate(climbs) for one in climb.found]
        trace = [stage for climb in climbs for stage in climb.trace]
        if len(climbs) > 1 and (effort is Effort.THOROUGH or (effort is Effort.BALANCED and not found)):
            began = perf_counter()
            fused = read_fused(climbs)
            trace.append(Stage(FUSED, perf_counter() - began, len(fused)))
            found += fused
        routes = [climb.route for climb in sorted(climbs, key=lambda climb: not climb.found) if climb.route]
        together = Climb(climbs[0].image, effort, self._tools, route=next(iter(routes), None), trace=trace)
        together.found = _deduplicate(found)
        return together.outcome(max_codes=self._max_codes)

    def restore(
        self,
        image: GreyImage,
        *,
        network: str = AUTO,
        scale: int = 1,
        binary: bool = False,
        view: View = View.STRAIGHTENED,
    ) -> Restoration:
        """Restores a code of a picture; see `app.pipeline.restoration.restore`, also for the errors raised."""
        climb = Climb(image=image, effort=Effort.BALANCED, tools=self._tools)
        restored, made_by = restore(climb, network=network, scale=scale, binary=binary, view=view)
        return Restoration(image=restored, network=made_by, outcome=climb.outcome(max_codes=self._max_codes))

    def climb(self, image: GreyImage, *, effort: Effort) -> Climb:
        """As `run`, but returns the climb itself, which the caller may continue."""
        climb = Climb(image=image, effort=effort, tools=self._tools)
        for rung in LADDER[:1] if effort is Effort.FAST else LADDER:
            climb.run(rung)
            if climb.found and not climb.is_thorough:
                break
        return climb


def _deduplicate(found: Iterable[Found]) -> list[Found]:
    """Keeps each payload once: as the lowest rung and, on equal rungs, the first frame read it."""
    order = (*RUNGS, FUSED)
    first: dict[tuple[str, bytes], Found] = {}
    for one in sorted(found, key=lambda one: order.index(one.rung)):
        first.setdefault((one.symbol.symbology, one.symbol.payload), one)
    return list(first.values())
