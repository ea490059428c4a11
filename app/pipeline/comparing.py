"""Compares every restoring network on one code: a contact sheet of what each makes of it."""

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Final, NamedTuple

import cv2
import numpy as np

from app.pipeline.climb import Climb
from app.pipeline.imaging import GreyImage, normalise, psnr, resize_to
from app.pipeline.locating.regions import Region
from app.pipeline.restoration import (
    Picture,
    credible_region,
    predict_seconds,
    redraw,
    restore_at,
    role_of,
    show_untouched,
)
from app.pipeline.results import COMPARE, Compared, Found, Stage, View

_COLUMNS: Final = 4
_TILE: Final = 296  # pixels a side of a code on the sheet: twice a crop of version 3
_GAP: Final = 12
_LINE: Final = 17  # pixels a line of a caption
_LINES: Final = 3
_FONT, _SIZE, _INK, _PAPER = cv2.FONT_HERSHEY_SIMPLEX, 0.42, 30, 245
_BLANK: Final = 215  # grey of the tile of a network that was not run


class _Tile(NamedTuple):
    """A code on the sheet, None if there is none to show, and up to `_LINES` lines below it."""

    image: GreyImage | None
    lines: tuple[str, ...]


def compare(climb: Climb) -> Picture:
    """Has every restoring network restore the credible region with the most confident reading, straightened, and
    engines read each result; draws all of them on a contact sheet with what reads, and milliseconds.

    Where the modules decode, the redrawn symbol is the truth to which PSNR refers, and ``climb`` holds it alone;
    otherwise ``climb`` holds the first symbol that reads in a network's result. A network whose predicted time exceeds
    what is left of the budget is named, not run. Without a credible region nothing is run, and the result is the
    picture as it is.
    """
    drawing = redraw(climb)
    region = drawing.region if drawing else credible_region(climb)
    if region is None:
        return show_untouched(climb, View.STRAIGHTENED)
    truth = drawing.picture(1) if drawing else None
    tiles = [_as_it_is(region, truth)]
    if truth is not None:
        tiles.append(_Tile(truth, ("redrawn from its modules", "decodes", "the truth of PSNR")))
    comparison = []
    for compared, image in _run(climb, region, truth):
        comparison.append(compared)
        tiles.append(_Tile(image, _caption(compared)))
    climb.route = None
    return Picture(_sheet(tiles), COMPARE, located=True, comparison=tuple(comparison))


def _run(climb: Climb, region: Region, truth: GreyImage | None) -> Iterator[tuple[Compared, GreyImage | None]]:
    """Runs the networks, those first that will end first, and yields what each made; those that are not run come
    last. ``truth`` is the picture of the symbol that ``climb`` holds, None if it holds none."""
    tools = climb.tools
    predicted: dict[str, float] = {}
    for name, restorer in tools.restorers.items():
        if climb.left > 0:
            predicted[name] = predict_seconds(restorer, region.crop)
    left_out = [Compared(name) for name in tools.restorers if name not in predicted]
    stated = None if truth is None else climb.found[0].symbol.payload
    for name in sorted(predicted, key=predicted.__getitem__):
        if predicted[name] > climb.left:
            left_out.append(Compared(name))
            continue
        began = perf_counter()
        image = restore_at(tools, region.crop, name, 1)
        seconds = perf_counter() - began
        symbols = region.read(image, tools.engines, restored=True)
        climb.stages[name] = Stage(name, perf_counter() - began, len(symbols))
        own = symbols[0] if symbols else None
        if own and not climb.found:
            climb.found.append(Found(own, role_of(tools, name), size=climb.size))
        compared = Compared(name, seconds, own.text if own else None)
        if truth is not None:
            agrees = None if own is None else own.payload == stated
            compared = replace(compared, agrees=agrees, psnr=psnr(image, truth))
        yield compared, image
    climb.is_complete = climb.is_complete and not left_out
    yield from ((one, None) for one in left_out)


def _as_it_is(region: Region, truth: GreyImage | None) -> _Tile:
    """The crop as networks see it, its contrast stretched."""
    seen = np.rint(255 * normalise(region.crop)).astype(np.uint8)
    quality = () if truth is None else (f"PSNR {psnr(seen, truth):.1f} dB",)
    return _Tile(
        seen, ("as it is, straightened", f"version {region.version}, {region.module:.1f} px a module", *quality)
    )


def _caption(compared: Compared) -> tuple[str, ...]:
    if compared.seconds is None:
        return compared.network, "not run: no time left"
    reads = "not decoded" if compared.text is None else "decodes" if compared.agrees is not False else "MISREAD"
    lines = compared.network, f"{reads}, {1000 * compared.seconds:.0f} ms"
    return lines if compared.psnr is None else (*lines, f"PSNR {compared.psnr:.1f} dB")


def _sheet(tiles: list[_Tile]) -> GreyImage:
    """Draws tiles in rows of `_COLUMNS`, each with its lines below."""
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = _TILE + _GAP, _TILE + _LINES * _LINE + _GAP
    sheet = np.full((rows * height + _GAP, columns * width + _GAP), _PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = _GAP + number // columns * height, _GAP + number % columns * width
        sheet[top : top + _TILE, left : left + _TILE] = _fitted(tile.image)
        for line, text in enumerate(tile.lines[:_LINES], start=1):
            cv2.putText(sheet, text, (left, top + _TILE + line * _LINE - 3), _FONT, _SIZE, _INK, 1, cv2.LINE_AA)
    return sheet


def _fitted(image: GreyImage | None) -> GreyImage:
    """A code at the size of a tile; whole pixels where it is smaller."""
    tile = np.full((_TILE, _TILE), _BLANK if image is None else _PAPER, np.uint8)
    if image is None:
        return tile
    times = _TILE // max(image.shape)
    shown = np.kron(image, np.ones((times, times), np.uint8)) if times > 1 else image
    if max(shown.shape) > _TILE:
        shown = resize_to(shown, _TILE, _TILE)
    top, left = ((_TILE - side) // 2 for side in shown.shape)
    tile[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return tile
