"""The ladder: ways to read a picture, cheapest first. It stops at the first that reads, unless told to be thorough."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import UnknownNetwork
from app.pipeline.climbing import Climb, Effort, Found, Outcome, Reading, Stage, Tools, covered, merged, moved
from app.pipeline.flattening import flatten
from app.pipeline.fusing import FUSED, read_fused
from app.pipeline.imaging import GreyImage, resize, resize_to
from app.pipeline.modules import rebuilt
from app.pipeline.painting import paint
from app.pipeline.reading import Symbol, read_variants
from app.pipeline.rectifying import PIXELS_PER_MODULE
from app.pipeline.regions import Region
from app.pipeline.severity import choose, laplacian_variance
from app.pipeline.symbology import render

_WHOLE_SIDE = 512  # longest side of a whole picture that a network is run on
_ENLARGED_MODULE = 2  # pixels a module of a canonical crop as networks that enlarge get it
FIRST, QUICK = 1, 3
"""How many locators are asked before what they found was tried in every quick way, and in every way."""


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


def read_direct(climb: Climb) -> list[Symbol]:
    """The untouched picture: zxing-cpp, and ZBar where that reads nothing or sees a code that it cannot read."""
    symbols, sightings = climb.tools.zxing.look(climb.image)
    unread = any(not covered(sighting.corners, symbols) for sighting in sightings)
    return symbols if symbols and not unread else merged(symbols, climb.tools.zbar.read(climb.image))


def read_scaled_and_filtered(climb: Climb) -> list[Symbol]:
    """The picture at other sizes and contrasts: up to the first that reads, or all of them when thorough."""
    readings = (symbols for _, symbols in read_variants(climb.image) if symbols)
    return merged(*readings) if climb.effort is Effort.THOROUGH else next(readings, [])


def read_rectified(climb: Climb, *, waves: int) -> list[Symbol]:
    """Regions as the first ``waves`` locators see them, straightened but not restored."""

    def read(region: Region) -> list[Symbol]:
        if region in climb.straightened:
            return []
        climb.straightened.add(region)
        return region.read(region.crop, climb.tools.engines, restored=False)

    return climb.read_each(read, waves=waves)


def read_modules(climb: Climb, *, waves: int | None = None) -> list[Symbol]:
    """Regions read module by module, as the first ``waves`` locators see them or all of them do."""
    read_before = {reading.region for reading in climb.readings}

    def read(region: Region) -> list[Symbol]:
        if region in read_before:
            return []
        log_odds = climb.tools.reader.read([region.crop], region.version)[0]
        climb.readings.append(Reading(region, region.crop, log_odds))
        return region.read_modules(region.crop, log_odds, climb.tools.engines)

    return climb.read_each(read, waves=waves)


def read_flattened(climb: Climb) -> list[Symbol]:
    """The best readings, straightened along what was read; each round is decoded hard, then softly."""
    symbols: list[Symbol] = []
    for reading in climb.best_readings(climb.effort.flattened):
        region = reading.region
        if covered(region.corners, symbols) or region in climb.flattened or not region.is_hopeful:
            continue
        climb.flattened.add(region)
        rounds = flatten(climb.image, region.registration, reading.crop, reading.log_odds, climb.tools.reader)
        for crop, log_odds in rounds:
            straighter = Reading(region, crop, log_odds)
            climb.readings.append(straighter)
            read = region.read_modules(crop, log_odds, climb.tools.engines) or _softly(climb, straighter)
            if read:
                symbols = merged(symbols, read)
                break
        if symbols and climb.effort is not Effort.THOROUGH:
            break
    return symbols


def read_softly(climb: Climb) -> list[Symbol]:
    """The best readings, with error correction that knows how sure each module is."""
    symbols: list[Symbol] = []
    for reading in climb.best_readings(climb.effort.decoded_softly):
        if not covered(reading.region.corners, symbols):
            symbols = merged(symbols, _softly(climb, reading))
        if symbols and climb.effort is not Effort.THOROUGH:
            break
    return symbols


def _softly(climb: Climb, reading: Reading) -> list[Symbol]:
    """What soft decoding reads in a reading, which it is shown once."""
    if reading in climb.decoded:
        return []
    climb.decoded.add(reading)
    modules = reading.decoded()
    return [] if modules is None else reading.read_decoded(modules, climb.tools.engines)


def read_light(climb: Climb) -> list[Symbol]:
    """Regions above the routing threshold, restored by the light network."""
    light = climb.tools.light

    def read(region: Region) -> list[Symbol]:
        route = climb.route_of(region)
        return climb.read_restored(region, route, light) if region.is_hopeful and route.network == light else []

    return climb.read_each(read, waves=QUICK)


def read_heavy(climb: Climb) -> list[Symbol]:
    """Regions at or below the threshold, and those the light network left unreadable, restored by the heavy one."""
    heavy = climb.tools.heavy

    def read(region: Region) -> list[Symbol]:
        return climb.read_restored(region, climb.route_of(region), heavy) if region.is_hopeful else []

    return climb.read_each(read, waves=QUICK)


def read_upscaled(climb: Climb) -> list[Symbol]:
    """Regions of small modules, super-resolved as they lie in the picture."""
    upscaler = climb.tools.restorers[climb.tools.upscaler]

    def read(region: Region) -> list[Symbol]:
        if not (region.is_small and region.is_hopeful):
            return []
        patch, offset = region.cut_out(climb.image)
        enlarged = upscaler.restore([patch])[0]
        symbols = merged(*(engine.read(enlarged) for engine in climb.tools.engines))
        return [moved(symbol, 1 / upscaler.scale, offset) for symbol in symbols]

    return climb.read_each(read, waves=QUICK)


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to read, by the name that answers and metrics know it under."""

    name: str
    read: Callable[[Climb], list[Symbol]]


