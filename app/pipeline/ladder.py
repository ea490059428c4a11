"""The ladder: ways to read a picture, cheapest first. It stops at the first that reads, unless told to be thorough."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

from app.errors import UnknownNetwork
from app.pipeline.climb import Climb
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.fusing import FUSED, read_fused
from app.pipeline.imaging import GreyImage, resize, resize_to
from app.pipeline.inference.severity import choose, laplacian_variance
from app.pipeline.locating.regions import Region
from app.pipeline.painting import paint
from app.pipeline.restoration import _ENLARGED_MODULE, _as_read, _read_back, _redrawn, _thresholded, _whole
from app.pipeline.results import AUTO, MODULES, Effort, Found, Outcome, Restoration, Stage, View
from app.pipeline.rungs import (
    LADDER,
    RUNGS,
    read_modules,
)
from app.pipeline.tools import Tools


class Ladder:
    """Reads and restores pictures; holds no state of a picture, so threads may share it.

    ``max_codes`` bounds an outcome; what is over sets ``truncated``.
    """

    def __init__(self, *, tools: Tools, max_codes: int) -> None:
        missing = [name for name in (tools.light, tools.heavy, tools.upscaler) if name not in tools.restorers]
        if missing:
            raise UnknownNetwork(f"No network named {', '.join(missing)} is loaded.")
        self._tools = tools
        self._max_codes = max_codes

    def run(self, image: GreyImage, *, effort: Effort) -> Outcome:
        """Every code that the first successful rung reads in a picture; when thorough, that any rung reads."""
        return self._outcome(self._climbed(image, effort))

    def fuse(self, frames: Sequence[GreyImage], *, effort: Effort) -> Outcome:
        """Every payload that pictures of one thing give, once: from the frame that read it on the lowest rung.

        Every frame climbs alone; then, where none read or thoroughness was asked for, their readings are added up. The
        outcome's size is the first frame's, its route that of a frame that read, if any did.
        """
        climbs = [self._climbed(frame, effort) for frame in frames]
        found = [replace(one, frame=index) for index, climb in enumerate(climbs) for one in climb.found]
        trace = [stage for climb in climbs for stage in climb.trace]
        if len(climbs) > 1 and (effort is Effort.THOROUGH or (effort is Effort.BALANCED and not found)):
            began = perf_counter()
            fused = read_fused(climbs)
            trace.append(Stage(FUSED, perf_counter() - began, len(fused)))
            found += fused
        routes = [climb.route for climb in sorted(climbs, key=lambda climb: not climb.found) if climb.route]
        together = Climb(climbs[0].image, effort, self._tools, route=next(iter(routes), None), trace=trace)
        together.found = _each_once(found)
        return self._outcome(together)

    def restore(
        self,
        image: GreyImage,
        *,
        network: str = AUTO,
        scale: int = 1,
        binary: bool = False,
        view: View = View.STRAIGHTENED,
    ) -> Restoration:
        """A code of a picture, restored by ``network``, or by "modules": drawn anew as it was read module by module.

        Networks get the region whose modules are read most surely. "auto" takes the modules where they decode, and else
        the network that the routing unit chooses; "modules" takes them as they are where they do not decode.

        Straightened, the answer is a canonical crop of ``PIXELS_PER_MODULE`` times ``scale`` pixels a module, quiet
        zone included; where no region was found, the whole picture, reduced to ``_WHOLE_SIDE`` if larger. ``scale`` is
        1 or 4: at 4, networks that do not enlarge are followed by the upscaler. As in the original, the answer is the
        picture with the code painted over by the restored one, at ``scale`` 1; without a region, the picture as it is.
        ``binary`` redraws the symbol dark and light from its modules; without a region it thresholds. Raises
        UnknownNetwork, and ValueError where ``scale`` and ``view`` do not go together.
        """
        if view is View.ORIGINAL and scale != 1:
            raise ValueError("the original has a size of its own")
        restorers = self._tools.restorers
        if network not in (AUTO, MODULES, *restorers):
            names = ", ".join(sorted((MODULES, *restorers)))
            raise UnknownNetwork(f"No network of this name is loaded; there are {names}.")
        climb = Climb(image=image, effort=Effort.BALANCED, tools=self._tools)
        drawn = _redrawn(climb) if network in (AUTO, MODULES) else None
        if network not in (AUTO, MODULES):
            climb.timed("modules", partial(read_modules, climb))  # which region is the code
        surest = next(iter(climb.best_readings(1)), None)
        if drawn is None and surest and network == MODULES:
            drawn = _as_read(surest)
        region = drawn.region if drawn else surest.region if surest else None
        made: str | None = None
        if drawn:
            made, restored = MODULES, drawn.picture(scale if view is View.STRAIGHTENED else None)
        elif network == MODULES or (region is None and view is View.ORIGINAL):
            restored = image if view is View.ORIGINAL else resize(_whole(image), scale)
        else:
            made, restored = self._by_network(climb, region, network, scale)
        if binary and not drawn and (region or view is View.STRAIGHTENED):
            restored = region.binarised(restored) if region else _thresholded(restored)
        if region and view is View.ORIGINAL:
            restored = paint(image, region, restored)
        return Restoration(image=restored, network=made, outcome=self._outcome(climb))

    def _climbed(self, image: GreyImage, effort: Effort) -> Climb:
        climb = Climb(image=image, effort=effort, tools=self._tools)
        for rung in LADDER[:1] if effort is Effort.FAST else LADDER:
            climb.add(climb.timed(rung.name, partial(rung.read, climb)), rung.name)
            if climb.found and effort is not Effort.THOROUGH:
                break
        return climb

    def _by_network(self, climb: Climb, region: Region | None, network: str, scale: int) -> tuple[str, GreyImage]:
        """The network's name, and what it made of a region or else of the whole picture."""
        tools = self._tools
        crop = region.crop if region else _whole(climb.image)
        route = choose(laplacian_variance(crop), tools.threshold, light=tools.light, heavy=tools.heavy)
        for name in (network,) if network != AUTO else dict.fromkeys((route.network, tools.heavy)):
            began = perf_counter()
            restored = self._enlarged(crop, name, scale)
            symbols = _read_back(climb, region, restored)
            climb.trace.append(Stage(name, perf_counter() - began, len(symbols)))
            if symbols:
                climb.add(symbols, self._role(name))
                break
        climb.route = replace(route, network=name)
        return name, restored

    def _enlarged(self, crop: GreyImage, name: str, scale: int) -> GreyImage:
        """A crop through the named network, brought to ``scale``; networks that enlarge get the small modules that they
        are for."""
        restorer = self._tools.restorers[name]
        if restorer.scale == 1:
            restored = restorer.restore([crop])[0]
            return restored if scale == 1 else self._tools.restorers[self._tools.upscaler].restore([restored])[0]
        height, width = crop.shape
        restored = restorer.restore([resize(crop, _ENLARGED_MODULE / PIXELS_PER_MODULE)])[0]
        return resize_to(restored, scale * width, scale * height)

    def _role(self, name: str) -> str:
        roles = {self._tools.light: "light", self._tools.heavy: "heavy"}
        return roles.get(name, "upscale" if self._tools.restorers[name].scale > 1 else "heavy")

    def _outcome(self, climb: Climb) -> Outcome:
        height, width = climb.image.shape
        return Outcome(
            codes=tuple(climb.found[: self._max_codes]),
            width=width,
            height=height,
            route=climb.route,
            trace=tuple(climb.trace),
            truncated=len(climb.found) > self._max_codes,
        )


def _each_once(found: Iterable[Found]) -> list[Found]:
    """Codes of several frames, each payload once, as the lowest rung and then the first frame read it."""
    order = (*RUNGS, FUSED)
    first: dict[tuple[str, bytes], Found] = {}
    for one in sorted(found, key=lambda one: order.index(one.rung)):
        first.setdefault((one.symbol.symbology, one.symbol.payload), one)
    return list(first.values())
