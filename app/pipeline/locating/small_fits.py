"""Moves columns of a Micro QR or rMQR code, or a lone finder pattern, to where what the standard fixes agrees best with
the picture."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.locating.fields import BLURS, SHADING, Field, Template, agreements
from app.pipeline.locating.lone_finders import LoneFinder
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.small.patterns import SMALL_QUIET_ZONE, small_patterns
from app.pipeline.qrcode.small.versions import modules_of
from app.pipeline.quad import bilinear_weights, square

FINDER: Final = 7
"""Modules a side of a finder pattern."""
START: Final = 1
"""The blur, of ``BLURS``, at which fits begin, and starts are compared."""
PAGE: Final = 10
"""Modules of the page around a symbol in `drawing`."""
SOFT: Final = 0.65
"""Sigma in modules of a picture's blur, as templates assume it."""
_SHARP: Final = 0.2  # the same; whichever agrees better ends a fit
_MODULE_BLUR: Final = 12**-0.5  # sigma of the mean over a module
_LAST: Final = len(BLURS) - 1  # the least of the blurs, at which fits end


@cache
def known_modules(version: str) -> Bits:
    """The modules that a version fixes, with its quiet zone, (H + 4, W + 4)."""
    return np.pad(small_patterns(version).known, SMALL_QUIET_ZONE, constant_values=True)


@cache
def drawing(version: str, layer: int, blur: float) -> NDArray[np.float32]:
    """A version with ``PAGE`` modules of the page around it, as a ``layer`` of a field shows it if the picture is
    blurred by ``blur``, a value a module: dark -1, light 1, data in mid-grey."""
    patterns = small_patterns(version)
    values = np.where(patterns.dark, -1.0, np.where(patterns.known, 1.0, 0.0))
    return _blurred(np.pad(values, PAGE, constant_values=1.0).astype(np.float32), layer, blur)


def _blurred(values: NDArray[np.float32], layer: int, blur: float) -> NDArray[np.float32]:
    values = values - cv2.blur(values, (SHADING + 1,) * 2)
    sigma = float(np.hypot(np.hypot(BLURS[layer], blur), _MODULE_BLUR))
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), dtype=np.float32)


@cache
def _part(version: str, begin: int, end: int, layer: int, blur: float) -> Template:
    """What is known of the columns ``begin`` to ``end`` of a version, with the quiet zone beside them, as a ``layer``
    of a field shows it; centres in shares of the sides of these columns."""
    height, width = modules_of(version) or (0, 0)
    rows, columns = np.nonzero(known_modules(version))
    rows, columns = rows - SMALL_QUIET_ZONE, columns - SMALL_QUIET_ZONE
    first = begin - SMALL_QUIET_ZONE * (begin == 0)
    last = end + SMALL_QUIET_ZONE * (end == width)
    inside = (columns >= first) & (columns < last)
    rows, columns = rows[inside], columns[inside]
    centres = np.stack([(columns + 0.5 - begin) / (end - begin), (rows + 0.5) / height], axis=1)
    return _template(centres, drawing(version, layer, blur)[rows + PAGE, columns + PAGE])


def _template(centres: NDArray[np.float64], values: NDArray[np.float32]) -> Template:
    values = values - values.mean()
    parts = (centres, values / np.linalg.norm(values), bilinear_weights(*centres.T))
    return Template(*(part.astype(np.float32) for part in parts))


@cache
def _finder(layer: int) -> Template:
    """A finder pattern and the ring of light modules around it."""
    side = FINDER + 2
    rows, columns = np.indices((side, side)).reshape(2, -1)
    reach = np.maximum(abs(rows - side // 2), abs(columns - side // 2))
    values = np.where(np.isin(reach, (2, 4)), 1.0, -1.0).reshape(side, side).astype(np.float32)
    page = np.pad(values, PAGE)
    centres = (np.stack([columns, rows], axis=1) - 0.5) / FINDER
    return _template(centres, _blurred(page, layer, SOFT)[rows + PAGE, columns + PAGE])


def straighten(image: GreyImage, finder: LoneFinder) -> NDArray[np.float64]:
    """The corners (4, 2) of a finder pattern, a parallelogram: it says how large and how slanted modules are."""
    turn = np.array([[np.cos(finder.angle), np.sin(finder.angle)], [-np.sin(finder.angle), np.cos(finder.angle)]])
    corners = finder.centre + finder.module * (square(FINDER) - FINDER / 2) @ turn
    field = Field(image, corners, FINDER)
    for layer in range(START, len(BLURS)):
        corners = field.refine(corners, _finder(layer), layer, -1.0 if finder.inverted else 1.0, affine=True)
    return np.asarray(corners, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Fit:
    """The ``corners`` (4, 2) of the columns ``begin`` to ``end`` where they agree best, and their ``agreement``, -1 to
    1."""

    begin: int
    end: int
    corners: NDArray[np.float64]
    agreement: float


def fit(
    image: GreyImage,
    corners: NDArray[np.float64],
    version: str,
    columns: tuple[int, int],
    sign: float,
    *,
    affine: bool = False,
) -> Fit:
    """Moves the corners of some columns; they remain a parallelogram until the last round or, if ``affine``, to the
    end. ``sign``: -1 where light and dark are exchanged, else 1."""
    begin, end = columns
    field = Field(image, corners, end - begin, (modules_of(version) or (0, 0))[0])
    for layer in range(START, _LAST):
        template = _part(version, begin, end, layer, SOFT)
        corners = field.refine(corners, template, layer, sign, affine=True)
    templates = [_part(version, begin, end, _LAST, blur) for blur in (SOFT, _SHARP)]
    best: Template | None = None
    for _ in templates:
        template = max(templates, key=lambda one: _agreement(field, corners, one, sign))
        if template is best:
            break
        best = template
        corners = field.refine(corners, best, _LAST, sign, affine=affine)
    return Fit(begin, end, corners, max(_agreement(field, corners, one, sign) for one in templates))


def _agreement(field: Field, corners: NDArray[np.float64], template: Template, sign: float) -> float:
    """At the least blur, -1 to 1."""
    return sign * float(agreements(field.values(corners, template)[:, _LAST:], template)[0])
