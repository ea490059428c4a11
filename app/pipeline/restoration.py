"""Restoration."""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.climb import Climb, Reading
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.engines.symbol import Symbol, merged, moved
from app.pipeline.imaging import GreyImage, resize
from app.pipeline.locating.regions import Region
from app.pipeline.qrcode.log_odds import rebuilt
from app.pipeline.qrcode.patterns import render
from app.pipeline.rungs import LADDER

_WHOLE_SIDE = 512  # longest side of a whole picture that a network is run on


_ENLARGED_MODULE = 2  # pixels a module of a canonical crop as networks that enlarge get it


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


def _thresholded(image: GreyImage) -> GreyImage:
    return np.asarray(cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1], dtype=np.uint8)
