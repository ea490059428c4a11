"""Restores the picture of a code: redraws it from its modules, or runs a network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import UnknownNetwork
from app.pipeline.climb import LEAST_SCAN, LOCATE, Climb, Rung, Survey
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.engines.symbol import Symbol, merge_symbols
from app.pipeline.imaging import GreyImage, resize, resize_to
from app.pipeline.inference.restorer import Restorer
from app.pipeline.inference.severity import choose, laplacian_variance
from app.pipeline.locating.locators import SightingLocator
from app.pipeline.locating.regions import Region
from app.pipeline.painting import paint
from app.pipeline.qrcode.log_odds import rebuild_modules
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad
from app.pipeline.reading import Read, Reading
from app.pipeline.results import AUTO, COMPARE, MODULES, SOFT, Compared, Found, Stage, View
from app.pipeline.rungs import FLATTENED, MODULE_RUNGS
from app.pipeline.stating import state
from app.pipeline.surveys import surveys
from app.pipeline.tools import Tools

_WHOLE_SIDE: Final = 512  # pixels of the longest side at which a network gets a whole picture
_PROBED: Final = 32  # pixels a side of the part by which the time of a network that enlarges is predicted
_ENLARGED_MODULE: Final = 2  # pixels a module at which networks that enlarge get a canonical crop
_MOST_READINGS: Final = 64  # that are looked through for a credible one
_STATING_MODULES: Final = (*MODULE_RUNGS, FLATTENED)
"""Rungs whose reads state every module."""


class Picture(NamedTuple):
    """The picture of a restored code, what made it ("modules", a network's name, or None), and whether a code was
    located. Where none was, the picture is the untouched one. ``comparison``, ``whole``: see `Restoration`."""

    image: GreyImage
    made_by: str | None
    located: bool
    comparison: tuple[Compared, ...] = ()
    whole: bool = False


def restore(climb: Climb, *, network: str, scale: int, binary: bool, view: View) -> Picture:
    """Restores a code of a picture.

    ``network`` names the restorer that gets the credible region with the most confident reading. "modules" redraws the
    symbol from its modules: as decoded, else as read. "auto" redraws the modules if they decode; else it runs the
    network that the routing unit chooses and, if nothing reads in its result, the heavy one. A region is credible if
    its modules decode, or if the picture agrees with its function patterns as with those of codes that the answer to
    /decode names as unread.

    Straightened, the result is a canonical crop of ``PIXELS_PER_MODULE`` times ``scale`` pixels a module, quiet zone
    included; ``scale`` is 1 or 4; at 4 the upscaler follows networks that do not enlarge. In the original view it is
    the picture with the restored code painted over the damaged one, at ``scale`` 1. ``binary`` draws the modules dark
    and light.

    Without a credible region a network gets the most confident other one or, straightened, the whole picture, reduced
    to ``_WHOLE_SIDE`` if larger and thresholded if ``binary``; one that enlarges only if it would end within the
    budget. If nothing reads in its result no code is located, and the result is the picture as it is, reduced unless
    the view is the original.

    ``climb`` then holds what reads in the result. Raises UnknownNetwork, and ValueError for another ``scale`` than 1 in
    the original view.
    """
    if view is View.ORIGINAL and scale != 1:
        raise ValueError("the original has a size of its own")
    restorers = climb.tools.restorers
    if network not in (AUTO, MODULES, *restorers):
        names = ", ".join(sorted((MODULES, COMPARE, *restorers)))
        raise UnknownNetwork(f"No network of this name is loaded; there are {names}.")
    drawing = redraw(climb) if network in (AUTO, MODULES) else None
    decoded = [] if network in (AUTO, MODULES) else _read_places(climb)
    readings = climb.best_readings(_MOST_READINGS)
    best = next((reading for reading in readings if _is_credible(climb, reading.region, decoded)), None)
    if drawing is None and best and network == MODULES:
        drawing = Drawing.as_read(best)
    if drawing:
        drawn = drawing.picture(scale if view is View.STRAIGHTENED else None)
        return _show(climb, drawing.region, drawn, MODULES, view)
    region = best.region if best else readings[0].region if readings else None
    if network == MODULES or (region is None and view is View.ORIGINAL):
        return show_untouched(climb, view)
    if region is None and not _fits(climb, network):
        climb.is_complete = False
        return show_untouched(climb, view)
    made_by, restored = _run_network(climb, region, network, scale)
    if best is None and not climb.found:
        climb.route = None
        return show_untouched(climb, view)
    if binary:
        restored = region.binarise(restored) if region else _threshold(restored)
    return _show(climb, region, restored, made_by, view)


def credible_region(climb: Climb) -> Region | None:
    """The region with the most confident reading in which there seems to be a code."""
    readings = climb.best_readings(_MOST_READINGS)
    return next((one.region for one in readings if _is_credible(climb, one.region, [])), None)


def _is_credible(climb: Climb, region: Region, decoded: Sequence[Quad]) -> bool:
    """Whether there is a code in a region: the picture agrees with its function patterns, or it lies on one of these
    codes that decode."""
    if region.registration.agreement >= climb.gates.credible:
        return True
    return any(region.corners.overlap(corners) > 0 for corners in decoded)


def _show(climb: Climb, region: Region | None, restored: GreyImage, made_by: str, view: View) -> Picture:
    is_painted = region is not None and view is View.ORIGINAL
    image = _paint(climb, region, restored) if region and is_painted else restored
    return Picture(image, made_by, located=True, whole=is_painted or region is None)


def _paint(climb: Climb, region: Region, restored: GreyImage) -> GreyImage:
    """Paints into the picture that was given; a code that shows without the shading only, in the greys that it has
    there: in its own it would be as hard to read as before."""
    return paint(climb.given, region.scaled(climb.scale), restored)


def show_untouched(climb: Climb, view: View) -> Picture:
    image = climb.given if view is View.ORIGINAL else _whole(climb.given)
    return Picture(image, None, located=bool(climb.found), whole=True)


def _fits(climb: Climb, network: str) -> bool:
    """Whether a network that enlarges would end with the whole picture before the budget does."""
    restorer = climb.tools.restorers.get(network)
    if restorer is None or restorer.scale == 1 or climb.budget == inf:
        return True
    return predict_seconds(restorer, _whole(climb.image)) <= climb.left


@dataclass(frozen=True)
class Drawing:
    """A region and the ``modules`` (M, M) of its symbol, True is dark."""

    region: Region
    modules: NDArray[np.bool_]

    @classmethod
    def as_read(cls, reading: Reading) -> "Drawing":
        """Draws a reading as it is, without error correction."""
        return cls(reading.region, rebuild_modules(reading.log_odds, reading.region.version))

    def picture(self, scale: int | None) -> GreyImage:
        """The clean symbol at ``scale`` times ``PIXELS_PER_MODULE``; with None, as fine as it lies in the picture."""
        pixels = scale * PIXELS_PER_MODULE if scale else max(PIXELS_PER_MODULE, round(self.region.module))
        return render(self.modules, pixels=pixels)


def redraw(climb: Climb) -> Drawing | None:
    """Draws the first symbol that reads module by module, without its errors; ``climb`` then holds this one alone."""
    read = _look(climb, _STATING_MODULES)
    if read is None:
        return None
    climb.found[:] = [found for found in climb.found if found.symbol is read.symbol]
    return _draw(climb, read)


def _look(climb: Climb, rungs: Sequence[Rung]) -> Read | None:
    """The first read of a place of the picture by these rungs."""
    return next((read for read in climb.survey(_surveys(climb), rungs) if read.region), None)


def _read_places(climb: Climb) -> list[Quad]:
    """Reads the modules of the places of one survey after another, up to the first survey with a code that decodes.

    Returns where codes decode, and forgets what they say.
    """
    for survey in _surveys(climb):
        for _ in climb.ascend(climb.register(survey), MODULE_RUNGS[:1]):
            pass
        if climb.found:
            break
    decoded = [found.symbol.corners for found in climb.found]
    climb.found.clear()
    return decoded


def _surveys(climb: Climb) -> Iterator[Survey]:
    with climb.timed(LOCATE):
        sighted = climb.scan(SightingLocator().locate, climb.image) or []
    return surveys(climb, sighted)


def _draw(climb: Climb, read: Read) -> Drawing | None:
    """Draws the symbol of a read, corrected if soft decoding gives the same payload."""
    if read.region is None or read.modules is None or read.reading is None:
        return None
    if read.symbol.engine != SOFT and read.reading.soft_modules is not None:
        again = read.reading.read_corrected(climb.tools.engines)
        if [symbol.payload for symbol in again] == [read.symbol.payload]:
            return Drawing(read.region, read.reading.soft_modules)
    return Drawing(read.region, read.modules)


def _run_network(climb: Climb, region: Region | None, network: str, scale: int) -> tuple[str, GreyImage]:
    """Restores a region, or without one the whole picture, by a network; returns the network's name and the result."""
    tools = climb.tools
    crop = region.crop if region else _whole(climb.image)
    route = choose(laplacian_variance(crop), tools.threshold, light=tools.light, heavy=tools.heavy)
    for name in (network,) if network != AUTO else dict.fromkeys((route.network, tools.heavy)):
        began = perf_counter()
        restored = restore_at(tools, crop, name, scale)
        symbols = _read_back(climb, region, restored)
        climb.stages[name] = Stage(name, perf_counter() - began, len(symbols))
        if symbols:
            climb.found += (Found(symbol, role_of(tools, name), size=climb.size) for symbol in symbols)
            break
    climb.route = replace(route, network=name)
    return name, restored


def restore_at(tools: Tools, crop: GreyImage, name: str, scale: int) -> GreyImage:
    """Restores a crop by the named network, at ``scale``; networks that enlarge get the small modules that they are
    for."""
    restorer = tools.restorers[name]
    restored = restorer.restore([_input_of(restorer, crop)])[0]
    if restorer.scale == 1:
        return restored if scale == 1 else tools.restorers[tools.upscaler].restore([restored])[0]
    height, width = crop.shape
    return resize_to(restored, scale * width, scale * height)


def _input_of(restorer: Restorer, crop: GreyImage) -> GreyImage:
    """What a network gets of a crop."""
    return crop if restorer.scale == 1 else resize(crop, _ENLARGED_MODULE / PIXELS_PER_MODULE)


def predict_seconds(restorer: Restorer, crop: GreyImage) -> float:
    """How long a network would take for a crop: what a part of it takes, times how much larger it is. Rather too long:
    part of the time does not depend on the size."""
    given = _input_of(restorer, crop)
    side = _PROBED if restorer.scale > 1 else 2 * _PROBED
    part = np.ascontiguousarray(given[:side, :side])
    restorer.restore([part])  # may load the network
    spent = []
    for _ in range(2):
        began = perf_counter()
        restorer.restore([part])
        spent.append(perf_counter() - began)
    return min(spent) * given.size / part.size


def role_of(tools: Tools, name: str) -> str:
    """The rung that a network belongs to."""
    roles = {tools.light: "light", tools.heavy: "heavy"}
    return roles.get(name, "upscale" if tools.restorers[name].scale > 1 else "heavy")


def _read_back(climb: Climb, region: Region | None, restored: GreyImage) -> list[Symbol]:
    """Reads a restored picture; corners are in pixels of the original."""
    engines = climb.tools.engines
    if region:
        return region.read(restored, engines, restored=True)
    factor = max(climb.image.shape) / max(restored.shape)
    reads = (climb.scan(engine.read, restored, least=LEAST_SCAN) or [] for engine in engines)
    symbols = (state(restored, symbol, climb.tools.reader) for symbol in merge_symbols(*reads))
    return [symbol.at(symbol.corners.scaled(factor)) for symbol in symbols]


def _whole(image: GreyImage) -> GreyImage:
    """The whole picture, its longest side reduced to ``_WHOLE_SIDE`` if larger."""
    return resize(image, min(1.0, _WHOLE_SIDE / max(image.shape)))


def _threshold(image: GreyImage) -> GreyImage:
    return np.asarray(cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1], dtype=np.uint8)