LADDER: tuple[Rung, ...] = (
    Rung("direct", read_direct),
    Rung("variants", read_scaled_and_filtered),
    Rung("rectified", partial(read_rectified, waves=FIRST)),
    Rung("modules", partial(read_modules, waves=FIRST)),
    Rung("soft", read_softly),
    # The same again where slower locators see more.
    Rung("rectified", partial(read_rectified, waves=QUICK)),
    Rung("modules", partial(read_modules, waves=QUICK)),
    Rung("soft", read_softly),
    Rung("flattened", read_flattened),
    # And again where the slowest do.
    Rung("modules", read_modules),
    Rung("soft", read_softly),
    Rung("flattened", read_flattened),
    Rung("light", read_light),
    Rung("heavy", read_heavy),
    Rung("upscale", read_upscaled),
)
RUNGS = tuple(dict.fromkeys(rung.name for rung in LADDER))
_REDRAWING = ("modules", "flattened", "soft")  # rungs that tell every module


@dataclass(frozen=True)
class _Drawn:
    """A region and the ``modules`` (M, M) of its symbol, True is dark."""

    region: Region
    modules: NDArray[np.bool_]

    def picture(self, scale: int | None) -> GreyImage:
        """The clean symbol at so many times ``PIXELS_PER_MODULE``; at None as fine as it lies in the picture."""
        pixels = scale * PIXELS_PER_MODULE if scale else max(PIXELS_PER_MODULE, round(self.region.module))
        return render(self.modules, pixels=pixels)


def _redrawn(climb: Climb) -> _Drawn | None:
    """The best symbol that reads module by module, without its errors; the climb has found it then."""
    for rung in (rung for rung in LADDER if rung.name in _REDRAWING):
        if symbols := climb.timed(rung.name, partial(rung.read, climb)):
            climb.add(symbols[:1], rung.name)
            return _drawn(climb, symbols[0])
    return None


def _drawn(climb: Climb, symbol: Symbol) -> _Drawn:
    """The whole symbol of a code that was just read module by module."""
    readings = [reading for reading in reversed(climb.readings) if reading.region.corners == symbol.corners]
    for reading in readings:
        modules = reading.decoded()
        if modules is not None:
            again = reading.read_decoded(modules, climb.tools.engines)
            if [one.payload for one in again] == [symbol.payload]:
                return _Drawn(reading.region, modules)
    return _as_read(readings[0])


def _as_read(reading: Reading) -> _Drawn:
    return _Drawn(reading.region, rebuilt(reading.log_odds, reading.region.version))


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


def _read_back(climb: Climb, region: Region | None, restored: GreyImage) -> list[Symbol]:
    """What reads from a restored picture, at its place in the original."""
    if region:
        return region.read(restored, climb.tools.engines, restored=True)
    factor = max(climb.image.shape) / max(restored.shape)
    return merged(
        *([moved(symbol, factor, (0, 0)) for symbol in engine.read(restored)] for engine in climb.tools.engines)
    )


def _whole(image: GreyImage) -> GreyImage:
    """What is restored of a picture without a region: all of it, no larger than ``_WHOLE_SIDE``."""
    return resize(image, min(1.0, _WHOLE_SIDE / max(image.shape)))


def _each_once(found: Iterable[Found]) -> list[Found]:
    """Codes of several frames, each payload once, as the lowest rung and then the first frame read it."""
    order = (*RUNGS, FUSED)
    first: dict[tuple[str, bytes], Found] = {}
    for one in sorted(found, key=lambda one: order.index(one.rung)):
        first.setdefault((one.symbol.symbology, one.symbol.payload), one)
    return list(first.values())


def _thresholded(image: GreyImage) -> GreyImage:
    return np.asarray(cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1], dtype=np.uint8)
